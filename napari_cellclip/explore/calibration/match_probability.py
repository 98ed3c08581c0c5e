"""Calibrate the probability that a treatment shares what the references carry that it looks like.

References are labelled, so how often likeness meant a shared mechanism can be counted on them. Each is scored
as if it were unknown, against the others of a set; a logistic model of the pairs' evidence gives a
probability. The probabilities that a precision is counted on come from models that never saw the compound
(five folds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import LookAlikes, Votes
from napari_cellclip.explore.references.recognisable import group_votes, set_precisions
from napari_cellclip.explore.references.reference_set import ACTIVE

FEWEST_REFERENCES = 3
"""References that a mechanism must have to teach the model: one is left out, and two remain."""

FEWEST_RIGHT = 10
"""Right pairs without which no probability is given."""

FEWEST_NULL = 10
"""References without the mechanism that are needed to standardise scores on."""

FOLDS = 5

SHARED_BY = 2
"""Members of a set that must share a target for it to belong to what the set stands for."""

NEIGHBOURS = 15
"""Labelled pairs nearest in probability that a precision is counted on, at the least."""


@dataclass(frozen=True, eq=False)
class SetScores:
    """Scores of queries for one set of references.

    Attributes
    ----------
    looks, built : ndarray of float64 (q,)
        Log mean vote of the members by profiles and by structures; 0 is what random votes give, NaN where it
        cannot be told.
    looks_z, built_z : ndarray of float64 (q,)
        The same as standard scores among references that do not carry what is asked.
    score : ndarray of float64 (q,)
        Standard score of all the evidence in use.
    features : ndarray of float64 (q, K)
        What the probability is computed from.
    """

    looks: NDArray[np.float64]
    built: NDArray[np.float64]
    looks_z: NDArray[np.float64]
    built_z: NDArray[np.float64]
    score: NDArray[np.float64]
    features: NDArray[np.float64]


@dataclass(frozen=True)
class Precision:
    """How often labelled pairs with as much evidence shared the mechanism.

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
        self.structures = structures and look_alikes.own.structures is not None
        rows = look_alikes.rows
        self._groups = rows["group"].to_numpy(np.intp)
        self._agreement = np.nan_to_num(rows["agreement"].to_numpy(float))
        self._active = ~(rows["agreement_p"].to_numpy(float) > ACTIVE)
        self._votes, self._annotated = group_votes(look_alikes)
        self._structure_votes = group_votes(look_alikes, structures=True)[0] if self.structures else None
        sets = list(look_alikes.mechanisms.values())
        self._sets = np.array([s for s in sets if s.sum() >= 2], bool).reshape(-1, len(look_alikes))
        pairs = [self._pairs(s, seed) for s in sets if s.sum() >= FEWEST_REFERENCES]
        self._null = _sorted([found.score[null] for found, _, null in pairs])
        self._model: Any = None
        self._predicted, self._right = np.zeros(0), np.zeros(0, bool)
        if pairs:
            self._fit([found.features for found, _, _ in pairs], [right for _, right, _ in pairs], seed)

    @property
    def fitted(self) -> bool:
        """Whether the references carry enough labels for a probability."""
        return self._model is not None

    @property
    def smallest_p(self) -> float:
        """Smallest p that can be reached; NaN without a null."""
        return 1 / (1 + len(self._null)) if len(self._null) else float("nan")

    def scores(self, members: NDArray[np.bool_], agreement: NDArray[np.float64]) -> SetScores:
        """Score the treatments of the screen for a set of references.

        Parameters
        ----------
        members : ndarray of bool (G,)
        agreement : ndarray of float64 (T,)
            Replicate agreement of the screen's treatments; NaN where unknown.
        """
        return self._table(
            self.look_alikes.queries, members, np.nan_to_num(agreement), self._null_rows(members)
        )

    def p_values(self, scores: SetScores) -> NDArray[np.float64]:
        """Compute conformal p-values (Bates et al. 2023, doi:10.1214/22-AOS2244), (q,).

        The share of active references that do not carry what is asked, over all mechanisms, with a standard
        score as high; NaN where there is no score.
        """
        null = self._null
        if not len(null):
            return np.full(len(scores.score), np.nan)
        above = len(null) - np.searchsorted(null, scores.score, side="left")
        return np.where(np.isfinite(scores.score), (1 + above) / (1 + len(null)), np.nan)

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

    @property
    def labelled_pairs(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Held-out probabilities of labelled pairs, rising, and which pairs share the mechanism."""
        return self._predicted, self._right

    # ------------------------------------------------------------------ evidence

    def _pairs(
        self, members: NDArray[np.bool_], seed: int
    ) -> tuple[SetScores, NDArray[np.bool_], NDArray[np.bool_]]:
        """Score reference rows as if they were unknown: scores, which are right, which are the null.

        Each member is scored against the other members. So that nothing but the label tells right pairs from
        wrong ones, every other reference is scored against one of these smaller sets too, drawn by seed.
        """
        right = members[self._groups]
        left_out = np.flatnonzero(members)
        turn = np.random.default_rng([seed, 16, len(left_out)]).integers(len(left_out), size=len(members))
        without = np.where(members, np.arange(len(members)), left_out[turn])[self._groups]
        null = self._null_rows(members)
        columns: list[NDArray[np.float64]] | None = None
        for group in left_out:
            others = members.copy()
            others[group] = False
            found = self._table(self.look_alikes.own, others, self._agreement, null)
            parts = [
                found.looks, found.built, found.looks_z, found.built_z, found.score, found.features
            ]  # fmt: skip
            if columns is None:
                columns = [np.empty_like(part) for part in parts]
            rows = without == group
            for column, part in zip(columns, parts, strict=True):
                column[rows] = part[rows]
        assert columns is not None
        return SetScores(*columns), right, null

    def _null_rows(self, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Find active annotated references that neither carry what is asked nor share a target with it.

        A target or mechanism that two members or more have is part of what the set stands for: a reference
        that shares it is no example of something else.
        """
        related = members.copy()
        for carried in (self.look_alikes.genes, self.look_alikes.mechanisms):
            for others in carried.values():
                if np.count_nonzero(others & members) >= SHARED_BY:
                    related |= others
        other = ~related[self._groups] & self._annotated[self._groups]
        null = other & self._active
        return null if null.sum() >= FEWEST_NULL else other

    def _table(
        self,
        votes: Votes,
        members: NDArray[np.bool_],
        agreement: NDArray[np.float64],
        null: NDArray[np.bool_],
    ) -> SetScores:
        own = self.look_alikes.own
        looks, built = votes.looks(members), votes.built(members)
        looks_z = _standardised(looks, own.looks(members)[null])
        built_z = _standardised(built, own.built(members)[null])
        score = looks_z
        if self.structures:
            both = _standardised(votes.both(members), own.both(members)[null])
            score = np.where(np.isfinite(both), both, looks_z)
        allowed = votes.allowed & members
        margin = looks - self._best_other(votes, members)
        coherence, built_coherence = self._coherence(members)
        features = [
            looks,
            looks_z,
            margin,
            np.where(allowed, votes.likeness, -1.0).max(axis=1, initial=-1.0),
            agreement,
            np.full(len(looks), coherence),
            looks_z * coherence,
            margin * coherence,
            np.full(len(looks), np.log(max(int(members.sum()), 1))),
        ]
        if self.structures and votes.structures is not None:
            nearest = np.where(allowed, np.nan_to_num(votes.structures), 0.0).max(axis=1, initial=0.0)
            features += [
                np.nan_to_num(built),
                np.nan_to_num(built_z),
                np.log(nearest * len(members) + 0.1),
                np.full(len(looks), built_coherence),
                np.nan_to_num(built_z) * built_coherence,
            ]
        return SetScores(looks, built, looks_z, built_z, score, np.stack(features, axis=1))

    def _coherence(self, members: NDArray[np.bool_]) -> tuple[float, float]:
        """Log of average precision over chance of a set finding its own: by profiles, by structures."""
        size = int(members.sum())
        if size < 2:
            return 0.0, 0.0
        found = [0.0, 0.0]
        for i, votes in enumerate((self._votes, self._structure_votes)):
            if votes is not None:
                precision = float(set_precisions(votes, members[None])[0])
                found[i] = float(np.log(max(precision, 1e-6) * len(members) / size))
        return found[0], found[1]

    def _best_other(self, votes: Votes, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Highest log mean vote of any other mechanism, counted on its references outside the set."""
        others = self._sets & ~members
        others = others[others.sum(axis=1) >= 2].astype(np.float64)
        if not len(others):
            return np.zeros(len(votes.profiles))
        total = np.where(votes.allowed, votes.profiles, 0.0) @ others.T
        counted = votes.allowed.astype(np.float64) @ others.T
        mean = np.divide(total, counted, out=np.zeros_like(total), where=counted > 0)
        best = mean.max(axis=1) * np.maximum(votes.allowed.sum(axis=1), 1)
        return np.asarray(np.log(np.maximum(best, 1e-12)), np.float64)

    # ------------------------------------------------------------------ probability

    def _fit(self, features: list[NDArray[np.float64]], right: list[NDArray[np.bool_]], seed: int) -> None:
        """Fit the model to all labelled pairs, and hold out folds of compounds to judge it on."""
        known = self._annotated[self._groups]
        n = len(features)
        x = np.concatenate([part[known] for part in features])
        y = np.concatenate([part[known] for part in right])
        if y.sum() < FEWEST_RIGHT:
            return
        # Rows of one compound are doses of it: together they weigh as one.
        weight = np.tile((1.0 / np.bincount(self._groups)[self._groups])[known], n)
        groups = np.tile(self._groups[known], n)
        fold = np.random.default_rng([seed, 15]).permutation(len(self.look_alikes))[groups] % FOLDS
        held_out = np.full(len(y), np.nan)
        for number in range(FOLDS):
            inside = fold != number
            if y[inside].any() and not inside.all():
                held_out[~inside] = _logistic(x[inside], y[inside], weight[inside])(x[~inside])
        there = np.flatnonzero(np.isfinite(held_out))
        order = there[np.argsort(held_out[there], kind="stable")]
        self._predicted, self._right = held_out[order], y[order]
        self._model = _logistic(x, y, weight)


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float, float]:
    """Compute a share and its 95 % interval (Wilson 1927).

    Examples
    --------
    >>> [round(x, 3) for x in wilson(14, 34)]
    [0.412, 0.264, 0.578]
    """
    if n == 0:
        return float("nan"), 0.0, 1.0
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return share, float(max(0.0, centre - half)), float(min(1.0, centre + half))


def _standardised(values: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    there = null[np.isfinite(null)]
    if len(there) < 3:
        return values
    return (values - there.mean()) / max(float(there.std()), 1e-9)


def _sorted(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    every = np.concatenate([*parts, np.zeros(0)])
    return np.sort(every[np.isfinite(every)])


def _logistic(x: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64]) -> Any:
    """Fit a regularised logistic model of standardised features; returns a function of features."""
    from sklearn.linear_model import LogisticRegression

    mean = np.average(x, axis=0, weights=weight)
    sd = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    sd = np.where(sd > 1e-9, sd, 1.0)
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit((x - mean) / sd, y, sample_weight=weight)

    def predict(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        clean = np.clip(np.nan_to_num((rows - mean) / sd), -8, 8)
        return np.asarray(model.predict_proba(clean)[:, 1], np.float64) if len(rows) else np.zeros(0)

    return predict
