"""Compare profiles and structures with reference treatments: soft votes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

SHARPNESS = 10.0
"""How fast a vote falls with likeness: exp(10 (likeness - 1)); 6 to 15 do about equally well on CPJUMP1."""

STRUCTURE_WEIGHT = 2.0
"""Weight of the logarithm of the structures' vote beside that of the profiles' vote."""

FINGERPRINT_BITS = 4096

MOST_TIMES = 64
"""A fragment counts as often at most."""


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


def soft_votes(likeness: NDArray[np.floating], sharpness: float = SHARPNESS) -> NDArray[np.float64]:
    """Turn likeness to reference treatments into votes that sum to 1.

    Parameters
    ----------
    likeness : ndarray (q, G)
        Cosine or Tanimoto, -inf for references that may not vote.
    sharpness : float

    Returns
    -------
    ndarray of float64 (q, G)
        Zero rows where nobody may vote.
    """
    exact = np.asarray(likeness, np.float64)
    votes = np.exp(sharpness * (exact - 1.0))
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
