"""Scores of one direction for wells and treatments, and of several directions put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

NOT_P = 0.05
"""p up to which a treatment counts as answering what it must not."""


@dataclass(frozen=True)
class QueryPart:
    """One direction of a question, or several of which the best counts.

    Attributes
    ----------
    vectors : tuple of ndarray of float32 (E,)
        Unit directions.
    weights : tuple of float
        Of the texts a direction is the sum of.
    role : {"sum", "and", "not"}
        What is asked; what wells must answer also; what they must not answer.
    """

    vectors: tuple[NDArray[np.float32], ...]
    weights: tuple[float, ...]
    role: Literal["sum", "and", "not"]

    @property
    def is_single_text(self) -> bool:
        """Whether it is one text as it stands, of which a model's empirical null speaks."""
        return len(self.vectors) == 1 and self.weights == (1.0,)


@dataclass(frozen=True)
class QueryScores:
    """Scores and p-values of a direction for the wells and treatments of a screen.

    Attributes
    ----------
    cosine, score : ndarray of float32 (n,)
        Of each embedded well: cosine, and standard score against its plate's controls.
    treatment_score : ndarray of float64 (T,)
        Mean score of each treatment at each dose.
    p : ndarray of float64 (T,)
        The larger of two: of doing nothing, and of fitting other texts as well; NaN where it cannot be told.
    p_after_filter : ndarray of float64 (T,)
        The same, valid also after inactive treatments are left out; q is computed from it.
    smallest_p : ndarray of float64 (T,)
        The smallest p that each treatment could have got.
    random_share : ndarray of float64 (T,)
        Share of random directions that fit a treatment as well, before the model's empirical null.
    """

    cosine: NDArray[np.float32]
    score: NDArray[np.float32]
    treatment_score: NDArray[np.float64]
    p: NDArray[np.float64]
    p_after_filter: NDArray[np.float64]
    smallest_p: NDArray[np.float64]
    random_share: NDArray[np.float64]


def combine_parts(found: Sequence[QueryScores], parts: Sequence[QueryPart]) -> QueryScores:
    """Combine the scores of the parts of a question.

    Wells must answer every part: the lowest score and the largest p count. If they must not answer one, what
    they score there is subtracted, and a treatment that answers it (p of 0.05 or less) cannot match.
    """
    total = found[0]
    for other, part in zip(found[1:], parts[1:], strict=True):
        if part.role == "not":
            vetoed = other.p <= NOT_P
            total = replace(
                total,
                cosine=total.cosine - np.maximum(other.cosine, 0),
                score=total.score - np.maximum(other.score, 0),
                treatment_score=total.treatment_score - np.maximum(other.treatment_score, 0),
                p=np.where(vetoed, 1.0, total.p),
                p_after_filter=np.where(vetoed, 1.0, total.p_after_filter),
            )
        else:
            total = QueryScores(
                np.minimum(total.cosine, other.cosine),
                np.minimum(total.score, other.score),
                np.minimum(total.treatment_score, other.treatment_score),
                np.maximum(total.p, other.p),
                np.maximum(total.p_after_filter, other.p_after_filter),
                np.maximum(total.smallest_p, other.smallest_p),
                np.maximum(total.random_share, other.random_share),
            )
    return total


def combine_z(z: Sequence[NDArray[np.float64]], parts: Sequence[QueryPart]) -> NDArray[np.float64]:
    """Combine how far wells stand out in the parts of a question, as :func:`combine_parts` does scores."""
    total = z[0]
    for other, part in zip(z[1:], parts[1:], strict=True):
        total = total - np.maximum(other, 0) if part.role == "not" else np.minimum(total, other)
    return total
