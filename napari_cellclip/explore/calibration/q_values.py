"""From p-values to q: several tests of one thing put together, and many things tested at once."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class QSteps:
    """Benjamini-Hochberg q (1995) as a function of p, of which those of a few tests can be read off.

    Attributes
    ----------
    p : ndarray of float64 (m,)
        Of the tests with a p below 1, rising; of all others q is 1.
    q : ndarray of float64 (m,)
        Rising, too.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]

    @classmethod
    def of(cls, p: NDArray[np.floating]) -> QSteps:
        """Compute q over all tests; those with NaN are not counted."""
        exact = np.asarray(p, np.float64)
        rising = np.sort(exact[exact < 1])
        steps = rising * (len(exact) - np.count_nonzero(np.isnan(exact)))
        steps /= np.arange(1, len(rising) + 1)
        # scipy's `false_discovery_control` does the same and takes ten times as long.
        return cls(rising, np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0))

    def at(self, p: NDArray[np.floating]) -> NDArray[np.float64]:
        """Look up q of tests with these p, which are among all; NaN stays NaN."""
        exact = np.asarray(p, np.float64)
        q = np.where(np.isnan(exact), np.nan, 1.0)
        below = exact < 1
        if len(self.q):
            q[below] = self.q[np.searchsorted(self.p, exact[below], side="right") - 1]
        return q

    def largest_p(self, fdr: float) -> float:
        """Find the largest p that is significant at a rate below 1; -1 where none is."""
        significant = int(np.searchsorted(self.q, fdr, side="right"))
        return float(self.p[significant - 1]) if significant else -1.0


@dataclass(frozen=True)
class QValues:
    """q of treatments, looked up for those that are shown.

    Attributes
    ----------
    p : ndarray of float64 (T,)
        NaN where a treatment is not tested.
    left_out : ndarray of bool (T,)
        Treatments that are not counted: their q is 1.
    steps : QSteps
        Over those that are.
    """

    p: NDArray[np.float64]
    left_out: NDArray[np.bool_]
    steps: QSteps

    @classmethod
    def of(cls, p: NDArray[np.float64], left_out: NDArray[np.bool_]) -> QValues:
        """Compute q over the treatments that are not left out."""
        return cls(p, left_out, QSteps.of(np.where(left_out, np.nan, p) if left_out.any() else p))

    def at(self, treatments: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """Look up q of some treatments: 1 for those left out, NaN without a p."""
        p = self.p[treatments]
        q = self.steps.at(p)
        q[self.left_out[treatments] & ~np.isnan(p)] = 1.0
        return q

    @property
    def smallest(self) -> float:
        """The smallest q; NaN where no treatment has one."""
        if len(self.steps.q):
            return float(self.steps.q[0])
        return float("nan") if np.isnan(self.p).all() else 1.0

    def significant(self, fdr: float) -> NDArray[np.bool_]:
        """Mask of the treatments with a q up to a rate below 1, bool (T,)."""
        return np.asarray((self.p <= self.steps.largest_p(fdr)) & ~self.left_out, bool)


def q_values(p: NDArray[np.floating], left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute q over the treatments that are not left out; 1 for those left out, NaN without a p."""
    return QValues.of(np.asarray(p, np.float64), left_out).at(slice(None))


def benjamini_hochberg(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute Benjamini-Hochberg q-values (1995); NaN stays NaN and is not counted.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.5])).round(3).tolist()
    [0.03, 0.06, nan, 0.5]
    """
    return QSteps.of(p).at(p)


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
