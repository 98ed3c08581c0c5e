"""Score treatments for a set of references: what a probability of sharing it is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import LookAlikes, Votes
from napari_cellclip.explore.references.probability.recognisable import group_votes, set_precisions
from napari_cellclip.explore.references.reference_set import ACTIVE

FEWEST_NULL = 10
"""References without the mechanism that are needed to standardise scores on."""

SHARED_BY = 2
"""Members of a set that must share a target for it to belong to what the set stands for."""


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

    @classmethod
    def empty(cls, n: int, width: int) -> SetScores:
        """Make scores of `n` queries to be filled in."""
        looks, built, looks_z, built_z, score = np.full((5, n), np.nan)
        return cls(looks, built, looks_z, built_z, score, np.full((n, width), np.nan))

    def fill(self, rows: NDArray[np.intp], other: SetScores) -> None:
        """Put the scores of some queries into these rows."""
        for name in ("looks", "built", "looks_z", "built_z", "score", "features"):
            getattr(self, name)[rows] = getattr(other, name)


class SetScorer:
    """Scores of queries for sets of references, with what all sets share computed once.

    Parameters
    ----------
    look_alikes : LookAlikes
        Screen and references.
    structures : bool
        Fuse likeness of structures, where both sides have one.
    """

    def __init__(self, look_alikes: LookAlikes, *, structures: bool) -> None:
        self.look_alikes = look_alikes
        self.structures = structures and look_alikes.own.structures is not None
        rows = look_alikes.rows
        self.groups = rows["group"].to_numpy(np.intp)
        self.agreement = np.nan_to_num(rows["agreement"].to_numpy(float))
        self._active = ~(rows["agreement_p"].to_numpy(float) > ACTIVE)
        self._votes, self.annotated = group_votes(look_alikes)
        self._structure_votes = group_votes(look_alikes, structures=True)[0] if self.structures else None
        sets = list(look_alikes.mechanisms.values())
        self._sets = np.array([s for s in sets if s.sum() >= 2], bool).reshape(-1, len(look_alikes))

    def of_references(
        self, members: NDArray[np.bool_], null: NDArray[np.bool_], rows: NDArray[np.intp]
    ) -> SetScores:
        """Score some of the reference rows themselves."""
        return self._table(self.look_alikes.own, self._own_sums, members, self.agreement, null, rows)

    def of_queries(self, members: NDArray[np.bool_], agreement: NDArray[np.float64]) -> SetScores:
        """Score the treatments of the screen.

        A treatment that is itself a member is scored for the set without it throughout, so that its own label
        changes nothing about its score.
        """
        queries, agreement = self.look_alikes.queries, np.nan_to_num(agreement)
        sums, every = self._query_sums, np.arange(len(agreement))
        whole = self._table(queries, sums, members, agreement, self.null_rows(members), every)
        own = members & self.look_alikes.same_treatment
        for pattern in np.unique(own[own.any(axis=1)], axis=0):
            others = members & ~pattern
            rows = np.flatnonzero((own == pattern).all(axis=1))
            if others.any():
                null = self.null_rows(others, pattern)
                whole.fill(rows, self._table(queries, sums, others, agreement, null, rows))
        return whole

    def null_rows(
        self, members: NDArray[np.bool_], left_out: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Find active annotated references that neither carry what is asked nor share a target with it.

        A target or mechanism that two members or more have is part of what the set stands for: a reference
        that shares it is no example of something else. References left out are none either.
        """
        related = members.copy() if left_out is None else members | left_out
        for carried in (self.look_alikes.genes, self.look_alikes.mechanisms):
            for others in carried.values():
                if np.count_nonzero(others & members) >= SHARED_BY:
                    related |= others
        other = ~related[self.groups] & self.annotated[self.groups]
        null = other & self._active
        return null if null.sum() >= FEWEST_NULL else other

    # ------------------------------------------------------------------ evidence

    @cached_property
    def _own_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._sums(self.look_alikes.own)

    @cached_property
    def _query_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._sums(self.look_alikes.queries)

    def _sums(self, votes: Votes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum of the votes of each mechanism's references, and how many may vote: (q, S) each."""
        sets = self._sets.T.astype(np.float64)
        return np.where(votes.allowed, votes.profiles, 0.0) @ sets, votes.allowed.astype(np.float64) @ sets

    def _table(
        self,
        votes: Votes,
        sums: tuple[NDArray[np.float64], NDArray[np.float64]],
        members: NDArray[np.bool_],
        agreement: NDArray[np.float64],
        null: NDArray[np.bool_],
        rows: NDArray[np.intp],
    ) -> SetScores:
        own = self.look_alikes.own
        own_looks, own_built = own.looks(members), own.built(members)
        if votes is own:
            looks, built = own_looks[rows], own_built[rows]
        else:
            looks, built = votes.looks(members)[rows], votes.built(members)[rows]
        looks_z = _standardised(looks, own_looks[null])
        built_z = _standardised(built, own_built[null])
        score = looks_z
        if self.structures:
            both = _standardised(votes.fused(looks, built), own.fused(own_looks, own_built)[null])
            score = np.where(np.isfinite(both), both, looks_z)
        at = np.ix_(rows, np.flatnonzero(members))
        allowed, size = votes.allowed[at], int(members.sum())
        margin = looks - self._best_other(votes, sums, members, rows)
        coherence, built_coherence = self._coherence(members)
        features = [
            looks,
            looks_z,
            margin,
            np.where(allowed, votes.likeness[at], -1.0).max(axis=1, initial=-1.0),
            agreement[rows],
            np.full(len(looks), coherence),
            looks_z * coherence,
            margin * coherence,
            np.full(len(looks), np.log(max(size, 1))),
        ]
        if self.structures and votes.structures is not None:
            nearest = np.where(allowed, np.nan_to_num(votes.structures[at]), 0.0)
            features += [
                np.nan_to_num(built),
                np.nan_to_num(built_z),
                np.log(nearest.max(axis=1, initial=0.0) * len(members) + 0.1),
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

    def _best_other(
        self,
        votes: Votes,
        sums: tuple[NDArray[np.float64], NDArray[np.float64]],
        members: NDArray[np.bool_],
        rows: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Highest log mean vote of any other mechanism, counted on its references outside the set."""
        some = (self._sets & ~members).sum(axis=1) >= 2
        if not some.any():
            return np.zeros(len(rows))
        inside = self._sets[some][:, members].T.astype(np.float64)
        at, other = np.ix_(rows, np.flatnonzero(members)), np.ix_(rows, np.flatnonzero(some))
        allowed = votes.allowed[at]
        total = sums[0][other] - np.where(allowed, votes.profiles[at], 0.0) @ inside
        counted = sums[1][other] - allowed.astype(np.float64) @ inside
        mean = np.divide(total, counted, out=np.zeros_like(total), where=counted > 0)
        best = mean.max(axis=1) * votes.voters[rows]
        return np.asarray(np.log(np.maximum(best, 1e-12)), np.float64)


def _standardised(values: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    there = null[np.isfinite(null)]
    if len(there) < 3:
        return values
    return (values - there.mean()) / max(float(there.std()), 1e-9)
