"""How the time of a UMAP grows with the wells of a screen, to the wells of four million sites.

Of up to 50,000 wells all are laid out; of more a sample of as many, and the others are placed among their
nearest ones of it. The partner is the map of an eighth of the wells: a ratio of 8 is growth in proportion,
and 8.88 is the exponent 1.05. At last, what the sample costs in quality: trustworthiness (Venna and Kaski
2001) of a map by a third of its wells beside that of all.
``python -m benchmarks.speed.map_sample [--quick]``
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import log

import numpy as np

from benchmarks.speed.figures import Figure, compare, script
from benchmarks.speed.maps import MIN_DIST, NEIGHBOURS
from benchmarks.speed.questions import vectors
from napari_cellclip.explore.maps import umap_projection
from napari_cellclip.explore.maps.umap_projection import MOST_LAID_OUT, sampled_layout
from napari_cellclip.model.unit_vectors import unit_rows

STEP, EXPONENT = 8, 1.05
DIM = 64
"""Numbers of an embedding, as in ``many_sites``."""


def mapped(unit: np.ndarray, most: int = MOST_LAID_OUT) -> np.ndarray:
    """Map wells by UMAP."""
    umap_projection.MOST_LAID_OUT = most
    try:
        return sampled_layout(unit, seed=0, n_neighbors=NEIGHBOURS, min_dist=MIN_DIST)
    finally:
        umap_projection.MOST_LAID_OUT = MOST_LAID_OUT


def growth(small: int, large: int) -> Figure:
    """Compare the maps of two numbers of wells."""
    wells = unit_rows(vectors(large, DIM))
    figure = compare(
        f"UMAP of {large:,} wells x {DIM}",
        partial(mapped, wells),
        partial(mapped, wells[:small]),
        against=f"{small:,} wells",
        rounds=1,
        wanted=f"<= {(large / small) ** EXPONENT:.3g}",
        warm_up=False,
    )
    exponent = log(figure.ratio) / log(large / small)
    return replace(figure, limit=f"{large / small:.3g}: in proportion; exponent {exponent:.2f}")


def quality(n: int) -> Figure:
    """Compare a map by a third of its wells with one of all of them."""
    from sklearn.manifold import trustworthiness

    wells = unit_rows(vectors(n, DIM))
    found: dict[str, np.ndarray] = {}
    figure = compare(
        f"UMAP of {n:,} wells x {DIM} by a sample of {n // 3:,}",
        lambda: found.update(sample=mapped(wells, n // 3)),
        lambda: found.update(all=mapped(wells)),
        against="all of them laid out",
        rounds=1,
        warm_up=False,
    )
    kept = {name: trustworthiness(wells, plane, metric="cosine") for name, plane in found.items()}
    return replace(figure, limit=f"trustworthiness {kept['sample']:.3f}, of all {kept['all']:.3f}")


def measure(quick: bool) -> list[Figure]:
    """Grow eightfold to the wells of four million sites."""
    largest = -(-4_000_000 // 26)
    sizes = [16, 128] if quick else [largest // STEP**k for k in (2, 1, 0)]
    mapped(unit_rows(vectors(16, DIM)))  # compiled
    return [*(growth(*pair) for pair in pairwise(sizes)), quality(60 if quick else 6_000)]


if __name__ == "__main__":
    script(measure, __doc__)
