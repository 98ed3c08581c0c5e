"""How the wells of a session are looked at: colours, threshold, maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from napari_cellclip.explore import Projection

LEAST_SCORE = 3.0
"""Robust standard deviations of the controls below which no well is in colour unless the user wants it."""


@dataclass(frozen=True)
class View:
    """How wells are coloured and which plate is looked at.

    Attributes
    ----------
    colour_by : str
        Column of the well table.
    ramp : str
        One of the palette's ramps.
    lit_by : {"verdict", "score"}
        Which wells are in colour: those that match at the accepted false-discovery rate, or those from a
        score on. Where an answer has no verdict, the score decides.
    threshold : float
        That score.
    fdr : float
        Accepted share of false discoveries among the treatments said to match.
    grey_rest : bool
        Whether the other wells are grey.
    plate : str or None
        The plate looked at.
    map_method : str
        The map looked at.
    """

    colour_by: str = "score"
    ramp: str = "viridis"
    lit_by: Literal["verdict", "score"] = "verdict"
    threshold: float = LEAST_SCORE
    fdr: float = 0.05
    grey_rest: bool = True
    plate: str | None = None
    map_method: str = "umap"


@dataclass(frozen=True)
class Projections:
    """The maps of the open screen, by method."""

    by_method: dict[str, Projection] = field(default_factory=dict)

    def get(self, method: str) -> Projection | None:
        """Map made by this method, or the best other one there is."""
        return self.by_method.get(method) or self.by_method.get("umap") or self.by_method.get("pca")
