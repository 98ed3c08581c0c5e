"""Replicate wells: which wells are tested together as one treatment at one dose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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

    def joined_ids(self, ids: NDArray[np.object_]) -> list[str]:
        """Join the ids of each group's wells by ``|``, given those of all wells (n,)."""
        own = ids[self.rows]
        return [join_ids(own[a:b]) for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

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
    """Compute the mean of the values (n,) or (n, E) of each group's wells."""
    sums = np.add.reduceat(np.asarray(values, np.float64)[rows], starts[:-1], axis=0)
    counts = np.diff(starts).astype(np.float64)
    return np.asarray(sums / (counts if sums.ndim == 1 else counts[:, None]), np.float64)


def _text(wells: pd.DataFrame, name: str) -> NDArray[np.object_]:
    if name not in wells:
        return np.full(len(wells), "", object)
    return wells[name].fillna("").astype(str).to_numpy(object)
