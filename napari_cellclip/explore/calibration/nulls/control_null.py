"""How far sets of negative control wells stray, as if each set were the replicates of a treatment."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.nulls.tail_table import TailTable
from napari_cellclip.explore.calibration.robust import MAD_TO_SD
from napari_cellclip.explore.calibration.scale import PlateScale, column_median, column_spread
from napari_cellclip.explore.compiled import run_compiled

if TYPE_CHECKING:
    from napari_cellclip.explore.calibration.bank_cosines import BankCosines

SETS = 100
"""Sets of control wells drawn for a plate and number of replicates."""

LEFT_CONTROLS = 3
"""Controls that must be left to standardise a set of them by."""

MANY_CONTROLS = 1 << 12
"""Controls from which sets of them are measured by a compiled loop."""


MOST_SETS = 2_048
"""Scores of plates that are kept for further treatments on them, 170 MB; then all are forgotten."""

MOST_POOLED = 256
"""Nulls that are kept, 20 MB; then all are forgotten."""

Pattern = tuple[tuple[int, int], ...]
"""Plates, and the number of wells on each."""


class ControlNull:
    """Scores of sets of control wells, as if each set were the replicates of a treatment.

    A set lies on the same plates, with as many wells on each, as the treatment it stands for, and is
    standardised against the controls that are left. Sets are scored for every background prompt, and the
    scores of all prompts are pooled.

    Parameters
    ----------
    cosines : ndarray (n_controls, B), or BankCosines
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
        cosines: NDArray[np.floating] | BankCosines,
        plates: NDArray[np.integer],
        scale: PlateScale,
        *,
        seed: int = 0,
    ) -> None:
        self._cosines = cosines
        self._scale = scale
        self._members = {int(p): np.flatnonzero(plates == p) for p in np.unique(plates)}
        self._seed = seed
        self._sets: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._pooled: dict[Pattern, NDArray[np.float32]] = {}

    def has_enough(self, plate: int) -> bool:
        """Tell whether a plate has enough controls to stand for treatments."""
        return len(self._members.get(plate, ())) > LEFT_CONTROLS

    def size_of(self, pattern: Pattern) -> int:
        """Number of null scores for treatments with so many wells on each plate."""
        sets = (len(self._members[plate]) for plate, _ in pattern)
        chosen = (comb(n, min(count, n - LEFT_CONTROLS)) for n, (_, count) in zip(sets, pattern, strict=True))
        return max(min(number, SETS) for number in chosen) * self._cosines.shape[1]

    def remember(self, pattern: Pattern, scores: NDArray[np.float32]) -> None:
        """Enter the null scores of a pattern that were computed before."""
        self._pooled[pattern] = scores

    def of(self, pattern: Pattern) -> NDArray[np.float32]:
        """Compute null scores for treatments with so many wells on each plate.

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
            if len(self._pooled) >= MOST_POOLED:
                self._pooled.clear()
            self._pooled[pattern] = found
        return found

    def _of_plate(self, plate: int, count: int) -> NDArray[np.float32]:
        """Compute mean scores (K, B) of sets of controls of one plate."""
        members = self._members[plate]
        # More replicates than controls can spare: smaller sets stray further, so p can only be too large.
        count = min(count, len(members) - LEFT_CONTROLS)
        found = self._sets.get((plate, count))
        if found is None:
            rng = np.random.default_rng([self._seed, 3, plate, count])
            chosen: list[tuple[int, ...]]
            if comb(len(members), count) <= SETS:
                chosen = list(combinations(range(len(members)), count))
                chosen = [chosen[i] for i in rng.permutation(len(chosen))]
            else:
                chosen = [tuple(rng.choice(len(members), count, replace=False).tolist()) for _ in range(SETS)]
            cosines = np.asarray(self._cosines[members], np.float64)
            inside = np.asarray(chosen, np.intp)
            others = np.ones((len(inside), len(members)), bool)
            np.put_along_axis(others, inside, False, axis=1)
            median, spread = self._left(cosines, others)
            spread = self._scale.of_controls(plate, spread, int(others[0].sum()))
            found = ((cosines[inside].mean(axis=1) - median) / spread).astype(np.float32)
            if len(self._sets) >= MOST_SETS:
                self._sets.clear()
            self._sets[plate, count] = found
        return found

    def _left(
        self, cosines: NDArray[np.float64], others: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and robust spread (K, B) of cosines (m, B) of the controls that each set leaves (K, m)."""
        if sum(map(len, self._members.values())) < MANY_CONTROLS:
            left = cosines[np.nonzero(others)[1].reshape(len(others), -1)]
            return column_median(left), column_spread(left)
        order = np.argsort(cosines, axis=0)
        rising = np.take_along_axis(cosines, order, axis=0)
        median, spread = (np.empty((len(others), cosines.shape[1])) for _ in range(2))
        run_compiled(medians_of_some, len(others), rising.T.copy(), order.T.copy(), others, median, spread)
        return median, MAD_TO_SD * spread


def medians_of_some(
    first: int,
    last: int,
    rising: NDArray[np.float64],
    order: NDArray[np.intp],
    chosen: NDArray[np.bool_],
    median: NDArray[np.float64],
    apart: NDArray[np.float64],
) -> None:
    """Compute the median of some values of each column, and their median distance from it.

    Columns are sorted once for all sets.

    Parameters
    ----------
    first, last : int
        Sets.
    rising, order : ndarray (B, m)
        Values of each column, rising, and whose they are.
    chosen : ndarray of bool (K, m)
        Whose values belong to each set, at least one.
    median, apart : ndarray (K, B)
        Filled.
    """
    own = np.empty(rising.shape[1])
    for k in range(first, last):
        for b in range(len(rising)):
            n = 0
            for i in range(len(own)):
                own[n] = rising[b, i]
                n += chosen[k, order[b, i]]
            middle = (own[(n - 1) // 2] + own[n // 2]) / 2
            # Distances rise on both sides of the median: the nearest are counted off until half are passed.
            below, above = (n - 1) // 2, (n - 1) // 2 + 1
            former = nearest = 0.0
            for _ in range(n // 2 + 1):
                former = nearest
                if above >= n or (below >= 0 and middle - own[below] <= own[above] - middle):
                    nearest = middle - own[below]
                    below -= 1
                else:
                    nearest = own[above] - middle
                    above += 1
            median[k, b] = middle
            apart[k, b] = nearest if n % 2 else (former + nearest) / 2


def upper_tail(null: NDArray[np.floating], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the share of sorted null values at least as large as each value, itself counted."""
    above = len(null) - np.searchsorted(null, values, side="left")
    return np.asarray((1 + above) / (1 + len(null)), np.float64)


def tail_tables(
    null: ControlNull, patterns: dict[Pattern, list[int]]
) -> list[tuple[TailTable, NDArray[np.intp], NDArray[np.intp]]]:
    """Tables of the nulls of all patterns, one for each size of null: its treatments, and their rows."""
    by_size: dict[int, list[Pattern]] = {}
    for pattern in patterns:
        by_size.setdefault(null.size_of(pattern), []).append(pattern)
    tables = []
    for size, alike in by_size.items():
        table = TailTable.empty(size, len(alike))
        for row, pattern in enumerate(alike):
            table.fill(row, null.of(pattern)[None].copy())
        members = np.concatenate([np.asarray(patterns[pattern], np.intp) for pattern in alike])
        rows = np.repeat(np.arange(len(alike)), [len(patterns[pattern]) for pattern in alike])
        order = np.argsort(members)
        tables.append((table, members[order], rows[order]))
    return tables
