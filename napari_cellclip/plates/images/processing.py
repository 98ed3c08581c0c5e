"""What is done to the pixels of a plate before anybody sees them: focal planes, illumination."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cellclip.plates.images.illumination import Illumination
from napari_cellclip.plates.images.projection import Projection, require_projection


@dataclass(frozen=True)
class Processing:
    """Steps from the files of a plate to its images; the same for encoding, canvas and explanations.

    Attributes
    ----------
    projection : {"max", "mean", "focus", "dna-focus"}
        What becomes of several focal planes.
    illumination : Illumination or None
        What each stain is divided by.
    """

    projection: Projection = "max"
    illumination: Illumination | None = None

    def __post_init__(self) -> None:
        require_projection(self.projection)

    @property
    def key(self) -> str:
        """Key that tells these pixels from others of the same files; empty for those made by default."""
        parts = [f"projection {self.projection}"] if self.projection != "max" else []
        if self.illumination is not None:
            parts.append(f"illumination {self.illumination.digest}")
        return ", ".join(parts)
