"""How well random directions, drawn from the spread of the background prompts, fit given wells.

A treatment may do something other than what is asked: then any other text would fit it as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.nulls.tail_table import TailTable
from napari_cellclip.model.unit_vectors import unit_rows

DIRECTIONS = 9_999
"""Directions drawn; the smallest p they can give is 1 in 10 000."""

FREEDOM = 4
"""Degrees of freedom of the multivariate t they follow."""

SPAN = 1e-3
"""Axes of the bank shorter than this share of its longest are left out of its span."""

AT_ONCE = 1 << 24
"""Cosines held at once while counting, 64 MB."""

MOST_SORTED = 1 << 24
"""Cosines of treatments with random directions up to which all are held between questions, 64 MB; else some
of each treatment's, in a :class:`~napari_cellclip.explore.calibration.nulls.tail_table.TailTable`."""


@dataclass(frozen=True)
class RandomDirections:
    """Directions drawn from the spread of a bank of vectors.

    Before they are brought to length 1, they follow a multivariate t with the bank's mean and covariance
    for its scale, and lie in its span: any mixture of what might be asked. The tails of a t
    allow for what 210 prompts cannot tell of the spread of all texts.

    Attributes
    ----------
    basis : ndarray of float32 (r, E)
        Orthonormal span of the bank.
    drawn : ndarray of float32 (N, r)
        Unit directions in that span.
    """

    basis: NDArray[np.float32]
    drawn: NDArray[np.float32]

    def against(self, points: Iterable[NDArray[np.floating]], n: int) -> SortedCosines | TailTable:
        """Sort the cosines with points that will be asked about again; of many points only some are kept.

        Parameters
        ----------
        points : iterable of ndarray (m, E)
            Unit vectors, block after block.
        n : int
            How many there are in all.
        """
        if not all_are_sorted(n, len(self.drawn)):
            table, filled = TailTable.empty(len(self.drawn), n), 0
            step = max(1, AT_ONCE // len(self.drawn))
            for block in points:
                inside = np.asarray(block, np.float32) @ self.basis.T
                for start in range(0, len(block), step):
                    here = inside[start : start + step]
                    table.fill(filled, np.asarray(here @ self.drawn.T, np.float32))
                    filled += len(here)
            return table
        cosines = [np.asarray(block, np.float32) @ self.basis.T @ self.drawn.T for block in points]
        return SortedCosines(np.sort(np.concatenate([np.zeros((0, len(self.drawn)), np.float32), *cosines])))

    @classmethod
    def of(cls, bank: NDArray[np.floating], *, n: int = DIRECTIONS, seed: int = 0) -> RandomDirections:
        """Draw random directions.

        Parameters
        ----------
        bank : ndarray (B, E)
            Unit vectors.
        n : int
            How many.
        seed : int
            Of the draws.
        """
        exact = np.asarray(bank, np.float64)
        _, values, axes = np.linalg.svd(exact, full_matrices=False)
        basis = axes[values > SPAN * values[0]] if len(values) and values[0] > 0 else axes[:1]
        inside = exact @ basis.T
        mean = inside.mean(axis=0)
        apart = inside - mean
        lengths, axes = np.linalg.eigh(apart.T @ apart / len(exact))
        root = axes * np.sqrt(np.maximum(lengths, 0))
        rng = np.random.default_rng([seed, 1])
        normal = rng.standard_normal((n, len(basis)))
        drawn = normal / np.sqrt(rng.chisquare(FREEDOM, (n, 1)) / FREEDOM)
        return cls(basis.astype(np.float32), unit_rows(mean + drawn @ root.T))

    def mixed(self, weights: tuple[float, ...], seed: int = 0) -> RandomDirections:
        """Draw for a weighted sum of several texts: each is a sum of independent random directions."""
        if weights == (1.0,):
            return self
        rng = np.random.default_rng([seed, 2])
        total = np.zeros_like(self.drawn)
        for weight in weights:
            total += np.float32(weight) * self.drawn[rng.permutation(len(self.drawn))]
        return RandomDirections(self.basis, unit_rows(total))

    def share_as_near(
        self, points: NDArray[np.floating], cosine: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Compute the share of directions at least as near to each point as the question, itself counted.

        Parameters
        ----------
        points : ndarray (T, E)
            Unit vectors.
        cosine : ndarray (T,)
            Of the question with each point.

        Returns
        -------
        ndarray of float64 (T,)
            At least ``1 / (N + 1)``.
        """
        inside = np.asarray(points, np.float32) @ self.basis.T
        n = len(self.drawn)
        out = np.empty(len(inside), np.float64)
        step = max(1, AT_ONCE // n)
        for start in range(0, len(inside), step):
            part = slice(start, start + step)
            near = self.drawn @ inside[part].T >= np.asarray(cosine[part], np.float32)
            out[part] = (1 + np.count_nonzero(near, axis=0)) / (n + 1)
        return out


def all_are_sorted(points: int, directions: int) -> bool:
    """Tell whether the cosines of so many points with so many directions are all kept."""
    return points * directions <= MOST_SORTED


@dataclass(frozen=True)
class SortedCosines:
    """Sorted cosines of points with all random directions, float32 (T, N)."""

    cosines: NDArray[np.float32]

    def share_as_near(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        """As :meth:`RandomDirections.share_as_near`, for the points these were made of."""
        pairs = zip(self.cosines, np.asarray(cosine, np.float32), strict=True)
        n = self.cosines.shape[1]
        below = np.array([row.searchsorted(value, side="left") for row, value in pairs], np.float64)
        return (1 + n - below) / (n + 1)
