"""How far a value stands out from those of comparable wells, unmoved by a few odd ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed values."""

FEWEST = 3
"""Controls below which a plate's own spread cannot be told from them."""


@dataclass(frozen=True)
class PlateScores:
    """Robust z of every value, and what it was taken against.

    Attributes
    ----------
    z : ndarray of float (n,)
        NaN where a plate gives nothing to compare with.
    notes : tuple of str
        One sentence per plate that lacks controls.
    """

    z: NDArray[np.float64]
    notes: tuple[str, ...]


def robust_z(values: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Distance from the median of the reference in its robust standard deviations (1.4826 MAD).

    Parameters
    ----------
    values : ndarray (n,)
        What is scored.
    reference : ndarray (m,)
        What it is compared with.

    Returns
    -------
    ndarray of float64 (n,) or None
        ``None`` if fewer than three reference values are given or they do not spread.

    Examples
    --------
    >>> robust_z(np.array([4.0]), np.array([1.0, 2.0, 3.0])).round(3)
    array([1.349])
    """
    if len(reference) < FEWEST:
        return None
    reference = reference.astype(np.float64)
    median = np.median(reference)
    spread = MAD_TO_SD * np.median(np.abs(reference - median))
    # Below rounding error of single-precision cosines the spread is no measurement.
    return (values - median) / spread if spread > 1e-7 else None


def score_plates(
    values: NDArray[np.floating], plates: Mapping[str, NDArray[np.intp]], controls: NDArray[np.bool_]
) -> PlateScores:
    """Robust z of values against the negative controls of the same plate.

    A plate with too few controls is scored against all its wells, and said so; one with too few wells is not
    scored.

    Parameters
    ----------
    values : ndarray (n,)
        Finite.
    plates : mapping of str to ndarray of int
        Positions of each plate's wells.
    controls : ndarray of bool (n,)
        Which wells are negative controls.
    """
    z = np.full(len(values), np.nan)
    notes = []
    for plate, rows in plates.items():
        own = rows[controls[rows]]
        found = robust_z(values[rows], values[own])
        if found is None:
            found = robust_z(values[rows], values[rows])
            why = (
                f"{len(own) or 'no'} negative control{'s' if len(own) != 1 else ''} with an embedding"
                if len(own) < FEWEST
                else "negative controls that are all alike"
            )
            how = (
                "its scores are relative to all its wells, most of which must be inactive for that to work"
                if found is not None
                else "and too few or too similar wells for a score: they are ranked by cosine alone"
            )
            notes.append(f"Plate {plate} has {why}: {how}.".replace(": and", " and"))
        if found is not None:
            z[rows] = found
    return PlateScores(z, tuple(notes))
