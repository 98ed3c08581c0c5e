"""Which wells stand out: by significance, by score, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.gui.state.view import LEAST_SCORE, Highlight, View

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_cellclip.explore import Answer


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
