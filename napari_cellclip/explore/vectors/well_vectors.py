"""Embeddings of wells, brought to length 1 as they are read, from memory or from a mapped file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.compiled import MANY, MOST_THREADS, run_compiled

AT_ONCE = 1 << 14
"""Rows, or groups of rows, that are worked on together: 32 MB of 512 numbers in single precision."""

GroupDirections = Iterator[tuple[slice, NDArray[np.float32], NDArray[np.float64]]]
"""Groups, their mean vectors of length 1, and the lengths these had; block after block."""


@dataclass(frozen=True)
class WellVectors:
    """Unit embeddings of the wells that have one; no copy of length 1 is made of them.

    Attributes
    ----------
    numbers : ndarray of float32 or int16 (N, E)
        A row for every well of the screen, as stored.
    scale : ndarray of float32 (N,)
        What a row is multiplied by to have length 1.
    at : ndarray of int (n,) or None
        Rows of the wells that have an embedding; ``None`` where all have.
    content : str
        Digest of `numbers`, if it is known; else it is computed when it is asked for.
    """

    numbers: NDArray[Any]
    scale: NDArray[np.float32]
    at: NDArray[np.intp] | None = None
    content: str = ""

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], norms: NDArray[np.float32] | None = None) -> WellVectors:
        """Take embeddings (N, E) as they are, given their lengths if these are known.

        Rows that are zero or not finite are left out.
        """
        numbers = np.asarray(embeddings, np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", numbers, numbers)) if norms is None else norms
        there = np.isfinite(lengths) & (lengths > 0)
        with np.errstate(divide="ignore"):  # rows that are left out
            scale = np.reciprocal(lengths, dtype=np.float32)
        return cls(numbers, scale, None if there.all() else np.flatnonzero(there))

    def __len__(self) -> int:
        return len(self.numbers if self.at is None else self.at)

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return int(self.numbers.shape[1])

    def rows(self, wells: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        """Unit embeddings of some wells, float32 (m, E)."""
        at = wells if self.at is None else self.at[wells]
        return np.asarray(self.numbers[at], np.float32) * self.scale[at][:, None]

    def products(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the cosine of each well with a vector (E,) of length 1, float32 (n,).

        The compiled loop is as fast as BLAS; but threads of BLAS wait in a loop for the next product, for as
        long as all the rest of a question takes, and so take a core from what is done then.
        """
        if len(self.numbers) < MANY:
            with np.errstate(invalid="ignore"):  # wells that have no embedding
                out = (np.asarray(self.numbers, np.float32) @ vector) * self.scale
        else:
            out = np.empty(len(self.numbers), np.float32)
            run_compiled(scaled_products, len(out), self.numbers, self.scale, vector, out)
        return out if self.at is None else out[self.at]

    def group_directions(self, rows: NDArray[np.intp], starts: NDArray[np.intp]) -> GroupDirections:
        """Compute the mean vector of each group's wells, brought to length 1, and the length it had.

        Parameters
        ----------
        rows, starts : ndarray of int
            Wells of the groups in compressed rows; see
            :class:`napari_cellclip.explore.calibration.replicates.ReplicateGroups`.

        Yields
        ------
        groups : slice
            Which groups; some thousand at a time.
        points : ndarray of float32 (m, E)
        lengths : ndarray of float64 (m,)
            1 where the mean is zero.
        """
        at = rows if self.at is None else self.at[rows]
        for first in range(0, len(starts) - 1, AT_ONCE):
            last = min(first + AT_ONCE, len(starts) - 1)
            here = starts[first : last + 1]
            if len(rows) < MANY:
                points, lengths = self._few_directions(rows[here[0] : here[-1]], here - here[0])
            else:
                points, lengths = np.empty((last - first, self.dim), np.float32), np.empty(last - first)
                run_compiled(
                    mean_directions, last - first, self.numbers, self.scale, at, here, points, lengths
                )
            yield slice(first, last), points, np.where(lengths > 0, lengths, 1.0)

    def _few_directions(
        self, rows: NDArray[np.intp], starts: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        sums = np.add.reduceat(np.asarray(self.rows(rows), np.float64), starts[:-1], axis=0)
        means = sums / np.diff(starts)[:, None]
        lengths = np.linalg.norm(means, axis=1)
        return (means / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32), lengths

    @property
    def digest(self) -> str:
        """SHA-256 of the embeddings, and of which wells have one."""
        return hashlib.sha256((self.content or self._hashed()).encode() + _bytes(self.at)).hexdigest()

    def _hashed(self) -> str:
        def block(start: int) -> bytes:
            return hashlib.sha256(np.ascontiguousarray(self.numbers[start : start + AT_ONCE]).data).digest()

        starts = range(0, len(self.numbers), AT_ONCE)
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            blocks = b"".join(pool.map(block, starts))
        return hashlib.sha256(repr(self.numbers.shape).encode() + blocks).hexdigest()


def _bytes(at: NDArray[np.intp] | None) -> bytes:
    return b"" if at is None else at.astype("<i8").tobytes()


def scaled_products(
    first: int,
    last: int,
    numbers: NDArray[Any],
    scale: NDArray[np.float32],
    vector: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Compute the product of each row with a vector, times the scale of the row."""
    for i in range(first, last):
        total = np.float32(0.0)
        for k in range(len(vector)):
            total += np.float32(numbers[i, k]) * vector[k]
        out[i] = total * scale[i]


def mean_directions(
    first: int,
    last: int,
    numbers: NDArray[Any],
    scale: NDArray[np.float32],
    rows: NDArray[np.intp],
    starts: NDArray[np.intp],
    points: NDArray[np.float32],
    lengths: NDArray[np.float64],
) -> None:
    """Compute the mean vector of each group's rows, brought to length 1, and the length it had."""
    mean = np.empty(numbers.shape[1], np.float64)
    for group in range(first, last):
        mean[:] = 0.0
        for i in range(starts[group], starts[group + 1]):
            row = rows[i]
            for k in range(len(mean)):
                mean[k] += np.float32(numbers[row, k]) * scale[row]
        total = 0.0
        for k in range(len(mean)):
            mean[k] /= starts[group + 1] - starts[group]
            total += mean[k] * mean[k]
        lengths[group] = np.sqrt(total)
        for k in range(len(mean)):
            points[group, k] = mean[k] / lengths[group] if total > 0 else 0.0
