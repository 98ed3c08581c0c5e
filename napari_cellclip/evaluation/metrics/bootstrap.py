"""Confidence intervals by drawing compounds with replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Statistic = Callable[[NDArray[np.float64]], float]

DRAWS = 1000
LEVEL = 0.95


def bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistics: Mapping[str, Statistic],
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Statistics with percentile intervals from drawing whole clusters with replacement.

    Values of one compound rise and fall together: drawing them one by one would make intervals too narrow.

    Parameters
    ----------
    values : array_like (n,)
        What the statistics are taken of, such as ranks of queries.
    clusters : array_like (n,)
        Which compound each belongs to.
    statistics : mapping of str to callable
        Each takes an array of values.
    draws : int
        How often the clusters are drawn.
    level : float
        Of the interval.
    seed : int
        The same seed gives the same interval.

    Returns
    -------
    dict
        By statistic: ``value`` (of all values), ``low``, ``high``.

    References
    ----------
    Efron and Tibshirani 1993, percentile interval; clusters as in Field and Welsh 2007.
    """
    x = np.asarray(values, dtype=np.float64)
    codes, _ = pd.factorize(np.asarray(clusters), sort=True)
    if len(x) != len(codes) or not len(x):
        raise ValueError(f"{len(x)} values and {len(codes)} clusters")
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(draws):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        for name, statistic in statistics.items():
            drawn[name].append(statistic(x[rows]))
    tail = (1 - level) / 2
    result = {}
    for name, statistic in statistics.items():
        low, high = np.quantile(drawn[name], [tail, 1 - tail]) if draws else (np.nan, np.nan)
        result[name] = {"value": float(statistic(x)), "low": float(low), "high": float(high)}
    return result
