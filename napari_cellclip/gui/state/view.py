"""How the wells of a session are looked at: what colours them, which are highlighted, which plate and map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_cellclip.gui.state.site_values import Statistic
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from napari_cellclip.explore import Projection
    from napari_cellclip.explore.references.choice import Evidence

LEAST_SCORE = 3.0
"""Least score, in robust standard deviations of the controls, that is suggested as a threshold."""

Highlight = Literal["significant", "score", "all"]
"""Which wells are highlighted: significant treatments, scores from a threshold on, or all."""


@dataclass(frozen=True)
class View:
    """Colouring of wells, and the plate that is looked at.

    Attributes
    ----------
    colour_by : str
        Key of what colours wells in every view: see :mod:`~napari_cellclip.gui.state.colouring`.
    statistic : {"mean", "median", "min", "max", "sd"}
        How the sites of a well become one number, where sites were measured.
    clip : bool
        Whether the colours span the middle 98 % of the wells of all plates, so that plates can be compared;
        else they span all wells of the plate looked at.
    thumbnails : bool
        Whether plates show the pictures of wells in place of colours.
    map_thumbnails : bool
        Whether the map shows pictures in place of points where they have room.
    side_by_side : bool
        Whether all plates of the screen are drawn beside each other.
    highlight : {"significant", "score", "all"}
        Which wells are in colour while the others are grey. Where an answer has no verdict, the score decides
        in place of significance.
    threshold : float
        Score from which on wells are highlighted.
    fdr : float
        Accepted false discovery rate among the treatments that are called significant, 0 to 1.
    plate : str or None
        The plate looked at.
    map_method : str
        The map looked at.
    evidence : {"auto", "words", "look-alikes", "both"}
        What questions are answered by.
    structures : bool
        Whether likeness of chemical structures is part of look-alikes.
    use_platemap : bool
        Whether labels of the plate map word a mechanism and serve as references.
    """

    colour_by: str = "score"
    statistic: Statistic = "mean"
    clip: bool = True
    thumbnails: bool = False
    map_thumbnails: bool = True
    side_by_side: bool = False
    highlight: Highlight = "significant"
    threshold: float = LEAST_SCORE
    fdr: float = FDR
    plate: str | None = None
    map_method: str = "umap"
    evidence: Evidence = "auto"
    structures: bool = True
    use_platemap: bool = True


@dataclass(frozen=True)
class Projections:
    """The maps of the open screen, by method."""

    by_method: dict[str, Projection] = field(default_factory=dict)

    def get(self, method: str) -> Projection | None:
        """Map made by this method, or the best other one there is."""
        return self.by_method.get(method) or self.by_method.get("umap") or self.by_method.get("pca")
