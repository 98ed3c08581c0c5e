"""Shares of many distributions beyond a value each, looked up in a table of their upper tails.

Of every distribution only some order statistics are kept: the largest values one by one, further down every
sixth per cent of a rank. What lies between two of them is counted as if it were all as large, so a share is
never too small and at most that much too large, less than the error of the draws themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 127
"""Order statistics kept of each distribution; one less than a power of two, for bisection."""


@dataclass(frozen=True)
class TailTable:
    """Upper order statistics of several distributions of `n` values each.

    Attributes
    ----------
    ranks : ndarray of int (K,)
        Which of the order statistics, 1 being the largest value; rising.
    values : ndarray of float32 (K, R)
        Those of R distributions; falling along the first axis.
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
        return cls(ranks, np.empty((len(ranks), rows), np.float32), n)

    def fill(self, start: int, values: NDArray[np.float32]) -> None:
        """Enter distributions (m, n) from row `start` on; `values` are sorted in place."""
        values.sort(axis=1)
        self.values[:, start : start + len(values)] = values[:, self.n - self.ranks].T

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
        width = self.values.shape[1]
        flat = self.values.reshape(-1)
        own = np.arange(width) if rows is None else rows
        # Bisection of all rows at once: how many order statistics are at least as large.
        count = np.zeros(len(own), np.intp)
        step = 1 << (len(self.ranks).bit_length() - 1)
        while step:
            ahead = count + step
            inside = ahead <= len(self.ranks)
            at = (np.minimum(ahead, len(self.ranks)) - 1) * width + own
            count = np.where(inside & (flat[at] >= asked), ahead, count)
            step >>= 1
        ceiling = np.append(self.ranks, self.n + 1) / (self.n + 1)
        return np.asarray(ceiling[count], np.float64)


def kept_ranks(n: int, levels: int = LEVELS) -> NDArray[np.intp]:
    """Choose at most `levels` ranks of 1 to `n`: all where they suffice, else denser towards the first.

    Examples
    --------
    >>> kept_ranks(5).tolist()
    [1, 2, 3, 4, 5]
    >>> ranks = kept_ranks(9_999)
    >>> len(ranks), ranks[:4].tolist(), int(ranks[-1])
    (127, [1, 2, 3, 4], 9999)
    """
    if n <= levels:
        return np.arange(1, n + 1)
    # As many single ranks as leave steps that are no smaller than one rank for the others.
    for single in range(1, levels):
        ranks = np.geomspace(single, n, levels - single + 1)
        if ranks[1] - ranks[0] >= 1:
            return np.concatenate([np.arange(1, single), np.round(ranks)]).astype(np.intp)
    return np.arange(1, levels + 1)
