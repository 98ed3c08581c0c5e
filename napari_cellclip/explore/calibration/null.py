"""What chance would give: directions nobody meant, and control wells taken for treatments.

Two things can make a treatment look like an answer without being one. It may be inactive: then its
replicates are like as many control wells of the same plates, and :class:`ControlNull` says how far those
stray. Or it may do something else: then any other text would fit as well, and :class:`Decoys` says how
well texts drawn from the spread of the background bank fit these very wells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.scale import PlateScale
from napari_cellclip.explore.maps.neighbours import unit_rows

DECOYS = 9_999
"""Directions drawn; the smallest p they can give is 1 in 10 000."""

FREEDOM = 4
"""Degrees of freedom of the t that decoys follow."""

SPAN = 1e-3
"""Axes of the bank shorter than this share of its longest are left out of its span."""

AT_ONCE = 1 << 24
"""Cosines held at once while counting, 64 MB."""

KEPT = 1 << 24
"""Cosines of treatments with decoys that are kept sorted between questions, 64 MB."""

PSEUDO_BLOCKS = 100
"""Sets of control wells drawn for a plate and number of replicates."""

LEFT_CONTROLS = 3
"""Controls that must be left to standardise a set of them by."""


@dataclass(frozen=True)
class Decoys:
    """Directions drawn from the spread of a bank of vectors.

    Before they are brought to length 1, decoys follow a multivariate t with the bank's mean and covariance
    for its scale, and lie in its span: they are any mixture of what might have been asked. The tails of a t
    stand for what 210 prompts cannot tell of the spread of all texts.

    Attributes
    ----------
    basis : ndarray of float32 (r, E)
        Orthonormal span of the bank.
    drawn : ndarray of float32 (N, r)
        Unit decoys in that span.
    """

    basis: NDArray[np.float32]
    drawn: NDArray[np.float32]

    def against(self, points: NDArray[np.floating]) -> DecoyCosines | None:
        """Sorted cosines with points that will be asked about again; ``None`` where there are too many."""
        if len(points) * len(self.drawn) > KEPT:
            return None
        inside = np.asarray(points, np.float32) @ self.basis.T
        cosines = np.asarray(inside @ self.drawn.T, np.float32)
        cosines.sort(axis=1)
        return DecoyCosines(cosines)

    @classmethod
    def of(cls, bank: NDArray[np.floating], *, n: int = DECOYS, seed: int = 0) -> Decoys:
        """Draw decoys.

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

    def mixed(self, weights: tuple[float, ...], seed: int = 0) -> Decoys:
        """Decoys of a weighted sum of several texts: each sum is of independent decoys."""
        if weights == (1.0,):
            return self
        rng = np.random.default_rng([seed, 2])
        total = np.zeros_like(self.drawn)
        for weight in weights:
            total += np.float32(weight) * self.drawn[rng.permutation(len(self.drawn))]
        return Decoys(self.basis, unit_rows(total))

    def tail(self, points: NDArray[np.floating], cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        """Share of decoys at least as near to each point as the question is, itself counted.

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


@dataclass(frozen=True)
class DecoyCosines:
    """Sorted cosines of points with all decoys, float32 (T, N)."""

    cosines: NDArray[np.float32]

    def tail(self, cosine: NDArray[np.floating]) -> NDArray[np.float64]:
        """As :meth:`Decoys.tail`, for the points these were made of."""
        pairs = zip(self.cosines, np.asarray(cosine, np.float32), strict=True)
        n = self.cosines.shape[1]
        below = np.array([row.searchsorted(value, side="left") for row, value in pairs], np.float64)
        return (1 + n - below) / (n + 1)


class ControlNull:
    """Scores of sets of control wells, as if each set were the replicates of a treatment.

    A set lies on the same plates, with as many wells on each, as the treatment it stands for, and is
    standardised against the controls that are left. Sets are scored for every background prompt, and the
    scores of all prompts are pooled.

    Parameters
    ----------
    cosines : ndarray (n_controls, B)
        Of the control wells with the background prompts.
    plates : ndarray of int (n_controls,)
        Plate of each control.
    scale : PlateScale
        How cosines become scores.
    seed : int
        Of the sets drawn.
    """

    def __init__(
        self,
        cosines: NDArray[np.floating],
        plates: NDArray[np.integer],
        scale: PlateScale,
        *,
        seed: int = 0,
    ) -> None:
        self._cosines = np.asarray(cosines, np.float64)
        self._scale = scale
        self._members = {int(p): np.flatnonzero(plates == p) for p in np.unique(plates)}
        self._seed = seed
        self._sets: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._pooled: dict[tuple[tuple[int, int], ...], NDArray[np.float32]] = {}

    def can(self, plate: int) -> bool:
        """Whether a plate has controls enough to stand for treatments."""
        return len(self._members.get(plate, ())) > LEFT_CONTROLS

    def of(self, pattern: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
        """Null scores for blocks with so many wells on each plate.

        Parameters
        ----------
        pattern : tuple of (int, int)
            Plate and number of wells on it.

        Returns
        -------
        ndarray of float32
            Sorted, of all sets and background prompts.
        """
        found = self._pooled.get(pattern)
        if found is None:
            total: NDArray[np.float64] | None = None
            for plate, count in pattern:
                part = count * self._of_plate(plate, count)
                if total is None:
                    total = part.astype(np.float64)
                else:
                    n = max(len(total), len(part))
                    total = np.resize(total, (n, total.shape[1])) + np.resize(part, (n, part.shape[1]))
            assert total is not None
            total /= sum(count for _, count in pattern)
            found = np.sort(total, axis=None).astype(np.float32)
            self._pooled[pattern] = found
        return found

    def _of_plate(self, plate: int, count: int) -> NDArray[np.float32]:
        """Mean scores (K, B) of sets of controls of one plate."""
        members = self._members[plate]
        # More replicates than controls can spare: smaller sets stray further, so p can only be too large.
        count = min(count, len(members) - LEFT_CONTROLS)
        found = self._sets.get((plate, count))
        if found is None:
            rng = np.random.default_rng([self._seed, 3, plate, count])
            chosen: list[tuple[int, ...]]
            if comb(len(members), count) <= PSEUDO_BLOCKS:
                chosen = list(combinations(range(len(members)), count))
                chosen = [chosen[i] for i in rng.permutation(len(chosen))]
            else:
                chosen = [
                    tuple(rng.choice(len(members), count, replace=False).tolist())
                    for _ in range(PSEUDO_BLOCKS)
                ]
            cosines = self._cosines[members]
            inside = np.asarray(chosen, np.intp)
            every = np.arange(len(members))
            left = np.stack([np.setdiff1d(every, one, assume_unique=True) for one in inside])
            median, spread = self._scale.of_controls(plate, cosines[left])
            found = ((cosines[inside].mean(axis=1) - median) / spread).astype(np.float32)
            self._sets[plate, count] = found
        return found


def upper_tail(null: NDArray[np.floating], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of sorted null values at least as large as each value, the value itself counted."""
    above = len(null) - np.searchsorted(null, values, side="left")
    return np.asarray((1 + above) / (1 + len(null)), np.float64)


def benjamini_hochberg(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """False-discovery rates q of p-values (Benjamini and Hochberg 1995); NaN stays NaN and is not counted.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.5])).round(3).tolist()
    [0.03, 0.06, 0.5]
    """
    q = np.full(len(p), np.nan)
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(p[there], kind="stable")]
    raw = np.asarray(p, np.float64)[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return q
