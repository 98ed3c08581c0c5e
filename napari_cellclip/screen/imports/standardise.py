"""Standardise profiles: values in units of the negative controls' spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import ScreenError

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed values."""

FEWEST = 3
"""Wells below which no spread can be estimated."""

CLIP = 10.0
"""Largest distance from the controls, in their robust standard deviations; larger ones are clipped to it."""

MOST_MISSING = 0.05
"""Share of a plate's wells in which a feature may be missing."""

SHOWN = 3


@dataclass(frozen=True, eq=False)
class Standardised:
    """Profiles of one plate.

    Attributes
    ----------
    values : ndarray of float32 (n, F)
        Finite, within ``±CLIP``.
    constant : tuple of str
        Features that do not vary among the wells standardised on: 0 in every well.
    filled : tuple of str
        Features with gaps, which were filled with the controls' median (0).
    empty : ndarray of bool (n,)
        Wells in which no feature is a number.
    clipped : int
        Values that were out of range.
    """

    values: NDArray[np.float32]
    constant: tuple[str, ...]
    filled: tuple[str, ...]
    empty: NDArray[np.bool_]
    clipped: int


def standardise(
    values: NDArray[np.floating], standardise_on: NDArray[np.bool_], names: Sequence[str], plate: str
) -> Standardised:
    """Compute the robust z of every feature of a plate: distance from the controls' median in 1.4826 MAD.

    Features keep their places, so that plates of one feature set fit each other: one that is constant among
    the wells it is measured on becomes 0, as there is no unit to measure it in.

    Parameters
    ----------
    values : ndarray (n, F)
        As the table has them; gaps are NaN or infinite.
    standardise_on : ndarray of bool (n,)
        Wells whose median and spread are the units: the plate's negative controls, or all.
    names : sequence of str
        Of the features.
    plate : str
        For messages.

    Raises
    ------
    ScreenError
        If fewer than three wells to standardise on have numbers, or features are missing in more than 5 % of
        the wells.
    """
    exact = np.asarray(values, np.float64)
    gaps = ~np.isfinite(exact)
    empty: NDArray[np.bool_] = np.asarray(gaps.all(axis=1))
    full = exact[~empty]
    share = gaps[~empty].mean(axis=0) if len(full) else np.ones(len(names))
    if bad := [name for name, missing in zip(names, share, strict=True) if missing > MOST_MISSING]:
        some = ", ".join(bad[:SHOWN]) + (", …" if len(bad) > SHOWN else "")
        raise ScreenError(
            f"{len(bad)} features of plate {plate} are missing or infinite in more than {MOST_MISSING:.0%} of"
            f" its wells ({some}): drop them from the table first, e.g. with pycytominer's feature_select"
            " (drop_na_columns)"
        )
    known = standardise_on & ~empty
    if known.sum() < FEWEST:
        raise ScreenError(
            f"plate {plate} has {int(known.sum())} negative controls with numbers, {FEWEST} are needed to"
            " standardise it: name them in a control_type column (negcon), or standardise on all wells"
            " (standardise_on='all', on the command line --standardise-on all)"
        )
    measured = np.where(gaps, np.nan, exact)
    median = np.nanmedian(measured[known], axis=0)
    spread = MAD_TO_SD * np.nanmedian(np.abs(measured[known] - median), axis=0)
    # Rounding of a constant leaves a spread of its last digits, which is no measurement either.
    constant = ~(spread > 1e-6 * np.maximum(np.abs(median), 1e-6))
    scaled = np.where(constant, 0.0, (measured - median) / np.where(constant, 1.0, spread))
    scaled = np.nan_to_num(scaled, nan=0.0)
    gappy: NDArray[np.bool_] = np.asarray(gaps[~empty].any(axis=0))
    return Standardised(
        values=np.clip(scaled, -CLIP, CLIP).astype(np.float32),
        constant=tuple(name for name, yes in zip(names, constant, strict=True) if yes),
        filled=tuple(name for name, yes in zip(names, gappy, strict=True) if yes),
        empty=empty,
        clipped=int((np.abs(scaled) > CLIP).sum()),
    )
