"""Average precision of a ranking, and what a random ranking would reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def average_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Mean over the positives of the precision at their rank, highest score first.

    Items with equal scores share the last rank of their run, so that the order in which they happen to
    be stored cannot help; a score that is not a number ranks last.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Higher means more relevant.
    positive : array_like of bool, shape (n,)
        The relevant items.

    Returns
    -------
    float
        Between 0 and 1; ``nan`` where nothing is relevant.

    Examples
    --------
    >>> average_precision([3.0, 2.0, 1.0], [True, False, True])
    0.8333333333333333
    """
    value = np.asarray(scores, dtype=np.float64)
    relevant = np.asarray(positive, dtype=bool)
    if not relevant.any():
        return float("nan")
    value = np.where(np.isnan(value), -np.inf, value)
    order = np.argsort(-value, kind="stable")
    ranked, hits = value[order], np.cumsum(relevant[order])
    last_of_run = np.searchsorted(-ranked, -ranked, side="right") - 1
    precision = hits[last_of_run] / (last_of_run + 1.0)
    return float(precision[relevant[order]].mean())


def chance_precision(n: int, n_positive: int) -> float:
    """Expected average precision of a random order of `n` items with `n_positive` relevant ones.

    Exact: with R of N relevant it is ``((R - 1) / (N - 1) * (N - H) + H) / N``, H being the N-th
    harmonic number.

    Returns
    -------
    float
        ``nan`` where nothing is relevant.

    Examples
    --------
    >>> chance_precision(2, 1)
    0.75
    """
    if n_positive == 0:
        return float("nan")
    if n == n_positive:
        return 1.0
    harmonic = float((1.0 / np.arange(1, n + 1)).sum())
    return ((n_positive - 1) / (n - 1) * (n - harmonic) + harmonic) / n
