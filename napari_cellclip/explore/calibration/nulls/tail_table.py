"""Shares of many distributions beyond a value each, looked up in a table of their upper tails.

Of every distribution only some order statistics are kept: the largest values one by one, further down every
sixth per cent of a rank. What lies between two of them is counted as if it were all as large, so a share is
never too small and at most that much too large, less than the error of the draws themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.compiled import run_compiled

LEVELS = 127
"""Order statistics kept of each distribution, which fit a byte."""

ROWS_AT_LEAST = 1 << 12
"""Rows that a further thread must take over to pay."""

MULTIPLE = 16
"""Order statistics lie in rows of a multiple of this length, which processors compare at once."""


@dataclass(frozen=True)
class TailTable:
    """Upper order statistics of several distributions of `n` values each.

    Attributes
    ----------
    ranks : ndarray of int (K,)
        Which of the order statistics, 1 being the largest value; rising.
    values : ndarray of float32 (R, L)
        Those of R distributions; falling along the second axis. What is more than K is NaN.
    n : int
        Values of each distribution.
    """

    ranks: NDArray[np.intp]
    values: NDArray[np.float32]
    n: int

    @classmethod
    def empty(cls, n: int, rows: int) -> TailTable:
        """Make a table to be filled by :meth:`fill`."""
        ranks = kept_ranks(n)
        levels = -(-len(ranks) // MULTIPLE) * MULTIPLE
        return cls(ranks, np.full((rows, levels), np.nan, np.float32), n)

    def fill(self, start: int, values: NDArray[np.float32]) -> None:
        """Enter distributions (m, n) from row `start` on; `values` are sorted in place."""
        values.sort(axis=1)
        self.values[start : start + len(values), : len(self.ranks)] = values[:, self.n - self.ranks]

    def share_as_near(
        self, values: NDArray[np.floating], rows: NDArray[np.intp] | None = None
    ) -> NDArray[np.float64]:
        """Compute the share of a distribution at least as large as a value, itself counted.

        Parameters
        ----------
        values : ndarray (m,)
            One for each distribution, or for each of `rows`.
        rows : ndarray of int (m,), optional
            Distribution of each value.

        Returns
        -------
        ndarray of float64 (m,)
            Between ``1 / (n + 1)`` and 1.
        """
        asked = np.asarray(values, np.float32)
        own = np.arange(len(self.values), dtype=np.int32) if rows is None else np.asarray(rows, np.int32)
        out = np.empty(len(asked), np.float64)
        run_compiled(look_up, len(asked), self.values, self.shares, own, asked, out, at_least=ROWS_AT_LEAST)
        return out

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """Share that is told of a value with so many order statistics at least as large, float64 (K + 1,)."""
        return np.append(self.ranks, self.n + 1) / (self.n + 1)


def look_up(
    first: int,
    last: int,
    table: NDArray[np.float32],
    results: NDArray[np.float64],
    rows: NDArray[np.int32],
    asked: NDArray[np.float32],
    out: NDArray[np.float64],
) -> None:
    """Count the entries of each value's row that are at least as large, and tell the result of that count.

    Whole rows are read: a bisection waits for memory at every step, which takes several times as long.
    """
    for i in range(first, last):
        row, value = rows[i], asked[i]
        count = np.int32(0)  # of no more bytes than the entries, so that as many are compared at once
        for k in range(table.shape[1]):
            count += np.int32(1) if table[row, k] >= value else np.int32(0)
        out[i] = results[count]


def kept_ranks(n: int) -> NDArray[np.intp]:
    """Choose at most `LEVELS` ranks of 1 to `n`: all where they suffice, else denser towards the first.

    Examples
    --------
    >>> kept_ranks(5).tolist()
    [1, 2, 3, 4, 5]
    >>> ranks = kept_ranks(9_999)
    >>> len(ranks), ranks[:4].tolist(), int(ranks[-1])
    (127, [1, 2, 3, 4], 9999)
    """
    if n <= LEVELS:
        return np.arange(1, n + 1)
    # As many single ranks as leave steps that are no smaller than one rank for the others.
    for single in range(1, LEVELS):
        ranks = np.geomspace(single, n, LEVELS - single + 1)
        if ranks[1] - ranks[0] >= 1:
            return np.concatenate([np.arange(1, single), np.round(ranks)]).astype(np.intp)
    return np.arange(1, LEVELS + 1)
