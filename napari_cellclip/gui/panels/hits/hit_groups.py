"""Wells grouped into the lines of the hits: one line a treatment and dose, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.gui.state.well_filter import name_and_dose

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

MEANS = ("score", "cosine")
"""Columns that are averaged over the wells of a line."""


@dataclass(frozen=True, eq=False)
class HitGroups:
    """Lines of the hits, in the order of the table.

    Attributes
    ----------
    wells : tuple of tuple of str
        Ids of the wells of each line, the best first.
    table : DataFrame
        One row a line, with the columns of the well table: means of scores, else what the first well says.
    """

    wells: tuple[tuple[str, ...], ...]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.wells)

    def order(self, key: str, descending: bool) -> NDArray[np.intp]:
        """Sort the lines by a column; what has no value comes last, ties are ordered by score."""
        values: Any = self.table[key] if key in self.table else pd.Series([w[0] for w in self.wells])
        score = np.nan_to_num(self.table["score"].to_numpy(float), nan=-np.inf)
        if values.dtype == object:
            ranks = pd.Series(pd.factorize(values.astype(str), sort=True)[0]).to_numpy(float)
            ranks[(values.astype(str) == "").to_numpy()] = np.nan
        else:
            ranks = values.to_numpy(float)
        ranks = -ranks if descending else ranks
        return np.lexsort((-score, np.where(np.isnan(ranks), np.inf, ranks)))

    def dose_curves(self) -> dict[int, list[tuple[float, float]]]:
        """Doses and scores of lines that share a name with another dose, by line; doses ascending."""
        split = [name_and_dose(str(t)) for t in self.table["treatment"]]
        by_name: dict[str, list[int]] = {}
        for line, (name, dose) in enumerate(split):
            if np.isfinite(dose):
                by_name.setdefault(name, []).append(line)
        scores = self.table["score"].to_numpy(float)
        found = {}
        for lines in by_name.values():
            if len(lines) > 1:
                curve = sorted((split[line][1], float(scores[line])) for line in lines)
                found.update(dict.fromkeys(lines, curve))
        return found


def grouped(table: pd.DataFrame, by_treatment: bool = True) -> HitGroups:
    """Group a well table by treatment and dose; wells without a treatment stand alone.

    Parameters
    ----------
    table : DataFrame
        As :func:`~napari_cellclip.gui.state.wells.well_table` makes it.
    by_treatment : bool
        Whether wells of one treatment and dose share a line; otherwise each well has its own.
    """
    if not len(table):
        return HitGroups((), table)
    ids = table.index.astype(str).to_numpy(object)
    keys = ids
    if by_treatment:
        treatment = table["treatment"].to_numpy(object)
        keys = np.where(treatment == "", ids, treatment)
    codes = pd.factorize(keys)[0]
    shown = "score" if table["score"].notna().any() else "cosine"
    values = np.nan_to_num(table[shown].to_numpy(float), nan=-np.inf)
    order = np.lexsort((-values, codes))
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    lines = table.iloc[order[starts]].copy()
    for name in MEANS:
        column = table[name].to_numpy(float)[order]
        there = np.add.reduceat(np.isfinite(column).astype(float), starts)
        total = np.add.reduceat(np.nan_to_num(column), starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            lines[name] = np.where(there > 0, total / there, np.nan)
    wells = tuple(tuple(part) for part in np.split(ids[order], starts[1:]))
    lines["replicates"] = [float(len(part)) for part in wells]
    plates = np.split(table["plate"].to_numpy(object)[order], starts[1:])
    lines["plate"] = [", ".join(dict.fromkeys(str(p) for p in part)) for part in plates]
    names = np.split(table["well"].to_numpy(object)[order], starts[1:])
    lines["well"] = [_listed([str(n) for n in part]) for part in names]
    return HitGroups(wells, lines.reset_index(drop=True))


def _listed(names: list[str]) -> str:
    """List names of wells; one that stands for several, on as many plates, is given once.

    Examples
    --------
    >>> _listed(["L20", "L20", "B03"])
    'L20 ×2, B03'
    """
    counts = {name: names.count(name) for name in names}
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in counts.items())


def meeting(groups: HitGroups, wells: Collection[str]) -> HitGroups:
    """Keep the lines of which at least one well is among these."""
    lines = [i for i, group in enumerate(groups.wells) if not frozenset(group).isdisjoint(wells)]
    return HitGroups(tuple(groups.wells[i] for i in lines), groups.table.iloc[lines].reset_index(drop=True))


def best_first(table: pd.DataFrame, by_treatment: bool = True) -> tuple[str, bool]:
    """Return the column of an answer by which the best come first, and whether it falls."""
    if table["probability"].notna().any():
        return "probability", True  # of the treatment: what one replicate scores alone comes second
    if not table["score"].notna().any():
        return "cosine", True
    if by_treatment and table["q"].notna().any():
        return "q", False
    return "score", True


def examples_of(table: pd.DataFrame, wells: Collection[str]) -> frozenset[str]:
    """Find the wells of treatments of example wells: they are not tested, they would match themselves."""
    there = table.index.isin(list(wells))
    treatments = set(table.loc[there, "treatment"]) - {""}
    return frozenset(table.index[there | table["treatment"].isin(treatments).to_numpy(bool)].astype(str))
