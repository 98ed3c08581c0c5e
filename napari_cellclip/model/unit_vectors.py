"""Embeddings as vectors of length 1, whose products are cosines."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)


def unit_rows(
    vectors: NDArray[np.floating],
    dtype: type[Float] = np.float32,  # type: ignore[assignment]  # a default of a type variable
) -> NDArray[Float]:
    """Scale rows to length 1, computed in `dtype`; rows of zeros stay zero."""
    exact = np.asarray(vectors, dtype)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.where(lengths > 0, lengths, dtype(1)), dtype)
