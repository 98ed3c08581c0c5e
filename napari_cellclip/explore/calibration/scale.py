"""Cosines of different plates and questions on one scale: robust, moderated standard scores.

A plate has perhaps a dozen negative controls, and the median absolute deviation of a dozen values is a poor
measure of their spread. It is therefore moderated, as variances of genes are (Smyth 2004,
doi:10.2202/1544-6115.1027): the logarithm of a question's spread on a plate is drawn towards what the plate
gives for background prompts, and towards what the question gives on the other plates, by as much as such
logarithms are known to vary from chance alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.robust import (
    FEWEST,
    MAD_TO_SD,
    NO_SPREAD,
    EvenGroups,
    RobustSpread,
    lack_of_controls,
)
from napari_cellclip.explore.compiled import MANY, in_threads, run_compiled

if TYPE_CHECKING:
    from napari_cellclip.explore.calibration.bank_cosines import BankCosines

LOG_MAD_VARIANCE = 1.36
"""Variance of the logarithm of a MAD of n normal values, times n (asymptotic)."""

WELLS_AT_ONCE = 1 << 14
"""Wells scored together: what is computed on the way stays in the cache of a processor core."""


@dataclass(frozen=True)
class PlateScale:
    """Moderation of spreads on the plates of one screen; depends on no question.

    Attributes
    ----------
    plates : ndarray of int (n,)
        Plate of each well.
    compared_with : ndarray of bool (n,)
        Wells that others are compared with: negative controls, or all wells of a plate that has too few.
    base : ndarray of float64 (P,)
        Mean logarithm of the spread of background prompts on each plate; NaN where nothing can be measured.
    chance : ndarray of float64 (P,)
        Variance of a log spread from the number of those wells alone.
    common, special : float
        Variance of log spreads between questions, and between plates for one question.
    notes : tuple of str
        A sentence for each plate that lacks controls.
    """

    plates: NDArray[np.intp]
    compared_with: NDArray[np.bool_]
    base: NDArray[np.float64]
    chance: NDArray[np.float64]
    common: float
    special: float
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        bank_cosines: NDArray[np.floating] | BankCosines,
        plates: NDArray[np.integer],
        names: Sequence[str],
        controls: NDArray[np.bool_],
    ) -> PlateScale:
        """Measure how spreads vary over plates and background prompts.

        Parameters
        ----------
        bank_cosines : ndarray (n, B), or BankCosines
            Of all wells with the background prompts; finite.
        plates : ndarray of int (n,)
            A position in `names`.
        names : sequence of str
            Plates.
        controls : ndarray of bool (n,)
            Negative controls.
        """
        n_plates = len(names)
        codes = np.asarray(plates, np.intp)
        counts = np.bincount(codes[controls], minlength=n_plates)
        present = np.bincount(codes, minlength=n_plates)
        logs = np.full((n_plates, bank_cosines.shape[1]), np.nan)
        compared_with = np.zeros(len(codes), bool)
        notes = []
        for plate, here in _wells_by_plate(codes):
            own = here[controls[here]]
            spread = column_spread(bank_cosines[own]) if counts[plate] >= FEWEST else np.zeros(1)
            if not np.median(spread) > NO_SPREAD:
                own = here
                spread = column_spread(bank_cosines[own]) if present[plate] >= FEWEST else np.zeros(1)
                scored = bool(np.median(spread) > NO_SPREAD)
                notes.append(lack_of_controls(names[plate], int(counts[plate]), scored=scored))
                if not scored:
                    continue
            compared_with[own] = True
            logs[plate] = np.log(np.maximum(spread, NO_SPREAD))
        used = np.bincount(codes[compared_with], minlength=n_plates)
        chance = LOG_MAD_VARIANCE / np.maximum(used, 1)
        base = np.full(n_plates, np.nan)
        measured = np.isfinite(logs).all(axis=1)
        base[measured] = logs[measured].mean(axis=1)
        common, special = _variances(logs[measured] - base[measured][:, None], chance[measured])
        return cls(codes, compared_with, base, chance, common, special, tuple(notes))

    def __call__(self, cosine: NDArray[np.floating]) -> NDArray[np.float32]:
        """Standard scores of the wells for a question; NaN on plates that cannot be measured.

        Parameters
        ----------
        cosine : ndarray (n,)
            Of all wells with the question.
        """
        median, spread = self.of_plates(cosine)
        if len(cosine) < MANY:
            return np.asarray((cosine - median[self.plates]) / spread[self.plates], np.float32)
        scores = np.empty(len(cosine), np.float32)
        run_compiled(standardise, len(scores), cosine, self._plates, median, 1 / spread, scores)
        return scores

    @cached_property
    def _plates(self) -> NDArray[np.int32]:
        return self.plates.astype(np.int32)

    def of_plates(self, cosine: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and moderated spread of each plate (P,) for a question; parameters as of calling it."""
        rows, plates, even = self._compared
        if even is not None:
            found = RobustSpread.of_even(cosine[rows], even)
        else:
            found = RobustSpread.of(cosine[rows], plates, len(self.base))
        return found.median, np.exp(self._moderated(np.log(found.spread)))

    @cached_property
    def _compared(self) -> tuple[NDArray[np.intp], NDArray[np.intp], EvenGroups | None]:
        """Wells that others are compared with, plate after plate, the plate of each, and these as groups."""
        rows = np.flatnonzero(self.compared_with)
        rows = rows[np.argsort(self.plates[rows], kind="stable")]
        plates = self.plates[rows]
        return rows, plates, EvenGroups.of(plates, np.bincount(plates, minlength=len(self.base)))

    def of_plates_many(
        self, cosines: NDArray[np.floating] | BankCosines
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and moderated spread of each plate (P, B) for many questions at once."""
        n_plates = len(self.base)
        median = np.full((n_plates, cosines.shape[1]), np.nan)
        logs = np.full_like(median, np.nan)
        for plate, here in _wells_by_plate(self.plates):
            if not np.isfinite(self.base[plate]):
                continue
            own = cosines[here[self.compared_with[here]]]
            median[plate] = column_median(own)
            spread = column_spread(own)
            logs[plate] = np.log(np.where(spread > NO_SPREAD, spread, np.nan))
            median[plate][~(spread > NO_SPREAD)] = np.nan
        return median, np.exp(self._moderated(logs))

    def of_controls(self, plate: int, spread: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """Moderate the spreads of sets of `n` controls of a plate, which are no spreads of one question."""
        own = np.log(np.maximum(spread, NO_SPREAD)) - self.base[plate]
        chance = LOG_MAD_VARIANCE / n
        retained = (self.common + self.special) / max(self.common + self.special + chance, 1e-12)
        return np.asarray(np.exp(self.base[plate] + retained * own), np.float64)

    def _moderated(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log spreads (P,) or (P, B) of questions after moderation; expected ones where there are none."""
        column = (slice(None),) + (None,) * (logs.ndim - 1)
        base, chance = self.base[column], self.chance[column]
        own = logs - base
        there = np.isfinite(own)
        weight = np.where(there, 1 / (self.special + chance + 1e-12), 0.0)
        # Normal-normal posterior means: first what all plates share, then what is left on each.
        prior = 1 / max(self.common, 1e-12)
        shared = (weight * np.where(there, own, 0)).sum(axis=0) / (weight.sum(axis=0) + prior)
        retained = self.special / (self.special + chance + 1e-12)
        left = np.where(there, retained * (np.where(there, own, 0) - shared), 0.0)
        return np.asarray(base + shared + left, np.float64)


def standardise(
    first: int,
    last: int,
    values: NDArray[np.floating],
    plates: NDArray[np.int32],
    median: NDArray[np.float64],
    share: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Compute the distance of values from the median of their plate, times one over its spread."""
    for i in range(first, last):
        out[i] = (values[i] - median[plates[i]]) * share[plates[i]]


def over_prompts(
    cosines: NDArray[np.float32] | BankCosines, scale: PlateScale
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median and robust spread over the prompts of each well's standard scores, in blocks of wells."""
    median, spread = scale.of_plates_many(cosines)
    middle, apart = (np.empty(len(cosines), np.float32) for _ in range(2))

    def measure(first: int, last: int) -> None:
        for start in range(first, last, WELLS_AT_ONCE):
            here = slice(start, min(start + WELLS_AT_ONCE, last))
            plates = scale.plates[here]
            scores = ((cosines[here] - median[plates]) / spread[plates]).astype(np.float32)
            middle[here] = np.median(scores, axis=1)
            apart[here] = MAD_TO_SD * np.median(np.abs(scores - middle[here][:, None]), axis=1)

    in_threads(measure, len(cosines))
    return middle, apart


def _wells_by_plate(plates: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each plate that has wells, with their positions, rising."""
    order = np.argsort(plates, kind="stable")
    starts = np.flatnonzero(np.diff(plates[order], prepend=-1))
    for start, here in zip(starts, np.split(order, starts[1:]), strict=False):
        if len(here):
            yield int(plates[order[start]]), here


def column_median(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Median of each column (..., m, B); as `numpy.median`, which is slow for many short columns."""
    m = values.shape[-2]
    rows = np.sort(np.ascontiguousarray(np.swapaxes(values, -1, -2), np.float64), axis=-1)
    return np.asarray((rows[..., (m - 1) // 2] + rows[..., m // 2]) / 2, np.float64)


def column_spread(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """1.4826 MAD of each column (..., m, B)."""
    exact = np.asarray(values, np.float64)
    return np.asarray(
        MAD_TO_SD * column_median(np.abs(exact - column_median(exact)[..., None, :])), np.float64
    )


def _variances(residuals: NDArray[np.float64], chance: NDArray[np.float64]) -> tuple[float, float]:
    """Variance between questions, and between plates within a question, chance taken off."""
    n = len(residuals)
    if not residuals.size:
        return 0.0, 0.0
    mean = residuals.mean(axis=0)
    special = 0.0
    if n > 1:
        special = max(float(((residuals - mean) ** 2).sum(axis=0).mean() / (n - 1) - chance.mean()), 0.0)
    common = max(float((mean**2).mean() - (special + chance.mean()) / n), 0.0)
    return common, special
