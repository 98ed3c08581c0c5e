"""Exact nearest neighbours among unit vectors.

scikit-learn's brute search finds the same ones in as much time (more at plate size), but does not promise
that a point comes first among points that coincide with it: UMAP needs that, and seeded maps rest on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK_VALUES = 1 << 25
"""Similarities held at once: 128 MB."""


def nearest(
    queries: NDArray[np.float32], points: NDArray[np.float32], k: int, *, same: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the `k` nearest points of each query by chord length (monotonic in the angle), nearest first.

    Parameters
    ----------
    queries, points : ndarray of float32 (m, E), (n, E)
        Rows of length 1.
    k : int
        At most n.
    same : bool
        The queries are the points themselves: each is then its own first neighbour at distance 0, also where
        others coincide with it.

    Returns
    -------
    indices : ndarray of int32 (m, k)
    distances : ndarray of float32 (m, k)
    """
    m, n = len(queries), len(points)
    indices, distances = np.empty((m, k), np.int32), np.empty((m, k), np.float32)
    step = max(1, CHUNK_VALUES // max(n, 1))
    for start in range(0, m, step):
        rows = np.arange(min(step, m - start))
        similarity = queries[start : start + step] @ points.T
        if same:
            similarity[rows, start + rows] = 2.0  # above any cosine
        best = (
            np.argpartition(similarity, n - k, axis=1)[:, n - k :]
            if k < n
            else np.tile(np.arange(n), (len(rows), 1))
        )
        found = np.take_along_axis(similarity, best, axis=1)
        order = np.lexsort((best, -found), axis=1)  # ties by position, so that maps repeat exactly
        indices[start : start + step] = np.take_along_axis(best, order, axis=1)
        sorted_found = np.minimum(np.take_along_axis(found, order, axis=1), 1)
        distances[start : start + step] = np.sqrt(np.maximum(2 - 2 * sorted_found, 0))
    return indices, distances
