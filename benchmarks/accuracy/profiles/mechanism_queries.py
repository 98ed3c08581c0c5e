"""Mechanisms asked for among compounds that no training has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.evaluation.metrics.precision import average_precision, chance_precision

DRAWS = 500


@dataclass(frozen=True, eq=False)
class Queries:
    """What was asked of one pool of compounds.

    Attributes
    ----------
    pool : tuple of str
        The candidates, each with at least one known mechanism: a compound that nothing is known of is neither
        right nor wrong.
    mechanisms : tuple of str
        The queries, each with a right answer among the candidates.
    scores : ndarray (q, n)
        Of each query and candidate; higher is better.
    right : ndarray of bool (q, n)
        Which candidates have the mechanism.
    """

    pool: tuple[str, ...]
    mechanisms: tuple[str, ...]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def precisions(self) -> NDArray[np.float64]:
        """Average precision of each query."""
        return np.array([average_precision(s, r) for s, r in zip(self.scores, self.right, strict=True)])

    @property
    def random(self) -> NDArray[np.float64]:
        """What a random order is expected to reach, by query."""
        return np.array([chance_precision(len(r), int(r.sum())) for r in self.right])


def mean_precision(asked: Sequence[Queries]) -> float:
    """Mean average precision over all queries of all pools."""
    return float(np.concatenate([queries.precisions for queries in asked]).mean())


def random_precision(asked: Sequence[Queries]) -> float:
    """What random orders are expected to reach over the same queries."""
    return float(np.concatenate([queries.random for queries in asked]).mean())


def interval(
    asked: Sequence[Queries], *, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of :func:`mean_precision` from drawing compounds with replacement.

    A compound that is drawn twice counts twice in each pool it is in; queries left without a right answer
    drop out of that draw.

    Parameters
    ----------
    asked : sequence of Queries
        Pools may share compounds, as those of several seeds do.
    draws : int
        How often.
    level : float
        Of the interval.
    seed : int
        The same seed gives the same interval.
    """
    names = sorted({name for queries in asked for name in queries.pool})
    place = {name: i for i, name in enumerate(names)}
    where = [np.array([place[name] for name in queries.pool]) for queries in asked]
    rng = np.random.default_rng(seed)
    means: list[float] = []
    for _ in range(draws):
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        found: list[float] = []
        for queries, at in zip(asked, where, strict=True):
            found += _weighted(queries, times[at])
        means.append(float(np.mean(found)) if found else np.nan)
    tail = (1 - level) / 2
    low, high = np.nanquantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _weighted(queries: Queries, times: NDArray[np.int64]) -> list[float]:
    """Average precision of each query whose right answers were drawn, candidates counted so many times.

    The copies of a compound stand together. To a copy that is right the others of it are no further right
    answers before it: that would raise every draw above the measured value.
    """
    order = np.argsort(-queries.scores, axis=1, kind="stable")
    hit = np.take_along_axis(queries.right, order, axis=1)
    weight = times[order].astype(np.float64)
    right_before = (weight * hit).cumsum(axis=1) - weight
    all_before = weight.cumsum(axis=1) - weight
    precision = (1 + right_before) / (1 + all_before)
    count = (weight * hit).sum(axis=1)
    drawn = count > 0
    found: list[float] = ((precision * weight * hit).sum(axis=1)[drawn] / count[drawn]).tolist()
    return found
