"""How the wells of a session are looked at: colours, threshold, maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cellclip.explore import Projection

LEAST_SCORE = 3.0
"""Robust standard deviations of the controls below which no well is in colour unless the user wants it."""


@dataclass(frozen=True)
class View:
    """How wells are coloured and which plate is looked at."""

    colour_by: str = "score"
    ramp: str = "viridis"
    threshold: float = LEAST_SCORE
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
