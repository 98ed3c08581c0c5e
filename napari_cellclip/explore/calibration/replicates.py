"""Replicate wells: which wells are tested together as one treatment at one dose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.compiled import MANY, run_compiled
from napari_cellclip.vocabulary.ids import join_ids

_SAME = ("Metadata_treatment", "Metadata_kind", "Metadata_cell_line")
"""Columns in which replicates agree; with the dose."""


@dataclass(frozen=True)
class ReplicateGroups:
    """Wells grouped into replicates of a treatment and dose, in compressed rows.

    Names say only which wells belong together: renaming treatments changes nothing but what is printed.

    Attributes
    ----------
    table : DataFrame
        One row a group: ``treatment`` (empty for a well of which the plate map says nothing), ``dose``
        (micromolar, NaN where unknown), ``cell_line``, ``n_wells``, ``n_plates``.
    rows : ndarray of int
        Wells of all groups, as positions among the wells given, group after group.
    starts : ndarray of int (T + 1,)
        Where each group begins in `rows`.
    higher : ndarray of bool (T,)
        Groups whose treatment has higher doses.
    upward_rows, upward_starts : ndarray of int
        Of these groups: the wells of the treatment at this dose and all higher ones.
    named : bool
        Whether any group has a treatment's name.
    n : int
        Wells given, those of no group among them.
    """

    table: pd.DataFrame
    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
    higher: NDArray[np.bool_]
    upward_rows: NDArray[np.intp]
    upward_starts: NDArray[np.intp]
    named: bool
    n: int

    def __len__(self) -> int:
        return len(self.table)

    def joined_ids(self, ids: NDArray[np.object_], groups: NDArray[np.intp] | None = None) -> list[str]:
        """Join the ids of the wells of each group, or of some groups, by ``|``, given those of all (n,)."""
        some = np.arange(len(self)) if groups is None else groups
        ends = zip(self.starts[some].tolist(), self.starts[some + 1].tolist(), strict=True)
        return [join_ids(ids[self.rows[start:end]]) for start, end in ends]

    def on_plates(self, plates: NDArray[np.integer]) -> Iterator[tuple[tuple[int, int], ...]]:
        """Yield the plates of each group, rising, with its number of wells on each.

        Parameters
        ----------
        plates : ndarray of int (n,)
            Plate of each well.
        """
        n_plates = int(plates.max(initial=-1)) + 1
        pairs, counts = np.unique(self.of_row * n_plates + plates[self.rows], return_counts=True)
        both = list(zip((pairs % n_plates).tolist(), counts.tolist(), strict=True))
        ends = np.searchsorted(pairs, np.arange(1, len(self) + 1) * n_plates).tolist()
        return (tuple(both[start:end]) for start, end in pairwise([0, *ends]))

    @property
    def of_row(self) -> NDArray[np.intp]:
        """Group of each entry of `rows`."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def of_well(self) -> NDArray[np.intp]:
        """Group of each well (n,); -1 for those of none."""
        out = np.full(self.n, -1, np.intp)
        out[self.rows] = self.of_row
        return out

    def means(self, values: NDArray[np.floating], *, upward: bool = False) -> NDArray[np.float64]:
        """Compute the mean of each group.

        Parameters
        ----------
        values : ndarray (n,)
            Of the wells.
        upward : bool
            Take those of the higher doses of a group's treatment too.

        Returns
        -------
        ndarray of float64 (T,)
            With `upward`, only of the groups that have `higher` doses.
        """
        rows, starts = self._wells[upward]
        if len(rows) < MANY:
            return group_means(values[:, None], rows, starts)[:, 0]
        out = np.empty(len(starts) - 1, np.float64)
        run_compiled(average, len(out), values, rows, starts, out)
        return out

    @cached_property
    def _wells(self) -> tuple[tuple[NDArray[np.integer], NDArray[np.intp]], ...]:
        """Wells and starts of the groups, then upward; in few bytes where there are many."""
        kind = np.int32 if self.n >= MANY else np.intp  # numpy looks up by its own kind only
        return tuple(
            (rows.astype(kind, copy=False), starts)
            for rows, starts in ((self.rows, self.starts), (self.upward_rows, self.upward_starts))
        )

    @classmethod
    def of(cls, wells: pd.DataFrame, plates: NDArray[np.integer]) -> ReplicateGroups:
        """Group wells; negative controls and empty wells belong to no group.

        Parameters
        ----------
        wells : DataFrame
            ``Screen.wells`` or rows of it.
        plates : ndarray of int (n,)
            Plate of each well.
        """
        n = len(wells)
        text = {name: _text(wells, name) for name in (*_SAME, "Metadata_control_type")}
        dose = pd.to_numeric(
            wells.get("Metadata_dose", pd.Series(np.nan, wells.index)), errors="coerce"
        ).to_numpy(float)
        tested = ~np.isin(text["Metadata_control_type"], ["negcon", "empty"])
        known = text["Metadata_treatment"] != ""
        # A well without a name is its own replicate: nothing says what it belongs to.
        alone = np.where(known, -1, np.arange(n))
        frame = pd.DataFrame(
            {
                **{name: text[name] for name in _SAME},
                "alone": alone,
                "dose": dose,
                "row": np.arange(n),
                "plate": plates,
            }
        )[tested]
        same = [*_SAME, "alone"]
        frame["treatment_code"] = frame.groupby(same, sort=False).ngroup()
        frame["dose_filled"] = frame["dose"].fillna(-1.0)
        frame = frame.sort_values(["treatment_code", "dose_filled", "row"], kind="stable")
        grouped = frame.groupby(["treatment_code", "dose_filled"], sort=True)
        table = pd.DataFrame(
            {
                "treatment": grouped["Metadata_treatment"].first(),
                "dose": grouped["dose"].first(),
                "cell_line": grouped["Metadata_cell_line"].first(),
                "n_wells": grouped.size(),
                "n_plates": grouped["plate"].nunique(),
            }
        )
        code = table.index.get_level_values(0).to_numpy()
        table = table.reset_index(drop=True)
        rows = frame["row"].to_numpy(np.intp)
        starts = np.concatenate([[0], np.cumsum(table["n_wells"].to_numpy(np.intp))]).astype(np.intp)
        # Doses rise within a treatment, so all higher ones are the rest of its rows. A dose that is not known
        # comes first and is compared with nothing.
        last = starts[np.searchsorted(code, code, side="right")] if len(table) else starts[:0]
        ends = np.where(table["dose"].isna().to_numpy(), starts[1:], last)
        higher = ends > starts[1:]
        lengths = (ends - starts[:-1])[higher]
        upward_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
        offset = np.arange(upward_starts[-1]) - np.repeat(upward_starts[:-1], lengths)
        upward = rows[np.repeat(starts[:-1][higher], lengths) + offset] if len(table) else rows
        return cls(table, rows, starts, higher, upward, upward_starts, bool((known & tested).any()), n)


def average(
    first: int,
    last: int,
    values: NDArray[np.floating],
    rows: NDArray[np.integer],
    starts: NDArray[np.intp],
    out: NDArray[np.float64],
) -> None:
    """Compute the mean value of each group's rows."""
    for group in range(first, last):
        total = 0.0
        for i in range(starts[group], starts[group + 1]):
            total += values[rows[i]]
        out[group] = total / (starts[group + 1] - starts[group])


def group_means(
    values: NDArray[np.floating], rows: NDArray[np.integer], starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Compute the mean of the vectors (n, E) of each group's wells."""
    if len(starts) < 2:
        return np.zeros((0, values.shape[1]))
    sums = np.add.reduceat(np.asarray(values[rows], np.float64), starts[:-1], axis=0)
    return np.asarray(sums / np.diff(starts)[:, None], np.float64)


def _text(wells: pd.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in wells:
        return np.full(len(wells), "", object)
    return wells[name].fillna("").astype(str).to_numpy(object)
