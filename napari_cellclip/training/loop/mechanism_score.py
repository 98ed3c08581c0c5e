"""Mechanisms asked for in words among treatments that were held out of training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.training.data.bags import Bag

FEWEST_CANDIDATES = 3
"""Treatments with a known mechanism: of two, any order is a good one."""


@dataclass(frozen=True, slots=True)
class Mechanisms:
    """Scores of mechanisms asked for by their words.

    Attributes
    ----------
    precision, chance : float
        Mean average precision, and what random orders are expected to reach.
    queries, pool : int
        Mechanisms that training has seen with other treatments, and treatments with a known mechanism.
    """

    precision: float
    chance: float
    queries: int
    pool: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a model card."""
        return {
            "map": round(self.precision, 4),
            "chance": round(self.chance, 4),
            "queries": self.queries,
            "pool": self.pool,
        }


def mechanism_queries(bags: Sequence[Bag], seen: Collection[str]) -> list[str]:
    """List captions of bags that name a mechanism and nothing else, and are among those seen in training."""
    known = frozenset(seen)
    return sorted({c.text for bag in bags for c in bag.captions if c.mechanism and c.text in known})


def ask_for_mechanisms(
    image: NDArray[np.floating],
    bags: Sequence[Bag],
    embed: Callable[[Sequence[str]], NDArray[np.float32]],
    seen: Collection[str],
) -> Mechanisms | None:
    """Rank treatments by the cosine of their mean unit embedding with the words of each mechanism.

    Parameters
    ----------
    image : ndarray (n, E)
        Embedding of each bag.
    bags : sequence of Bag
        Held out. Without a mechanism a treatment is no candidate.
    embed : callable
        Texts to vectors (m, E).
    seen : collection of str
        Captions of training.

    Returns
    -------
    Mechanisms or None
        None where training has seen none of their mechanisms, or there are too few candidates.
    """
    carried: dict[str, set[str]] = {}
    rows: dict[str, list[int]] = {}
    for row, bag in enumerate(bags):
        if named := {c.text for c in bag.captions if c.mechanism}:
            treatment = bag.treatment or bag.group
            carried.setdefault(treatment, set()).update(named)
            rows.setdefault(treatment, []).append(row)
    queries = mechanism_queries(bags, seen)
    if len(rows) < FEWEST_CANDIDATES or not queries:
        return None
    profiles = unit_rows(
        np.stack([unit_rows(image[at], np.float64).mean(axis=0) for at in rows.values()]), np.float64
    )
    cosine = unit_rows(embed(queries), np.float64) @ profiles.T
    right = np.array([[query in named for named in carried.values()] for query in queries])
    return Mechanisms(
        float(np.mean([average_precision_score(*pair) for pair in zip(right, cosine, strict=True)])),
        float(np.mean([chance_precision(len(row), int(row.sum())) for row in right])),
        len(queries),
        len(rows),
    )


def chance_precision(n: int, right: int) -> float:
    """Expected average precision of a random order of n, of which so many are right."""
    if right == n:
        return 1.0
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return ((right - 1) / (n - 1) * (n - harmonic) + harmonic) / n
