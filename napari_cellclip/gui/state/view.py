"""How the wells of a session are looked at: what colours them, which stand out, which plate and map."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_cellclip.gui.state.site_values import Statistic
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_cellclip.explore import Answer, Projection
    from napari_cellclip.explore.references.choice import Evidence

LEAST_SCORE = 3.0
"""Least score, in robust standard deviations of the controls, that is suggested as a threshold."""

Highlight = Literal["significant", "score", "all"]
"""Which wells are highlighted: significant treatments, scores from a threshold on, or all."""

VIEW = "view"
"""What the steps of undo call it."""

HitsAs = Literal["treatments", "wells", "gallery"]
"""How hits are listed: a line a treatment, a line a well, or pictures."""

ASKED_WITH = frozenset({"fdr", "evidence", "structures", "use_platemap"})
"""What an answer rests on: the question is asked again where one of them changes."""

TYPED = frozenset({"threshold", "fdr", "filter"})
"""What is turned or typed in many small steps, which are undone as one."""


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
    filter : str
        Conditions that wells must meet: the others are grey on plate and map, and no lines of the hits.
    use_platemap : bool
        Whether labels of the plate map word a mechanism and serve as references.
    hits : {"treatments", "wells", "gallery"}
        How they are listed.
    tab : str or None
        Title of the tab that is open; a look at another one is no step of undo.
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
    filter: str = ""
    hits: HitsAs = "treatments"
    tab: str | None = None

    def colours_like(self, other: View) -> bool:
        """Tell whether wells are coloured as in another view, however hits are listed and in which tab."""
        return replace(self, hits=other.hits, tab=other.tab) == other


@dataclass(frozen=True)
class Projections:
    """The maps of the open screen, by method."""

    by_method: dict[str, Projection] = field(default_factory=dict)

    def get(self, method: str) -> Projection | None:
        """Map made by this method, or the best other one there is."""
        return self.by_method.get(method) or self.by_method.get("umap") or self.by_method.get("pca")


def highlight_in_force(view: View, answer: Answer | None) -> Highlight:
    """Return what decides: the score where significance is asked for but the answer has no verdict."""
    undecided = answer is None or answer.match is None
    return "score" if view.highlight == "significant" and undecided else view.highlight


def highlighted(table: pd.DataFrame, view: View, answer: Answer | None) -> NDArray[np.bool_]:
    """Mark the rows of a well table that are in colour: boolean ``[rows]``."""
    mode = highlight_in_force(view, answer)
    if mode == "all":
        return np.ones(len(table), bool)
    if mode == "significant" and answer is not None:
        return np.asarray(table.index.isin(answer.matching_wells), bool)
    return table["score"].to_numpy(float) >= view.threshold


def suggested_threshold(answer: Answer) -> float | None:
    """Suggest half of the best score, and at least `LEAST_SCORE`; ``None`` where there is no score.

    It says only where to look first: a score has no error rate before it is calibrated.
    """
    best = answer.scores["score"].max()
    return max(LEAST_SCORE, round(float(best) / 2, 1)) if np.isfinite(best) else None


def colour_column(table: pd.DataFrame, view: View) -> str:
    """Return the key of what colours wells: what was chosen, or the cosine where there are no scores."""
    if view.colour_by == "score" and not table["score"].notna().any() and table["cosine"].notna().any():
        return "cosine"
    return view.colour_by
