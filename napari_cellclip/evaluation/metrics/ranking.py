"""Where each query's partner ranks: cross-modal retrieval, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError

QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class Ranking:
    """Ranks of the first hit of each query among a pool.

    Attributes
    ----------
    ranks : ndarray of int64 (q,)
        0-based: how many candidates that are no hit score at least as high as the query's best hit. Ties
        count against, so a model that answers the same to everything earns nothing.
    hits : ndarray of int64 (q,)
        How many candidates would be right.
    pool : int
        How many candidates there are.
    """

    ranks: NDArray[np.int64]
    hits: NDArray[np.int64]
    pool: int

    def recall(self, k: int) -> float:
        """Share of queries with a hit among the first `k`."""
        return recall_at(self.ranks, k)

    @property
    def mean_rank(self) -> float:
        """Mean rank, counted from 1."""
        return mean_rank(self.ranks)

    @property
    def median_rank(self) -> float:
        """Median rank rounded down, counted from 1."""
        return median_rank(self.ranks)

    def random_recall(self, k: int) -> float:
        """Compute the :meth:`recall` that is expected of a random order."""
        return float((1 - self._later(np.array([k])))[0])

    @property
    def random_mean_rank(self) -> float:
        """Mean rank (:attr:`mean_rank`) that is expected of a random order."""
        return float(((self.pool - self.hits) / (self.hits + 1)).mean() + 1)

    def _later(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Chance that the first hit of a random order comes after so many candidates, mean over queries."""
        n, h = self.pool, self.hits[:, None].astype(float)
        left = n - h - positions[None, :]
        fits = left >= 0
        left = np.where(fits, left, 0.0)
        # C(n - h, k) / C(n, k), k candidates of which none is a hit
        k = positions[None, :].astype(float)
        logs = gammaln(n - h + 1) - gammaln(left + 1) - gammaln(n + 1) + gammaln(n - k + 1)
        return np.where(fits, np.exp(np.where(fits, logs, 0.0)), 0.0).mean(axis=0)


def recall_at(ranks: ArrayLike, k: int) -> float:
    """Share of 0-based ranks below `k`."""
    return float((np.asarray(ranks) < k).mean())


def mean_rank(ranks: ArrayLike) -> float:
    """Mean of 0-based ranks, counted from 1."""
    return float(np.asarray(ranks).mean() + 1)


def median_rank(ranks: ArrayLike) -> float:
    """Median of 0-based ranks rounded down, counted from 1."""
    return float(np.floor(np.median(np.asarray(ranks, dtype=np.float64))) + 1)


def rank_first_hits(scores: ArrayLike, hit: ArrayLike) -> NDArray[np.int64]:
    """0-based rank of the best hit of each query.

    Parameters
    ----------
    scores : array_like (q, n)
        Of each query (row) and candidate, higher is better.
    hit : array_like of bool (q, n)
        Which candidates are right; at least one in each row.

    Returns
    -------
    ndarray of int64 (q,)
        Candidates that are no hit and score at least as high as the best hit.

    Raises
    ------
    ValueError
        If a query has no hit.

    Examples
    --------
    >>> rank_first_hits([[0.9, 0.5, 0.1]], [[False, True, True]])
    array([1])
    """
    s, right = np.asarray(scores, dtype=np.float64), np.asarray(hit, dtype=bool)
    if not right.any(axis=1).all():
        raise ValueError("a query has no hit among the candidates")
    best = np.where(right, s, -np.inf).max(axis=1, keepdims=True)
    return ((s >= best) & ~right).sum(axis=1)


def rank_both_ways(
    images: ArrayLike, texts: ArrayLike, text_of_image: Sequence[int] | None = None, *, cosine: bool = True
) -> tuple[Ranking, Ranking]:
    """Rank images by texts and texts by images.

    Parameters
    ----------
    images : array_like (n, E)
        One for each item.
    texts : array_like (m, E)
        Distinct texts.
    text_of_image : sequence of int (n,), optional
        Index of each image's text; where not given, image i belongs to text i. Several images may share a
        text: a hit is then any of them.
    cosine : bool
        Compare directions; else dot products of the vectors as they are, which is what the published
        evaluation code does.

    Returns
    -------
    text_to_image, image_to_text : Ranking
        Of the texts that have an image, and of the images.

    Raises
    ------
    CellClipError
        If the vectors do not fit or are not finite.
    """
    x, t = (np.asarray(v, dtype=np.float64) for v in (images, texts))
    owner = np.arange(len(x)) if text_of_image is None else np.asarray(text_of_image, dtype=np.int64)
    if x.ndim != 2 or t.ndim != 2 or x.shape[1] != t.shape[1] or len(owner) != len(x) or not len(x):
        raise CellClipError(
            f"images {x.shape} and texts {t.shape} cannot be compared: their lengths must agree"
        )
    if not (np.isfinite(x).all() and np.isfinite(t).all()):
        raise CellClipError("some embeddings are not finite numbers: encode these wells or texts again")
    if len(owner) and (owner.min() < 0 or owner.max() >= len(t)):
        raise CellClipError(
            f"images belong to texts up to number {owner.max()}, but there are {len(t)} texts"
        )
    if cosine:
        x, t = unit_rows(x, np.float64), unit_rows(t, np.float64)
    used = np.unique(owner)
    counts = np.bincount(owner, minlength=len(t))
    by_text = [rank_first_hits(t[rows] @ x.T, owner[None, :] == rows[:, None]) for rows in _chunks(used)]
    by_image = [
        rank_first_hits(x[rows] @ t.T, owner[rows][:, None] == np.arange(len(t))[None, :])
        for rows in _chunks(np.arange(len(x)))
    ]
    return (
        Ranking(np.concatenate(by_text), counts[used], len(x)),
        Ranking(np.concatenate(by_image), np.ones(len(x), np.int64), len(t)),
    )


def _chunks(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[i : i + QUERIES_AT_ONCE] for i in range(0, len(rows), QUERIES_AT_ONCE)]
