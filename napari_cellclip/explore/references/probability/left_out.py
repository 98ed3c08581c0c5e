"""Ask for some references as if they were new, by the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import Compared


class LeftOut(Compared):
    """References that are left out, beside those that stay: what an unknown treatment would meet.

    Parameters
    ----------
    compared : Compared
        Whose references are parted; its queries play no part.
    out : ndarray of bool (G,)
        References that are left out.

    Attributes
    ----------
    left_out_rows : ndarray of int (q,)
        Reference rows that are the queries here.
    """

    def __init__(self, compared: Compared, out: NDArray[np.bool_]) -> None:
        groups = compared.rows["group"].to_numpy(np.intp)
        stay = np.flatnonzero(~out)
        number = np.cumsum(~out) - 1
        rows = np.flatnonzero(~out[groups])
        self.left_out_rows = np.flatnonzero(out[groups])
        self.rows = compared.rows.iloc[rows].assign(group=number[groups[rows]])
        self.mechanisms = {n: m[stay] for n, m in compared.mechanisms.items() if m[stay].any()}
        self.genes = {n: m[stay] for n, m in compared.genes.items() if m[stay].any()}
        self.annotated_mechanisms = tuple(compared.annotated_mechanisms[i] for i in stay)
        self.annotated_genes = tuple(compared.annotated_genes[i] for i in stay)
        self.own = compared.own.among(rows, stay)
        self.queries = compared.own.among(self.left_out_rows, stay)
        self.same_treatment = np.zeros((len(self.left_out_rows), len(stay)), bool)

    def __len__(self) -> int:
        """Number of references that stay."""
        return len(self.annotated_mechanisms)
