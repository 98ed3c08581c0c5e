"""Maps of wells: UMAP as computed here against umap-learn as shipped, and how well both keep neighbourhoods.

Here neighbours are exact to 20,000 wells and the start is the principal plane; umap-learn searches neighbours
approximately above 4,096 points and starts from eigenvectors. Both have the same settings and seed.
Trustworthiness (Venna and Kaski 2001) is taken on at most 5,000 wells. Compilation is in neither time:
that is a figure of ``start``. Seconds are processor time of one thread, in which umap-learn with a seed
computes.
``python -m benchmarks.speed.maps [--quick]``
"""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks.speed.figures import Figure, compare, script
from benchmarks.speed.questions import vectors
from napari_cellclip.explore.maps import umap_projection
from napari_cellclip.explore.maps.umap_projection import MOST_EXACT, layout
from napari_cellclip.model.unit_vectors import unit_rows

NEIGHBOURS, MIN_DIST = 15, 0.1
APPROXIMATE = 4_200
"""Wells of which umap-learn searches neighbours approximately, by other code than for fewer than 4,096."""


def umap_learn(unit: np.ndarray) -> np.ndarray:
    """umap-learn as shipped."""
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: np.ndarray = UMAP(
            n_neighbors=NEIGHBOURS, min_dist=MIN_DIST, metric="cosine", random_state=0, n_jobs=1
        ).fit_transform(unit)
    return found


def mapped(n: int, dim: int, rounds: int) -> Figure:
    """One size."""
    from sklearn.manifold import trustworthiness

    unit = unit_rows(vectors(n, dim))
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        found["here"] = layout(unit, seed=0, n_neighbors=NEIGHBOURS, min_dist=MIN_DIST)

    def shipped() -> None:
        found["umap-learn"] = umap_learn(unit)

    wanted = "<= 1" if n >= 50_000 else "<= 0.9"
    figure = compare(
        f"UMAP of {n:,} wells x {dim}",
        ours,
        shipped,
        against="umap-learn as shipped",
        rounds=rounds,
        wanted=wanted,
        warm_up=False,
        clock="cpu",
    )
    some = np.random.default_rng(0).permutation(n)[:5_000]
    kept = {name: trustworthiness(unit[some], plane[some], metric="cosine") for name, plane in found.items()}
    said = f"trustworthiness {kept['here']:.3f} here, {kept['umap-learn']:.3f} by umap-learn"
    return Figure(figure.name, figure.ours, figure.partner, figure.against, figure.wanted, said)


def measure(quick: bool) -> list[Figure]:
    """Map a plate, ten plates, and 130."""
    sizes = ((96, 32, 1),) if quick else ((384, 512, 3), (3_840, 512, 3), (50_000, 512, 1))
    if not quick:
        for compiled in (384, APPROXIMATE):  # whatever is compiled, for few wells and for many
            umap_projection.MOST_EXACT = compiled
            mapped(compiled, 32, 1)
            umap_projection.MOST_EXACT = 1
            mapped(compiled, 32, 1)
        umap_projection.MOST_EXACT = MOST_EXACT
    return [mapped(*size) for size in sizes]


if __name__ == "__main__":
    script(measure, __doc__)
