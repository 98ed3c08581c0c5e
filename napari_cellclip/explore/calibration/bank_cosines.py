"""Cosines of wells with the background prompts, computed for the wells that are asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.vectors.well_vectors import WellVectors


@dataclass(frozen=True)
class BankCosines:
    """Stands for the array (n, B) of all cosines, which takes as much memory as the embeddings.

    Attributes
    ----------
    vectors : WellVectors
        Of all wells.
    bank : ndarray of float32 (B, E)
        Unit embeddings of the background prompts.
    wells : ndarray of int (n,) or None
        Rows of this array among all wells; ``None``: all of them.
    """

    vectors: WellVectors
    bank: NDArray[np.float32]
    wells: NDArray[np.intp] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Wells and background prompts."""
        return len(self.vectors if self.wells is None else self.wells), len(self.bank)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        """Compute the cosines of some wells, float32 (m, B)."""
        return self.vectors.rows(rows if self.wells is None else self.wells[rows]) @ self.bank.T
