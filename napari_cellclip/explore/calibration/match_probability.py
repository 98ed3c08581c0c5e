"""Calibrate the probability that a treatment shares a mechanism with the references it looks like.

References are labelled, so how often likeness meant a shared mechanism can be counted on them: each is compared
with all the others as if it were unknown (leave one compound out), and a logistic model of the pairs' evidence
gives a probability. The pairs it is judged on are never those it was fitted on (five folds over compounds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import LookAlikes, Votes
from napari_cellclip.explore.references.recognisable import group_votes, set_precisions

FEWEST_REFERENCES = 3
"""References that a mechanism must have to teach the model: one is left out, and two must remain."""

FEWEST_RIGHT = 10
"""Right pairs without which no probability is given."""

FOLDS = 5

SHARED_BY = 2
"""Members of a set that must share a target for it to belong to what the set stands for."""

NEIGHBOURS = 30
"""Pairs nearest in probability that a statement of precision rests on, at the least."""

NAMES = ("looks", "z", "margin", "nearest", "agreement", "coherence", "size")
STRUCTURE_NAMES = ("built", "built_z", "nearest_structure")


@dataclass(frozen=True, eq=False)
class SetScores:
    """Scores of queries for one set of references.

    Attributes
    ----------
    looks, built : ndarray of float64 (q,)
        Log mean vote of the members by profiles and by structures; 0 is what chance gives.
    score : ndarray of float64 (q,)
        Standard score of the evidence in use among references that do not carry what is asked.
    features : ndarray of float64 (q, K)
        What the probability is computed from.
    """

    looks: NDArray[np.float64]
    built: NDArray[np.float64]
    z: NDArray[np.float64]
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
        Of the folds.
    """

    def __init__(self, look_alikes: LookAlikes, *, structures: bool, seed: int = 0) -> None:
        self.look_alikes = look_alikes
        self.structures = structures and look_alikes.own.structures is not None
        rows = look_alikes.rows
        self._groups = rows["group"].to_numpy(np.intp)
        self._agreement = np.nan_to_num(rows["agreement"].to_numpy(float))
        self._active = ~(rows["agreement_p"].to_numpy(float) > 0.05)
        self._group_votes, annotated = group_votes(look_alikes)
        self._group_structures = group_votes(look_alikes, structures=True)[0] if self.structures else None
        self._annotated = annotated
        self._mechanisms = {
            name: members
            for name, members in look_alikes.mechanisms.items()
            if members.sum() >= FEWEST_REFERENCES
        }
        self._matrix = np.array(
            [members for members in look_alikes.mechanisms.values() if members.sum() >= 2], bool
        ).reshape(-1, len(look_alikes))
        self._own_tables = {name: self._of_own(members, seed) for name, members in self._mechanisms.items()}
        self._fit(seed)

    # ---------------------------------------------------------------- evidence

    def scores(self, members: NDArray[np.bool_], agreement: NDArray[np.float64]) -> SetScores:
        """Score the treatments of the screen for a set of references.

        Parameters
        ----------
        members : ndarray of bool (G,)
        agreement : ndarray of float64 (T,)
            Replicate agreement of the screen's treatments; NaN where unknown.
        """
        null = self._null_rows(members)
        mean, sd = _moments(self.look_alikes.own, members, null)
        coherence = np.tile(self._coherence(members), (len(agreement), 1))
        return self._table(
            self.look_alikes.queries, members, np.nan_to_num(agreement), coherence, mean, sd
        )

    def _of_own(self, members: NDArray[np.bool_], seed: int) -> dict[str, Any]:
        """Score reference rows as if they were unknown: members against the others, the rest alike.

        Each member is left out in turn and scored against the remaining set; so that nothing but the label
        tells right pairs from wrong ones, each other reference is scored against one of the same sets.
        """
        votes = self.look_alikes.own
        right = members[self._groups]
        left_out = np.flatnonzero(members)
        turn = np.random.default_rng([seed, 16, len(left_out)]).integers(len(left_out), size=len(members))
        assigned = np.where(members, np.arange(len(members)), left_out[turn])[self._groups]
        null = self._null_rows(members)
        features: NDArray[np.float64] | None = None
        zs = np.full((len(right), 2), np.nan)
        for group in left_out:
            without = members.copy()
            without[group] = False
            mean, sd = _moments(votes, without, null)
            coherence = np.tile(self._coherence(without), (len(right), 1))
            table = self._table(votes, without, self._agreement, coherence, mean, sd)
            if features is None:
                features = np.empty_like(table.features)
            rows = assigned == group
            features[rows] = table.features[rows]
            zs[rows, 0] = table.z[rows]
            zs[rows, 1] = table.score[rows]
        assert features is not None
        return {"right": right, "features": features, "null": null, "z": zs}

    def _null_rows(self, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Active annotated references that neither carry what is asked nor share a target with it.

        A target or mechanism that two members or more have is part of what the set stands for: who shares it
        is no example of something else.
        """
        right = members[self._groups]
        related = np.zeros(len(members), bool)
        for carried in (self.look_alikes.genes, self.look_alikes.mechanisms):
            for others in carried.values():
                if np.count_nonzero(others & members) >= SHARED_BY:
                    related |= others
        null = ~right & ~related[self._groups] & self._active & self._annotated[self._groups]
        return null if null.sum() >= 10 else ~right

    def _coherence(self, members: NDArray[np.bool_]) -> tuple[float, float]:
        """How well a set finds its own members, by profiles and by structures: log of precision over chance."""
        size = int(members.sum())
        if size < 2:
            return (0.0, 0.0)
        found = []
        for votes in (self._group_votes, self._group_structures):
            if votes is None:
                found.append(0.0)
                continue
            chance = size / len(members)
            found.append(float(np.log(max(set_precisions(votes, members[None])[0], 1e-6) / chance)))
        return (found[0], found[1])

    def _table(
        self,
        votes: Votes,
        members: NDArray[np.bool_],
        agreement: NDArray[np.float64],
        coherence: NDArray[np.float64],
        mean: NDArray[np.float64],
        sd: NDArray[np.float64],
    ) -> SetScores:
        looks, built = votes.looks(members), votes.built(members)
        z = (looks - mean[0]) / sd[0]
        built_z = (built - mean[1]) / sd[1]
        both = (votes.both(members) - mean[2]) / sd[2]
        use = np.isfinite(both) & self.structures
        score = np.where(use, both, z)
        nearest = np.where(votes.allowed & members, votes.likeness, -1.0).max(axis=1, initial=-1.0)
        other = self._best_other(votes, members)
        columns = [
            looks,
            z,
            looks - other,
            nearest,
            agreement,
            coherence[:, 0],
            z * coherence[:, 0],
            (looks - other) * coherence[:, 0],
            np.full(len(looks), np.log(max(int(members.sum()), 1))),
        ]
        if self.structures:
            assert votes.structures is not None
            closest = np.where(votes.allowed & members, np.nan_to_num(votes.structures), 0.0).max(axis=1)
            bz = np.nan_to_num(built_z)
            columns += [np.nan_to_num(built), bz, np.log(closest * len(members) + 0.1), coherence[:, 1], bz * coherence[:, 1]]
        return SetScores(looks, built, z, score, np.stack(columns, axis=1))

    def _best_other(self, votes: Votes, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Highest log mean vote of any other mechanism, counted on its references outside the set."""
        others = self._matrix & ~members
        others = others[others.sum(axis=1) >= 2].astype(np.float64)
        if not len(others):
            return np.zeros(len(votes.profiles))
        allowed = votes.allowed.astype(np.float64)
        total = (votes.profiles * votes.allowed) @ others.T
        counted = allowed @ others.T
        mean = np.divide(total, counted, out=np.zeros_like(total), where=counted > 0)
        best = mean.max(axis=1) * np.maximum(votes.allowed.sum(axis=1), 1)
        return np.asarray(np.log(np.maximum(best, 1e-12)), np.float64)

    # ---------------------------------------------------------------- probability

    def _fit(self, seed: int) -> None:
        self._model: Any = None
        self._shown: tuple[NDArray[np.float64], NDArray[np.bool_]] = (np.zeros(0), np.zeros(0, bool))
        parts = [own for own in self._own_tables.values()]
        if not parts:
            return
        # Rows of one compound are doses of it: together they weigh as one.
        count = np.bincount(self._groups)[self._groups]
        known = self._annotated[self._groups]
        features = np.concatenate([own["features"][known] for own in parts])
        right = np.concatenate([own["right"][known] for own in parts])
        weight = np.concatenate([(1.0 / count)[known] for _ in parts])
        groups = np.concatenate([self._groups[known] for _ in parts])
        if right.sum() < FEWEST_RIGHT:
            return
        fold = np.random.default_rng([seed, 15]).permutation(len(self.look_alikes))[groups] % FOLDS
        held_out = np.full(len(right), np.nan)
        for number in range(FOLDS):
            inside = fold != number
            if right[inside].any():
                held_out[~inside] = _logistic(features[inside], right[inside], weight[inside])(
                    features[~inside]
                )
        null = np.concatenate([own["null"][known] for own in parts])
        zs = np.concatenate([own["z"][own["null"]] for own in parts])
        self._null_z = [np.sort(zs[np.isfinite(zs[:, i]), i]) for i in (0, 1)]
        self._null_probability = np.sort(held_out[null & np.isfinite(held_out)])
        kept = np.isfinite(held_out)
        order = np.argsort(held_out[kept], kind="stable")
        self._shown = (held_out[kept][order], right[kept][order])
        self._model = _logistic(features, right, weight)

    @property
    def fitted(self) -> bool:
        """Whether the references carry enough labels for a probability."""
        return self._model is not None

    def probability(self, scores: SetScores) -> NDArray[np.float64]:
        """Probability that each query shares what the set carries, (q,); NaN where it cannot be told."""
        if self._model is None:
            return np.full(len(scores.looks), np.nan)
        out = self._model(scores.features)
        return np.where(np.isfinite(scores.score), out, np.nan)

    def p_z(self, z, which):
        null = self._null_z[which]
        return (1 + len(null) - np.searchsorted(null, z, side="left")) / (1 + len(null))

    def p_of(self, probability):
        null = self._null_probability
        return (1 + len(null) - np.searchsorted(null, probability, side="left")) / (1 + len(null))

    def precision(self, probability: float) -> Precision | None:
        """Count how often labelled pairs of about this probability shared the mechanism.

        The pairs are those whose own probability, from a model that never saw their compound, lies within a
        fifth of the way (at least .02) around it, or the `NEIGHBOURS` nearest if these are fewer.
        """
        predicted, right = self._shown
        if not len(predicted) or not np.isfinite(probability):
            return None
        width = max(0.02, 0.2 * min(probability, 1 - probability) + 0.03)
        low, high = np.searchsorted(predicted, [probability - width, probability + width])
        if high - low < NEIGHBOURS:
            nearest = np.argsort(np.abs(predicted - probability), kind="stable")[:NEIGHBOURS]
            chosen = right[nearest]
        else:
            chosen = right[low:high]
        return Precision(*wilson(int(chosen.sum()), len(chosen)), len(chosen))

    def reliability(self) -> Mapping[str, NDArray[np.float64]]:
        """Held-out probabilities of all labelled pairs and whether they were right, for a reliability plot."""
        predicted, right = self._shown
        return {"predicted": predicted, "right": right.astype(np.float64)}


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float, float]:
    """Compute a share and its 95 % interval (Wilson 1927)."""
    if n == 0:
        return float("nan"), 0.0, 1.0
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return share, float(max(0.0, centre - half)), float(min(1.0, centre + half))


def _moments(
    votes: Votes, members: NDArray[np.bool_], null: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over null rows of the three scores: looks, built, both."""
    mean, sd = np.zeros(3), np.ones(3)
    for i, values in enumerate((votes.looks(members), votes.built(members), votes.both(members))):
        there = values[null & np.isfinite(values)]
        if len(there) > 2:
            mean[i], sd[i] = there.mean(), max(float(there.std()), 1e-9)
    return mean, sd


def _logistic(
    features: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> Any:
    """Fit a regularised logistic model of standardised features; returns a function of features."""
    from sklearn.linear_model import LogisticRegression

    mean = np.average(features, axis=0, weights=weight)
    sd = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weight))
    sd = np.where(sd > 1e-9, sd, 1.0)
    model = LogisticRegression(C=1.0, max_iter=500)
    model.fit((features - mean) / sd, right, sample_weight=weight)

    def predict(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(rows):
            return np.zeros(0)
        clean = np.clip(np.nan_to_num((rows - mean) / sd), -8, 8)
        return np.asarray(model.predict_proba(clean)[:, 1], np.float64)

    return predict
