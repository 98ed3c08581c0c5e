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


def chance_precision(n: int, n_positive: int, *, seed: int = 0, draws: int = 200) -> float:
    """Mean average precision of random orders of `n` items with `n_positive` relevant ones.

    Parameters
    ----------
    n, n_positive : int
        Items and relevant items.
    seed, draws : int
        Seed and number of the random orders.

    Returns
    -------
    float
        ``nan`` where nothing is relevant.
    """
    if n_positive == 0:
        return float("nan")
    rng = np.random.default_rng(seed)
    positive = np.arange(n) < n_positive
    return float(np.mean([average_precision(rng.random(n), positive) for _ in range(draws)]))
