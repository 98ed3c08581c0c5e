"""Compare profiles and structures with reference treatments: soft votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

SHARPNESS = 10.0
"""How fast a vote falls with likeness: exp(10 (likeness - 1)); 6 to 15 do about equally well on CPJUMP1."""

STRUCTURE_WEIGHT = 2.0
"""Weight of the logarithm of the structures' vote beside that of the profiles' vote."""

FINGERPRINT_BITS = 4096

_APART = 8.0
"""Between the likenesses of two rows in one ordered list; they lie within -1 and 1."""

SMALLEST = 1e-12
"""Vote below which its logarithm falls no further."""

MOST_TIMES = 64
"""A fragment counts as often at most."""


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes of reference treatments for rows of queries.

    Attributes
    ----------
    likeness : ndarray of float64 (q, G)
        Cosine of the sphered profiles with the likest dose of each reference.
    allowed : ndarray of bool (q, G)
        Whether a reference may vote: not for itself under any name, nor for a treatment whose wells all lie
        at its own position, since positions carry effects of their own.
    profiles : ndarray of float64 (q, G)
        Soft votes by likeness of the profiles.
    structures : ndarray of float64 (q, G) or None
        Soft votes by likeness of the structures; NaN rows where a query has none. ``None`` without RDKit.
    """

    likeness: NDArray[np.float64]
    allowed: NDArray[np.bool_]
    profiles: NDArray[np.float64]
    structures: NDArray[np.float64] | None

    def looks(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log mean vote of the members by profiles, (q,); 0 is what random votes give."""
        mean = mean_vote(self.profiles[:, members], self.allowed[:, members])
        return np.asarray(np.log(np.maximum(mean * self.voters, SMALLEST)), np.float64)

    def built(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log mean vote of the members by structures, (q,); NaN where a structure is missing."""
        if self.structures is None:
            return np.full(len(self.profiles), np.nan)
        votes = self.structures[:, members]
        mean = mean_vote(votes, self.allowed[:, members] & np.isfinite(votes))
        return np.asarray(np.log(np.maximum(mean * self._structure_voters, SMALLEST)), np.float64)

    def among(self, rows: NDArray[np.intp], references: NDArray[np.intp]) -> Votes:
        """Votes for some of the rows, as if only some of the references were there."""
        at = np.ix_(rows, references)
        allowed = self.allowed[at]
        profiles = _of_their_sum(np.where(allowed, self.profiles[at], 0.0))
        structures = None
        if self.structures is not None:
            known = allowed & np.isfinite(self.structures[at])
            structures = np.where(known, _of_their_sum(np.where(known, self.structures[at], 0.0)), np.nan)
        return Votes(self.likeness[at], allowed, profiles, structures)

    @staticmethod
    def fused(looks: NDArray[np.float64], built: NDArray[np.float64]) -> NDArray[np.float64]:
        """Profiles and structures as one score, (q,); NaN where either is missing."""
        return looks + STRUCTURE_WEIGHT * built

    def nearer(self, rows: NDArray[np.intp], likeness: NDArray[np.float64]) -> NDArray[np.intp]:
        """Count the references that may vote and are likelier than this, for some rows, (len(rows),)."""
        n = self.likeness.shape[1]
        before = np.searchsorted(self._in_order, likeness + _APART * rows, side="right")
        return np.asarray(n * (rows + 1) - before, np.intp)

    @cached_property
    def _in_order(self) -> NDArray[np.float64]:
        """Likeness of each row from low to high, row after row, each `_APART` from the next."""
        lowest = np.where(self.allowed, self.likeness, -_APART / 2 + 1)
        lowest.sort(axis=1)
        return (lowest + _APART * np.arange(len(lowest))[:, None]).ravel()

    @cached_property
    def voters(self) -> NDArray[np.float64]:
        """Number of references that may vote, at least 1, (q,)."""
        return np.maximum(self.allowed.sum(axis=1), 1).astype(np.float64)

    @cached_property
    def _structure_voters(self) -> NDArray[np.float64]:
        assert self.structures is not None
        there = (self.allowed & np.isfinite(self.structures)).sum(axis=1)
        return np.maximum(there, 1).astype(np.float64)


def _of_their_sum(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    total = votes.sum(axis=1, keepdims=True)
    return np.asarray(votes / np.where(total > 0, total, 1.0), np.float64)


def best_of_groups(
    likeness: NDArray[np.floating], groups: NDArray[np.integer], n: int
) -> NDArray[np.float64]:
    """Take the largest likeness (q, R) over the rows of each group: (q, n); -inf for a group without rows."""
    out = np.full((len(likeness), n), -np.inf)
    if len(groups):
        order = np.argsort(groups, kind="stable")
        found, starts = np.unique(groups[order], return_index=True)
        out[:, found] = np.maximum.reduceat(likeness[:, order], starts, axis=1)
    return out


def soft_votes(likeness: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn likeness to reference treatments into votes that sum to 1.

    Parameters
    ----------
    likeness : ndarray (q, G)
        Cosine or Tanimoto, -inf for references that may not vote.

    Returns
    -------
    ndarray of float64 (q, G)
        Zero rows where nobody may vote.
    """
    exact = np.asarray(likeness, np.float64)
    votes = np.exp(SHARPNESS * (exact - 1.0))
    total = votes.sum(axis=1, keepdims=True)
    return votes / np.where(total > 0, total, 1.0)


def mean_vote(votes: NDArray[np.floating], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average the votes of a set's references that may vote, (q,); NaN where none of them may.

    Parameters
    ----------
    votes : ndarray (q, k)
        Of the references of the set.
    allowed : ndarray of bool (q, k)
    """
    n = allowed.sum(axis=1)
    total = np.where(allowed, votes, 0.0).sum(axis=1)
    return np.divide(total, n, out=np.full(len(votes), np.nan), where=n > 0)


def structure_likeness(queries: Sequence[str], references: Sequence[str]) -> NDArray[np.float64] | None:
    """Compute Tanimoto similarities of structures by Morgan counts (ECFP4, radius 2).

    Parameters
    ----------
    queries, references : sequence of str
        SMILES; empty where there is none.

    Returns
    -------
    ndarray of float64 (q, G) or None
        NaN where either has no readable structure; ``None`` where RDKit is not installed.
    """
    if find_spec("rdkit") is None:
        return None
    asked, asked_at = np.unique(np.array(queries, object).astype(str), return_inverse=True)
    known, known_at = np.unique(np.array(references, object).astype(str), return_inverse=True)
    one, two = _levels(asked.tolist()), _levels(known.tolist())
    shared = (one @ two.T).toarray().astype(np.float64)
    sizes = np.asarray(one.sum(axis=1), np.float64), np.asarray(two.sum(axis=1), np.float64).T
    together = sizes[0] + sizes[1] - shared
    there = (sizes[0] > 0) & (sizes[1] > 0)
    out = np.divide(shared, together, out=np.full(shared.shape, np.nan), where=there)
    return np.asarray(out[np.ix_(asked_at, known_at)], np.float64)


def _levels(structures: Sequence[str]) -> csr_matrix:
    """Write counts as ones, a column for each fragment and number of times, so that products count pairs."""
    rows, columns = [], []
    for row, text in enumerate(structures):
        for bit, count in _fragments(text).items():
            levels = range(min(count, MOST_TIMES))
            rows += [row] * len(levels)
            columns += [bit * MOST_TIMES + level for level in levels]
    ones = np.ones(len(rows), np.int32)
    return csr_matrix((ones, (rows, columns)), (len(structures), FINGERPRINT_BITS * MOST_TIMES))


@lru_cache(maxsize=65536)
def _fragments(smiles: str) -> dict[int, int]:
    """Morgan counts of a structure by bit; empty where there is none or RDKit cannot read it."""
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdFingerprintGenerator

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
    if molecule is None:
        return {}
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=FINGERPRINT_BITS)
    return {int(bit): int(n) for bit, n in maker.GetCountFingerprint(molecule).GetNonzeroElements().items()}
