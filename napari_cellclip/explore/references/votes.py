"""Compare profiles and structures with reference treatments: soft votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARPNESS = 10.0
"""How fast a vote falls with likeness: exp(10 (likeness - 1)); 6 to 15 do about equally well on CPJUMP1."""

STRUCTURE_WEIGHT = 2.0
"""Weight of the logarithm of the structures' vote beside that of the profiles' vote."""

FINGERPRINT_BITS = 4096


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale rows to length 1; zeros stay."""
    exact = np.asarray(vectors, np.float64)
    length = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(length > 0, length, 1)


def best_of_groups(
    likeness: NDArray[np.floating], groups: NDArray[np.integer], n: int
) -> NDArray[np.float64]:
    """Take the largest likeness (q, R) over the rows of each group: (q, n); -inf for a group without rows."""
    out = np.full((len(likeness), n), -np.inf)
    for row, group in enumerate(groups):
        np.maximum(out[:, group], likeness[:, row], out=out[:, group])
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


def mean_vote(
    votes: NDArray[np.floating], members: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Average the votes of the references of a set that may vote; NaN where none of them may.

    Parameters
    ----------
    votes : ndarray (q, G)
    members : ndarray of bool (G,)
        References that carry what is asked.
    allowed : ndarray of bool (q, G)
    """
    counted = allowed & members
    n = counted.sum(axis=1)
    total = np.where(counted, votes, 0.0).sum(axis=1)
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
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdFingerprintGenerator
        from rdkit.DataStructs import BulkTanimotoSimilarity
    except ImportError:
        return None
    maker = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=FINGERPRINT_BITS)

    def prints(texts: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        for text in texts:
            molecule = Chem.MolFromSmiles(text) if text else None
            found.append(maker.GetCountFingerprint(molecule) if molecule is not None else None)
        return found

    with rdBase.BlockLogs():
        asked, known = prints(queries), prints(references)
    there = [i for i, print_ in enumerate(known) if print_ is not None]
    out = np.full((len(asked), len(known)), np.nan)
    for row, print_ in enumerate(asked):
        if print_ is not None and there:
            out[row, there] = BulkTanimotoSimilarity(print_, [known[i] for i in there])
    return out
