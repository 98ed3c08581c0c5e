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

EVERY = 8
"""Of so many order statistics one is looked at first, where many distributions are looked up in order."""

AT_ONCE = 1 << 14
"""Values looked up together: what is computed on the way stays in the cache of a processor core."""


@dataclass(frozen=True)
class TailTable:
    """Upper order statistics of several distributions of `n` values each.

    Attributes
    ----------
    ranks : ndarray of int (K,)
        Which of the order statistics, 1 being the largest value; rising.
    values : ndarray of float32 (L, R)
        Those of R distributions; falling along the first axis. L is the next power of two less one; what is
        more than K is NaN.
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
        levels = (1 << len(ranks).bit_length()) - 1
        return cls(ranks, np.full((levels, rows), np.nan, np.float32), n)

    def fill(self, start: int, values: NDArray[np.float32]) -> None:
        """Enter distributions (m, n) from row `start` on; `values` are sorted in place."""
        values.sort(axis=1)
        self.values[: len(self.ranks), start : start + len(values)] = values[:, self.n - self.ranks].T

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
        own = np.arange(self.values.shape[1]) if rows is None else rows
        ceiling = np.append(self.ranks, self.n + 1) / (self.n + 1)
        out = np.empty(len(asked), np.float64)
        for start in range(0, len(asked), AT_ONCE):
            here = slice(start, start + AT_ONCE)
            first = start if rows is None else None
            out[here] = ceiling[self._at_least_as_large(asked[here], own[here], first)]
        return out

    def _at_least_as_large(
        self, asked: NDArray[np.float32], own: NDArray[np.intp], first: int | None
    ) -> NDArray[np.intp]:
        """Count the order statistics at least as large as each value, by bisection of all rows at once.

        Values for distributions that follow each other, from the one at `first` on, begin with every eighth
        order statistic: these are read in the order in which they lie, which is faster than four bisections.
        """
        levels, width = self.values.shape
        flat = self.values.reshape(-1)
        # Where the last one lies that is as large; one row above the table if there is none.
        before = own - width
        step = (levels + 1) // 2 * width
        if first is not None and levels > EVERY:
            eighths = np.zeros(len(asked), np.uint8)
            for row in self.values[EVERY - 1 :: EVERY, first : first + len(asked)]:
                eighths += row >= asked
            before += eighths.astype(np.intp) * (EVERY * width)
            step = EVERY // 2 * width
        while step >= width:
            before += step * (flat[before + step] >= asked)
            step = step // (2 * width) * width
        return (before - own) // width + 1


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
