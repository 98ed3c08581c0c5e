"""Replicate wells: which wells are tested together as one treatment at one dose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary.ids import join_ids

_SAME = ("Metadata_treatment", "Metadata_kind", "Metadata_cell_line")
"""Columns in which replicates agree; with the dose."""

WELLS_AT_ONCE = 1 << 14
"""Wells whose vectors are held at once as double precision."""


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
    upward_rows, upward_starts : ndarray of int
        The same for the wells of that treatment at this dose and all higher ones.
    named : bool
        Whether any group has a treatment's name.
    n : int
        Wells given, those of no group among them.
    """

    table: pd.DataFrame
    rows: NDArray[np.intp]
    starts: NDArray[np.intp]
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

    @cached_property
    def averaging(self) -> csr_array:
        """Sparse matrix (T, n) whose product with values of wells (n,) is the mean of each group."""
        sizes = np.diff(self.starts)
        shares = np.repeat(1 / sizes, sizes)
        return csr_array((shares, self.rows, self.starts), shape=(len(self), self.n))

    @cached_property
    def averaging_upward(self) -> csr_array:
        """The same for the wells of each group and of the higher doses of its treatment."""
        sizes = np.diff(self.upward_starts)
        shares = np.repeat(1 / sizes, sizes)
        return csr_array((shares, self.upward_rows, self.upward_starts), shape=(len(self), self.n))

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
        lengths = ends - starts[:-1]
        upward_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp)
        offset = np.arange(upward_starts[-1]) - np.repeat(upward_starts[:-1], lengths)
        upward = rows[np.repeat(starts[:-1], lengths) + offset] if len(table) else rows
        return cls(table, rows, starts, upward, upward_starts, bool((known & tested).any()), n)


def group_means(
    values: NDArray[np.floating], rows: NDArray[np.intp], starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Compute the mean of the vectors (n, E) of each group's wells."""
    sums = np.add.reduceat(np.asarray(values[rows], np.float64), starts[:-1], axis=0)
    return np.asarray(sums / np.diff(starts)[:, None], np.float64)


def group_directions(
    unit: NDArray[np.float32], rows: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Mean vector of each group, brought to length 1, and the length it had (1 where it is zero)."""
    if len(starts) < 2:
        return unit[:0], np.zeros(0)
    points, lengths = [], []
    # So many groups at once that their wells fill about 64 MB in double precision.
    blocks = np.searchsorted(starts, np.arange(0, starts[-1], WELLS_AT_ONCE))
    for first, last in pairwise(np.unique([*blocks.tolist(), len(starts) - 1]).tolist()):
        own = starts[first : last + 1]
        means = group_means(unit, rows[own[0] : own[-1]], own - own[0])
        lengths.append(np.linalg.norm(means, axis=1))
        points.append(unit_rows(means))
    length = np.concatenate(lengths)
    return np.concatenate(points), np.where(length > 0, length, 1.0)


def _text(wells: pd.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in wells:
        return np.full(len(wells), "", object)
    return wells[name].fillna("").astype(str).to_numpy(object)
