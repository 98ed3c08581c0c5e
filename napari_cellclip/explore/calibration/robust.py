"""Medians and spreads of comparable wells, robust against outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen.imports.standardise import MAD_TO_SD

FEWEST = 3
"""Controls below which a plate's own spread cannot be told from them."""

NO_SPREAD = 1e-7
"""Below the rounding error of single-precision cosines a spread is no measurement."""


@dataclass(frozen=True)
class RobustSpread:
    """Median and robust standard deviation of the values of each group; NaN where they do not tell."""

    counts: NDArray[np.intp]
    median: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.floating], groups: NDArray[np.integer], n_groups: int) -> RobustSpread:
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
    """Compute the median of each group, NaN where a group is empty."""
    ends = np.cumsum(counts)
    most = int(counts.max(initial=0))
    if most * len(counts) <= 4 * len(values) and (groups[1:] >= groups[:-1]).all():
        # Groups of about one size, one after the other: a row each, sorted, is several times faster.
        padded = np.full((len(counts), most), np.inf)
        padded[groups, np.arange(len(values)) - np.repeat(ends - counts, counts)] = values
        padded.sort(axis=1)
        every, some = np.arange(len(counts)), np.maximum(counts, 1)
        middle = (padded[every, (some - 1) // 2] + padded[every, some // 2]) / 2 if most else np.inf
        return np.asarray(np.where(counts > 0, middle, np.nan), np.float64)
    ordered = values[np.lexsort((values, groups))]
    out = np.full(len(counts), np.nan)
    there = counts > 0
    starts, sizes = (ends - counts)[there], counts[there]
    out[there] = (ordered[starts + (sizes - 1) // 2] + ordered[starts + sizes // 2]) / 2
    return out


def robust_z(values: NDArray[np.floating], compared_with: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute robust standard scores: distance from a median in robust standard deviations (1.4826 MAD).

    Parameters
    ----------
    values : ndarray (n,)
        What is scored.
    compared_with : ndarray (m,)
        Gives median and spread.

    Returns
    -------
    ndarray of float64 (n,)
        NaN if fewer than three values are given to compare with, or they do not spread.

    Examples
    --------
    >>> robust_z(np.array([4.0]), np.array([1.0, 2.0, 3.0])).round(3)
    array([1.349])
    """
    found = RobustSpread.of(compared_with, np.zeros(len(compared_with), np.intp), 1)
    return np.asarray((values - found.median[0]) / found.spread[0], np.float64)


def lack_of_controls(plate: str, controls: int, *, scored: bool) -> str:
    """Write a sentence about a plate that has too few controls, or such as cannot be measured by."""
    if controls >= FEWEST:
        why = "negative controls that are all alike"
    else:
        why = f"{controls or 'no'} negative control{'' if controls == 1 else 's'} with an embedding"
    if scored:
        how = ": its scores are relative to all its wells, most of which must be inactive for that to work"
    else:
        how = ", and too few or too similar wells for a score: they are ranked by cosine alone"
    return f"Plate {plate} has {why}{how}."
