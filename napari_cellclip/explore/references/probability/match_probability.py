"""Turn likeness to reference treatments into a probability of sharing what they carry, and into p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.left_out import LeftOut
from napari_cellclip.explore.references.probability.pair_models import Predict, logistic, recalibration
from napari_cellclip.explore.references.probability.set_scores import SetScorer, SetScores

FEWEST_REFERENCES = 3
"""References that a mechanism must have to teach the model: one is left out, and two remain."""

FEWEST_RIGHT = 10
"""Right pairs without which no probability is given."""

FEWEST_ASKED = 2
"""References of a mechanism that is asked for among compounds left out."""

FOLDS = 10
"""Parts that compounds are left out in, so that nine tenths of the references remain."""

NEIGHBOURS = 15
"""Labelled pairs nearest in probability that a precision is counted on, at the least."""

MOST_WRONG = 60_000
"""Wrong pairs that the model is fitted to; more are thinned by a seeded draw, and weigh accordingly."""


@dataclass(frozen=True)
class Precision:
    """Share of labelled pairs with as much evidence that had the mechanism in common.

    Attributes
    ----------
    share : float
    low, high : float
        95 % interval (Wilson 1927).
    n : int
        Pairs it is counted on.
    """

    share: float
    low: float
    high: float
    n: int


class MatchProbability:
    """Probability that a treatment shares what a set of references carries.

    Parameters
    ----------
    look_alikes : LookAlikes
        Screen and references.
    structures : bool
        Fuse likeness of structures, where both sides have one.
    seed : int
        Of folds, and of which member a reference without the mechanism is scored without.
    """

    def __init__(self, look_alikes: LookAlikes, *, structures: bool, seed: int = 0) -> None:
        self.look_alikes = look_alikes
        self.scorer = SetScorer(look_alikes, structures=structures)
        self.structures = self.scorer.structures
        sets = [s for s in look_alikes.mechanisms.values() if s.sum() >= FEWEST_REFERENCES]
        pairs = [self._pairs(s, seed) for s in sets]
        self._model: Predict | None = None
        self._predicted, self._right = np.zeros(0), np.zeros(0, bool)
        # Scores of the null, by the model that has not seen them; the plain score where there is no model.
        self._nulls: list[tuple[Predict | None, NDArray[np.float64]]] = [
            (None, _sorted([found.score[null] for found, _, null in pairs]))
        ]
        if pairs:
            self._fit(pairs, seed)

    @property
    def fitted(self) -> bool:
        """Whether the references carry enough labels for a probability."""
        return self._model is not None

    @property
    def smallest_p(self) -> float:
        """Smallest p that can be reached; NaN without a null."""
        n = sum(len(null) for _, null in self._nulls)
        return 1 / (1 + n) if n else float("nan")

    def scores(self, members: NDArray[np.bool_], agreement: NDArray[np.float64]) -> SetScores:
        """Score the treatments of the screen for a set of references.

        Parameters
        ----------
        members : ndarray of bool (G,)
        agreement : ndarray of float64 (T,)
            Replicate agreement of the screen's treatments; NaN where unknown.
        """
        return self.scorer.of_queries(members, agreement)

    def p_values(self, scores: SetScores) -> NDArray[np.float64]:
        """Compute conformal p-values (Bates et al. 2023, doi:10.1214/22-AOS2244), (q,).

        The share of active references that do not carry what is asked, over all mechanisms, with as high a
        probability of doing so, each predicted by the model of a fold that has not seen it, as the query is
        (cross-conformal prediction, Vovk 2015, doi:10.1007/s10472-013-9368-4); with as high a standard score
        where no probability is given. NaN where there is no score.
        """
        if not np.isfinite(self.smallest_p):
            return np.full(len(scores.score), np.nan)
        above = np.zeros(len(scores.score))
        for model, null in self._nulls:
            found = scores.score if model is None else model(scores.features)
            above += len(null) - np.searchsorted(null, found, side="left")
        p = (1 + above) * self.smallest_p
        return np.where(np.isfinite(scores.score), p, np.nan)

    def probability(self, scores: SetScores) -> NDArray[np.float64]:
        """Compute the probability that each query shares what the set carries, (q,); NaN if unknown."""
        if self._model is None:
            return np.full(len(scores.score), np.nan)
        return np.where(np.isfinite(scores.score), self._model(scores.features), np.nan)

    def precision(self, probability: float) -> Precision | None:
        """Count how often labelled pairs of about this probability shared the mechanism.

        About: within a fifth of the way to the nearer of 0 and 1, plus .03; or the `NEIGHBOURS` nearest
        pairs, if these are fewer. ``None`` where no probability is given.
        """
        if not len(self._predicted) or not np.isfinite(probability):
            return None
        width = 0.2 * min(probability, 1 - probability) + 0.03
        low, high = np.searchsorted(self._predicted, [probability - width, probability + width])
        chosen = self._right[low:high]
        if len(chosen) < NEIGHBOURS:
            nearest = np.argsort(np.abs(self._predicted - probability), kind="stable")[:NEIGHBOURS]
            chosen = self._right[nearest]
        return Precision(*wilson(int(chosen.sum()), len(chosen)), len(chosen))

    def _pairs(
        self, members: NDArray[np.bool_], seed: int
    ) -> tuple[SetScores, NDArray[np.bool_], NDArray[np.bool_]]:
        """Score reference rows as if they were unknown: scores, which are right, which are the null.

        Each member is scored against the other members. So that nothing but the label tells right pairs from
        wrong ones, every other reference is scored against one of these smaller sets too, drawn by seed.
        """
        groups = self.scorer.groups
        left_out = np.flatnonzero(members)
        turn = np.random.default_rng([seed, 16, len(left_out)]).integers(len(left_out), size=len(members))
        without = np.where(members, np.arange(len(members)), left_out[turn])[groups]
        null = self.scorer.null_rows(members)
        scores: SetScores | None = None
        for group in left_out:
            others = members.copy()
            others[group] = False
            rows = np.flatnonzero(without == group)
            found = self.scorer.of_references(others, null, rows)
            if scores is None:
                scores = SetScores.empty(len(groups), found.features.shape[1])
            scores.fill(rows, found)
        assert scores is not None
        return scores, members[groups], null

    def _as_new(
        self, out: NDArray[np.bool_], model: Predict, null_rows: Mapping[str, NDArray[np.bool_]]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """Ask for all that the other references carry among references that are left out.

        As a user would ask: most of what is asked has no answer among them, and a question has all the
        references that remain. Pairs for which each compound is taken from its own set alone promise too
        much: a set that all others are scored against would be smaller than the one that they meet.

        Parameters
        ----------
        out : ndarray of bool (G,)
        model : callable
            That has not seen them.
        null_rows : mapping of str to ndarray of bool (R,)
            Rows of the null of each mechanism that is asked for.

        Returns
        -------
        probability, right, weight : ndarray (n,)
            Of the pairs of a compound left out and a set.
        null : ndarray (k,)
            The probabilities of active compounds that do not carry what is asked.
        """
        beside = LeftOut(self.look_alikes, out)
        rows = beside.left_out_rows
        groups = self.scorer.groups[rows]
        weight = 1.0 / np.bincount(groups, minlength=len(out))[groups]
        known = self.scorer.annotated[groups]
        scorer = SetScorer(beside, structures=self.structures)
        parts = []
        for name, members in beside.mechanisms.items():
            if members.sum() < FEWEST_ASKED or name not in null_rows:
                continue
            scores = scorer.of_queries(members, self.scorer.agreement[rows])
            there = known & np.isfinite(scores.score)
            right = self.look_alikes.mechanisms[name][groups][there]
            parts.append((scores.features[there], right, weight[there], null_rows[name][rows][there]))
        if not parts:
            return np.zeros(0), np.zeros(0, bool), np.zeros(0), np.zeros(0)
        features, right, shared, null = (np.concatenate(part) for part in zip(*parts, strict=True))
        probability = model(features)
        return probability, right, shared, probability[null]

    def _fit(
        self,
        pairs: Sequence[tuple[SetScores, NDArray[np.bool_], NDArray[np.bool_]]],
        seed: int,
    ) -> None:
        """Fit the model to all labelled pairs, and ask for folds of compounds as if they were new."""
        groups = self.scorer.groups
        known = self.scorer.annotated[groups]
        n = len(pairs)
        x = np.concatenate([scores.features[known] for scores, _, _ in pairs])
        y = np.concatenate([right[known] for _, right, _ in pairs])
        if y.sum() < FEWEST_RIGHT:
            return
        # Rows of one compound are doses of it: together they weigh as one.
        weight = np.tile((1.0 / np.bincount(groups)[groups])[known], n)
        used = np.ones(len(y), bool)
        if (wrong := np.flatnonzero(~y)).size > MOST_WRONG:
            used[wrong] = False
            used[np.random.default_rng([seed, 17]).choice(wrong, MOST_WRONG, replace=False)] = True
            weight[~y] *= wrong.size / MOST_WRONG
        of_pair = np.tile(groups[known], n)
        fold = np.random.default_rng([seed, 15]).permutation(len(self.look_alikes)) % FOLDS
        nulls = {
            name: self.scorer.null_rows(members)
            for name, members in self.look_alikes.mechanisms.items()
            if members.sum() >= FEWEST_REFERENCES
        }
        tried = []
        for number in range(FOLDS):
            inside = (fold != number)[of_pair] & used
            if y[inside].any() and (fold == number).any():
                without = logistic(x[inside], y[inside], weight[inside])
                tried.append((without, self._as_new(fold == number, without, nulls)))
        self._nulls = [(without, np.sort(found[3])) for without, found in tried]
        predicted, right, shared = (np.concatenate([found[i] for _, found in tried]) for i in range(3))
        # What the model claims of compounds it has not seen is drawn towards how often it was right there.
        recalibrated = recalibration(predicted, right.astype(bool), shared)
        shown = recalibrated(predicted)
        order = np.argsort(shown, kind="stable")
        self._predicted, self._right = shown[order], right[order].astype(bool)
        fitted = logistic(x[used], y[used], weight[used])
        self._model = lambda rows: recalibrated(fitted(rows))


def q_values(p: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the false-discovery rate of the treatments of one question, (q,); NaN where p is.

    Two estimates of it are made, and the lower one counts: Benjamini-Hochberg on p, and the mean of
    1 - probability over all treatments at least as probable (Efron 2008, doi:10.1214/07-STS236). The first
    finds the one right treatment among many, the second many right ones that no p could tell apart.

    Examples
    --------
    >>> q_values(np.array([0.01, 0.5]), np.array([0.99, 0.2])).round(3).tolist()
    [0.01, 0.405]
    """
    q = benjamini_hochberg(p)
    known = np.flatnonzero(np.isfinite(p) & np.isfinite(probability))
    order = known[np.argsort(-probability[known], kind="stable")]
    expected = np.cumsum(1.0 - probability[order]) / np.arange(1, len(order) + 1)
    # Treatments of one probability are claimed together or not at all.
    last = np.searchsorted(-probability[order], -probability[order], side="right") - 1
    q[order] = np.minimum(q[order], expected[last])
    return q


@lru_cache(maxsize=4096)
def wilson(right: int, n: int) -> tuple[float, float, float]:
    """Compute a share and its 95 % interval (Wilson 1927).

    Examples
    --------
    >>> [round(x, 3) for x in wilson(14, 34)]
    [0.412, 0.264, 0.578]
    """
    from scipy.stats import binomtest  # takes a while to import

    if n == 0:
        return float("nan"), 0.0, 1.0
    interval = binomtest(right, n).proportion_ci(method="wilson")
    return right / n, float(interval.low), float(interval.high)


def _sorted(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    every = np.concatenate([*parts, np.zeros(0)])
    return np.sort(every[np.isfinite(every)])
