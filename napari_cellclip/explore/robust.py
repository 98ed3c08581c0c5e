"""How far a value stands out from those of comparable wells, unmoved by a few odd ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed values."""

FEWEST = 3
"""Controls below which a plate's own spread cannot be told from them."""

NO_SPREAD = 1e-7
"""Below the rounding error of single-precision cosines a spread is no measurement."""


@dataclass(frozen=True)
class PlateScores:
    """Robust z of every value, and what it was taken against.

    Attributes
    ----------
    z : ndarray of float64 (n,)
        NaN where a plate gives nothing to compare with.
    notes : tuple of str
        One sentence per plate that lacks controls.
    """

    z: NDArray[np.float64]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """Median and robust standard deviation of each group's reference values; NaN where they do not tell."""

    counts: NDArray[np.intp]
    median: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating], groups: NDArray[np.integer], n_groups: int) -> Reference:
        """Measure values by group, all groups at once.

        Parameters
        ----------
        values : ndarray (m,)
            Finite.
        groups : ndarray of int (m,)
            Group of each value.
        n_groups : int
            Number of groups, of which some may have no value.
        """
        exact = np.asarray(values, np.float64)
        counts = np.bincount(groups, minlength=n_groups)
        median = grouped_median(exact, groups, counts)
        spread = MAD_TO_SD * grouped_median(np.abs(exact - median[groups]), groups, counts)
        useful = (counts >= FEWEST) & (spread > NO_SPREAD)
        return cls(counts, np.where(useful, median, np.nan), np.where(useful, spread, np.nan))


def grouped_median(
    values: NDArray[np.float64], groups: NDArray[np.integer], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Median of each group, NaN where a group is empty."""
    ordered = values[np.lexsort((values, groups))]
    ends = np.cumsum(counts)
    out = np.full(len(counts), np.nan)
    there = counts > 0
    starts, sizes = (ends - counts)[there], counts[there]
    out[there] = (ordered[starts + (sizes - 1) // 2] + ordered[starts + sizes // 2]) / 2
    return out


def robust_z(values: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance from the median of the reference in its robust standard deviations (1.4826 MAD).

    Parameters
    ----------
    values : ndarray (n,)
        What is scored.
    reference : ndarray (m,)
        What it is compared with.

    Returns
    -------
    ndarray of float64 (n,)
        NaN if fewer than three reference values are given or they do not spread.

    Examples
    --------
    >>> robust_z(np.array([4.0]), np.array([1.0, 2.0, 3.0])).round(3)
    array([1.349])
    """
    found = Reference.of(reference, np.zeros(len(reference), np.intp), 1)
    return np.asarray((values - found.median[0]) / found.spread[0], np.float64)


def score_plates(
    values: NDArray[np.floating],
    plates: NDArray[np.integer],
    names: Sequence[str],
    controls: NDArray[np.bool_],
) -> PlateScores:
    """Robust z of values against the negative controls of the same plate.

    A plate with too few controls is scored against all its wells, and that is said; one with too few wells
    is not scored.

    Parameters
    ----------
    values : ndarray (n,)
        Finite.
    plates : ndarray of int (n,)
        Plate of each well, a position in `names`.
    names : sequence of str
        Plates.
    controls : ndarray of bool (n,)
        Which wells are negative controls.
    """
    own = Reference.of(values[controls], plates[controls], len(names))
    median, spread = own.median.copy(), own.spread.copy()
    lacking = np.isnan(spread)
    if lacking.any():
        some = lacking[plates]
        everyone = Reference.of(values[some], plates[some], len(names))
        median[lacking], spread[lacking] = everyone.median[lacking], everyone.spread[lacking]
    present = np.bincount(plates, minlength=len(names)) > 0
    notes = [
        _note(names[i], int(own.counts[i]), scored=not np.isnan(spread[i]))
        for i in np.flatnonzero(lacking & present).tolist()
    ]
    return PlateScores((values - median[plates]) / spread[plates], tuple(notes))


def _note(plate: str, controls: int, *, scored: bool) -> str:
    if controls >= FEWEST:
        why = "negative controls that are all alike"
    else:
        why = f"{controls or 'no'} negative control{'' if controls == 1 else 's'} with an embedding"
    if scored:
        how = ": its scores are relative to all its wells, most of which must be inactive for that to work"
    else:
        how = ", and too few or too similar wells for a score: they are ranked by cosine alone"
    return f"Plate {plate} has {why}{how}."
