"""Embeddings as vectors of length 1, whose products are cosines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)

BLOCK_VALUES = 1 << 18
"""Numbers worked on at once, which stay in the processor's cache: a megabyte in single precision."""


def unit_rows(
    vectors: NDArray[np.floating],
    dtype: type[Float] = np.float32,  # type: ignore[assignment]  # a default of a type variable
) -> NDArray[Float]:
    """Scale rows to length 1, computed in `dtype`; rows of zeros stay zero."""
    exact = np.asarray(vectors, dtype)
    out = np.empty_like(exact)
    for part in row_blocks(exact):
        lengths = np.linalg.norm(exact[part], axis=1, keepdims=True)
        np.divide(exact[part], np.where(lengths > 0, lengths, dtype(1)), out=out[part])
    return out


def row_blocks(vectors: NDArray[np.floating]) -> Iterator[slice]:
    """Divide the rows of a matrix into blocks of about `BLOCK_VALUES` numbers."""
    step = max(1, BLOCK_VALUES // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), step):
        yield slice(start, start + step)
