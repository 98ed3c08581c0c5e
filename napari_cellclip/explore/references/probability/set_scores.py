"""Score treatments for a set of references: what a probability of sharing it is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.references.likeness.votes import Votes
from napari_cellclip.explore.references.look_alikes import Compared
from napari_cellclip.explore.references.probability.recognisable import group_votes, set_precisions
from napari_cellclip.explore.references.reference_set import ACTIVE

FEWEST_NULL = 10
"""References without the mechanism that are needed to standardise scores on."""

FEWEST_TO_STANDARDISE = 4
"""Scores that a mean and a spread are taken of."""

COHERENCE_PRIOR = 3.0
"""Members, beside one, that the coherence of a set must have to count half."""

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
    look_alikes : Compared
        Screen and references.
    structures : bool
        Fuse likeness of structures, where both sides have one.
    """

    def __init__(self, look_alikes: Compared, *, structures: bool) -> None:
        self.look_alikes = look_alikes
        self.structures = structures and look_alikes.own.structures is not None
        rows = look_alikes.rows
        self.groups = rows["group"].to_numpy(np.intp)
        self.agreement = np.nan_to_num(rows["agreement"].to_numpy(float))
        self._active = ~(rows["agreement_p"].to_numpy(float) > ACTIVE)
        carried = [*look_alikes.genes.values(), *look_alikes.mechanisms.values()]
        # As numbers: which of them many sets share is one product.
        self._carried = np.array(carried, np.float32).reshape(len(carried), len(look_alikes))
        self._votes, self.annotated = group_votes(look_alikes)
        self._structure_votes = group_votes(look_alikes, structures=True)[0] if self.structures else None

    def of_references(
        self, members: NDArray[np.bool_], null: NDArray[np.bool_], rows: NDArray[np.intp]
    ) -> SetScores:
        """Score some of the reference rows themselves."""
        return self._table(self.look_alikes.own, members, self.agreement, null, rows)

    def of_queries(self, members: NDArray[np.bool_], agreement: NDArray[np.float64]) -> SetScores:
        """Score the treatments of the screen.

        A treatment that is itself a member is scored for the set without it throughout, so that its own label
        changes nothing about its score.
        """
        queries, agreement = self.look_alikes.queries, np.nan_to_num(agreement)
        every = np.arange(len(agreement))
        whole = self._table(queries, members, agreement, self.null_rows(members), every)
        own = members & self.look_alikes.same_treatment
        for pattern in np.unique(own[own.any(axis=1)], axis=0) if own.any() else ():
            others = members & ~pattern
            rows = np.flatnonzero((own == pattern).all(axis=1))
            if others.any():
                null = self.null_rows(others, pattern)
                whole.fill(rows, self._table(queries, others, agreement, null, rows))
        return whole

    def null_rows(
        self, members: NDArray[np.bool_], left_out: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Find active annotated references that neither carry what is asked nor share a target with it.

        A target or mechanism that two members or more have is part of what the set stands for: a reference
        that shares it is no example of something else. References left out are none either.
        """
        related = members.copy() if left_out is None else members | left_out
        related |= self._carried[self._carried @ members.astype(np.float32) >= SHARED_BY].any(axis=0)
        other = ~related[self.groups] & self.annotated[self.groups]
        null = other & self._active
        return null if null.sum() >= FEWEST_NULL else other

    # ------------------------------------------------------------------ evidence

    def _table(
        self,
        votes: Votes,
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
        inside = null[rows] if votes is own else False
        looks_z = _standardised(looks, own_looks[null], inside)
        built_z = _standardised(built, own_built[null], inside)
        score = looks_z
        if self.structures:
            both = _standardised(votes.fused(looks, built), own.fused(own_looks, own_built)[null], inside)
            score = np.where(np.isfinite(both), both, looks_z)
        every = self._evidence(own, members)
        known = every if votes is own else self._evidence(votes, members)
        nearer = votes.nearer(rows, known.nearest[rows])
        looks_odds, nearest, near_before = (
            _standardised(known.looks_odds[rows], every.looks_odds[null], inside),
            _standardised(known.nearest[rows], every.nearest[null], inside),
            -np.log1p(nearer),
        )
        n = len(looks)
        coherence = self.coherence(members)
        features = [
            looks_odds,
            nearest,
            near_before,
            agreement[rows],
            np.full(n, coherence[0]),
            looks_odds * coherence[0],
            nearest * coherence[0],
        ]
        if self.structures:
            built_odds = np.nan_to_num(_standardised(known.built_odds[rows], every.built_odds[null], inside))
            features += [
                built_odds,
                np.log(known.built_nearest[rows] * len(members) + 0.1),
                np.full(n, coherence[1]),
                built_odds * coherence[1],
            ]
        return SetScores(looks, built, looks_z, built_z, score, np.nan_to_num(np.stack(features, axis=1)))

    @staticmethod
    def _evidence(votes: Votes, members: NDArray[np.bool_]) -> _Evidence:
        allowed = votes.allowed[:, members]
        expected = allowed.sum(axis=1) / votes.voters
        share = np.where(allowed, votes.profiles[:, members], 0.0).sum(axis=1)
        likeness = np.where(allowed, votes.likeness[:, members], -1.0).max(axis=1, initial=-1.0)
        built_odds, built_nearest = np.full(len(share), np.nan), np.zeros(len(share))
        if votes.structures is not None:
            built = votes.structures[:, members]
            there = allowed & np.isfinite(built)
            built_share = np.where(there, built, 0.0).sum(axis=1)
            some = there.any(axis=1)
            built_odds[some] = _log_odds(built_share[some]) - _log_odds(expected[some])
            built_nearest = np.where(there, built, 0.0).max(axis=1, initial=0.0)
        return _Evidence(
            _log_odds(share) - _log_odds(expected),
            likeness,
            built_odds,
            built_nearest,
        )

    def coherence(self, members: NDArray[np.bool_]) -> tuple[float, float]:
        """Compute how well a set finds its own, by profiles and by structures: log of precision over chance.

        Shrunken towards 0, more so for few members: of two or three it is a matter of one likeness.
        """
        size = int(members.sum())
        if size < 2:
            return 0.0, 0.0
        found = [0.0, 0.0]
        for i, votes in enumerate((self._votes, self._structure_votes)):
            if votes is not None:
                precision = float(set_precisions(votes, members[None])[0])
                log_ratio = float(np.log(max(precision, 1e-6) * len(members) / size))
                found[i] = log_ratio * (size - 1) / (size - 1 + COHERENCE_PRIOR)
        return found[0], found[1]


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Evidence of queries for a set, (q,) each.

    Attributes
    ----------
    looks_odds, built_odds : ndarray of float64
        Log odds of the members' share of all votes, less those of random votes. Odds and not shares: a
        share of .9 stands out more from .8 than .2 does from .1.
    nearest : ndarray of float64
        Cosine with the likest member.
    built_nearest : ndarray of float64
        Vote of the member that is built likest.
    """

    looks_odds: NDArray[np.float64]
    nearest: NDArray[np.float64]
    built_odds: NDArray[np.float64]
    built_nearest: NDArray[np.float64]


def _log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(share, 1e-6, 1 - 1e-4)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _standardised(
    values: NDArray[np.float64], null: NDArray[np.float64], inside: NDArray[np.bool_] | bool
) -> NDArray[np.float64]:
    """Standardise values on a null; those `inside` it on the others of it, as one from outside would be."""
    there = null[np.isfinite(null)]
    if (n := len(there)) < FEWEST_TO_STANDARDISE:
        return values
    mean, variance = float(there.mean()), float(there.var())
    apart = values - mean
    rest = (n * variance - apart**2 * n / (n - 1)) / (n - 1)
    among = (values - (n * mean - values) / (n - 1)) / np.sqrt(np.maximum(rest, 1e-18))
    return np.where(inside, among, apart / max(np.sqrt(variance), 1e-9))
