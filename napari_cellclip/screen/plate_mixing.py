"""Measure how well plates mix: whether the nearest wells of a well are of its own plate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_cellclip.vocabulary import ScreenError

NEIGHBOURS = 30
"""Nearest wells looked at, as many as LISI's perplexity."""
SHUFFLES = 10
"""How often plates are dealt out at random, for what perfect mixing would give."""


def plate_mixing(
    vectors: ArrayLike, plates: Sequence[str], *, neighbours: int = NEIGHBOURS, seed: int = 0
) -> float:
    """Compute how well plates mix among nearest neighbours: 0 not at all, 1 as if dealt out at random.

    The inverse Simpson index of the plates among a well's nearest neighbours by cosine, averaged over wells
    (LISI, Korsunsky et al. 2019, with equal weights), less 1, over the same with plates shuffled. Good mixing
    alone is no good correction: noise mixes best. Look at replicates beside it.

    Parameters
    ----------
    vectors : array_like (n, E)
        Rows that are not finite, or zero, are left out.
    plates : sequence of str
        Of each row.
    neighbours : int
        At most; a third of the wells where these are few.
    seed : int
        Of the shuffles.

    Raises
    ------
    ScreenError
        If wells are of one plate.
    """
    from sklearn.neighbors import NearestNeighbors

    x = np.asarray(vectors, np.float64)
    length = np.linalg.norm(x, axis=1)
    there = np.isfinite(length) & (length > 0)
    codes, names = pd.factorize(np.asarray(plates, dtype=object)[there])
    if len(names) < 2:
        raise ScreenError("plates mix only where there are two or more: this screen has one")
    unit = x[there] / length[there, None]
    count = min(max(2, min(neighbours, len(unit) // 3)), len(unit) - 1)
    near = NearestNeighbors(n_neighbors=count).fit(unit).kneighbors(return_distance=False)  # none is its own
    rng = np.random.default_rng(seed)
    found = _inverse_simpson(codes, near, len(names))
    random = float(
        np.mean([_inverse_simpson(rng.permutation(codes), near, len(names)) for _ in range(SHUFFLES)])
    )
    return float(np.clip((found - 1) / max(random - 1, 1e-12), 0, None))


def _inverse_simpson(codes: NDArray[np.intp], near: NDArray[np.intp], plates: int) -> float:
    shares = np.stack([(codes[near] == plate).mean(axis=1) for plate in range(plates)])
    return float((1 / (shares**2).sum(axis=0)).mean())
