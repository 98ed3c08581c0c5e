"""Medians and spreads of comparable wells, robust against outliers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
        if (even := EvenGroups.of(groups, counts)) is not None:
            return cls.of_even(exact, even)
        median = grouped_median(exact, groups, counts)
        return cls._useful(counts, median, grouped_median(np.abs(exact - median[groups]), groups, counts))

    @classmethod
    def of_even(cls, values: NDArray[np.floating], groups: EvenGroups) -> RobustSpread:
        """Measure values (m,) by groups of about one size."""
        rows = groups.rows(values)
        median = groups.median(rows)
        with np.errstate(invalid="ignore"):  # what fills a row, and groups without values
            rows -= median[:, None]
        np.abs(rows, out=rows)
        return cls._useful(groups.counts, median, groups.median(rows))

    @classmethod
    def _useful(
        cls, counts: NDArray[np.intp], median: NDArray[np.float64], apart: NDArray[np.float64]
    ) -> RobustSpread:
        spread = MAD_TO_SD * apart
        useful = (counts >= FEWEST) & (spread > NO_SPREAD)
        return cls(counts, np.where(useful, median, np.nan), np.where(useful, spread, np.nan))


@dataclass(frozen=True)
class EvenGroups:
    """Groups of about one size: a row each, all sorted at once, which is several times faster.

    Attributes
    ----------
    counts : ndarray of int (G,)
        Values of each group.
    places : ndarray of int (G, most)
        Positions of its values; what fills a row is beyond its count.
    """

    counts: NDArray[np.intp]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, groups: NDArray[np.integer], counts: NDArray[np.intp]) -> EvenGroups | None:
        """Lay out groups that follow each other; ``None`` if they do not, or differ much in size."""
        most = int(counts.max(initial=0))
        if not most or most * len(counts) > 4 * len(groups) or (groups[1:] < groups[:-1]).any():
            return None
        places = np.zeros((len(counts), most), np.intp)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        places[groups, np.arange(len(groups)) - before] = np.arange(len(groups))
        return cls(counts, places)

    @cached_property
    def _filling(self) -> NDArray[np.bool_]:
        return np.arange(self.places.shape[1]) >= self.counts[:, None]

    def rows(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Put values into the rows of their groups, filled with infinity."""
        rows = np.asarray(values, np.float64)[self.places]
        rows[self._filling] = np.inf
        return rows

    def median(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the median of each group, NaN where it is empty; `rows` are sorted in place."""
        rows.sort(axis=1)
        every, some = np.arange(len(rows)), np.maximum(self.counts, 1)
        middle = (rows[every, (some - 1) // 2] + rows[every, some // 2]) / 2
        return np.asarray(np.where(self.counts > 0, middle, np.nan), np.float64)


def grouped_median(
    values: NDArray[np.float64], groups: NDArray[np.integer], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Compute the median of each group, NaN where a group is empty."""
    if (even := EvenGroups.of(groups, counts)) is not None:
        return even.median(even.rows(values))
    ends = np.cumsum(counts)
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
