"""From p-values to q: several tests of one thing put together, and many things tested at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FILTER_P = 0.1
"""p of having no effect at all up to which a treatment counts as active."""

MOSTLY_ACTIVE = 0.5
"""Share of active treatments from which none is left out of the test."""


def inactive_left_out(activity: NDArray[np.floating], testable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Choose which treatments are not tested because they do nothing, bool (T,).

    Filtering raises power where most treatments are inactive (Bourgon et al. 2010). Where at least half are
    active it would gain little, and none is left out.

    Parameters
    ----------
    activity : ndarray (T,)
        p of having no effect at all, seen without the question; NaN counts as active.
    testable : ndarray of bool (T,)
        Treatments that can have a p.
    """
    inactive = np.asarray(activity > FILTER_P, bool)
    if not testable.any() or (~inactive[testable]).mean() >= MOSTLY_ACTIVE:
        return np.zeros(len(inactive), bool)
    return inactive


def p_after_filter(
    inactivity_p: NDArray[np.floating], fit_p: NDArray[np.floating], *, filtered: bool
) -> NDArray[np.float64]:
    """Compute the p that enters the q-values: the larger of two, valid also after inactive ones are left out.

    Activity decides who is tested and is part of `inactivity_p` too, so among the treatments that are left an
    inactive one has a small `inactivity_p` up to ``1 / FILTER_P`` times too often. It is divided by
    `FILTER_P` to make up for that: P(p <= t | activity <= a) <= t / a whatever the dependence. `fit_p` is
    exact given the wells, so the filter does not change it.
    """
    corrected = np.minimum(np.asarray(inactivity_p, np.float64) / FILTER_P, 1.0) if filtered else inactivity_p
    return np.asarray(np.maximum(corrected, fit_p), np.float64)


def q_values(p: NDArray[np.floating], left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute q over the treatments that are not left out; 1 for those left out, NaN without a p."""
    q = benjamini_hochberg(np.where(left_out, np.nan, p))
    q[left_out & np.isfinite(p)] = 1.0
    return q


def benjamini_hochberg(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute Benjamini-Hochberg q-values (1995); NaN stays NaN and is not counted.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.5])).round(3).tolist()
    [0.03, 0.06, nan, 0.5]
    """
    exact = np.asarray(p, np.float64)
    order = np.argsort(exact)[: np.count_nonzero(np.isfinite(exact))]  # NaN comes last
    steps = exact[order] * (len(order) / np.arange(1, len(order) + 1))
    q = np.full(len(exact), np.nan)
    # scipy's `false_discovery_control` does the same and takes five times as long.
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return q


def simes(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Combine p-values of several hypotheses about one thing into one (Simes 1986).

    Parameters
    ----------
    p : ndarray (V, T)
        NaN is left out.

    Returns
    -------
    ndarray of float64 (T,)
        p that none of the V hypotheses holds; NaN where all are NaN.

    Examples
    --------
    >>> simes(np.array([[0.01], [0.5], [np.nan]])).tolist()
    [0.02]
    """
    ordered = np.sort(np.asarray(p, np.float64), axis=0)  # NaN last
    counts = np.isfinite(ordered).sum(axis=0)
    ranks = np.arange(1, len(ordered) + 1)[:, None]
    with np.errstate(invalid="ignore"):
        candidates = np.where(np.isfinite(ordered), ordered * counts / ranks, np.inf)
    smallest = candidates.min(axis=0, initial=np.inf)
    return np.asarray(np.where(counts > 0, smallest, np.nan), np.float64)
