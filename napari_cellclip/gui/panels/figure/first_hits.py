"""The first hits as a small table: which lines and which columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellclip.gui.panels.hits.hit_columns import COLUMNS, HitColumn
from napari_cellclip.gui.panels.hits.hit_groups import best_first, grouped, meeting

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.gui.state.session import Session

FIRST_HITS = 8
"""Lines of the table."""

WIDTHS = {"treatment": 0.3, "well": 0.22, "replicates": 0.06, "score": 0.08, "cosine": 0.08, "q": 0.1}
"""Widths of the columns of the table, as shares of the page's; the mechanism takes the rest."""


def first_hits(session: Session) -> pd.DataFrame | None:
    """Take the first lines of the hits, as the Hits tab orders them; ``None`` where nothing was asked.

    Returns
    -------
    DataFrame or None
        One row a treatment, with the columns of the well table and ``highlighted``; ``attrs["of"]`` says how
        many lines there are.
    """
    if session.answer is None:
        return None
    table = session.wells
    groups = grouped(table)
    passing = session.filter.passing(session.view.filter, table)
    if passing is not None:
        groups = meeting(groups, frozenset(table.index[passing].astype(str)))
    order = groups.order(*best_first(table))[:FIRST_HITS]
    bright = frozenset(session.highlighted_wells)
    lines = groups.table.iloc[order].assign(
        highlighted=[not bright.isdisjoint(groups.wells[line]) for line in order.tolist()]
    )
    lines.attrs["of"] = len(groups)
    return lines


def table_columns(lines: pd.DataFrame) -> list[HitColumn]:
    """Choose the columns that have something to say, the mechanism last."""
    score = "score" if lines["score"].notna().any() else "cosine"
    there = {"treatment", "replicates", score}
    there |= {"q"} if lines["q"].notna().any() else set()
    there |= {"well"} if lines["plate"].nunique() == 1 else set()
    there |= {"mechanism"} if (lines["mechanism"] != "").any() else set()
    keys = [key for key in (*WIDTHS, "mechanism") if key in there]
    by_key = {column.key: column for column in COLUMNS}
    return [by_key[key] for key in keys]
