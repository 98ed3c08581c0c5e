"""UMAP of a screen: seeded, from exact neighbours where there are not too many, stored in its folder."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.maps.compiled_umap import compiled_umap
from napari_cellclip.explore.maps.neighbours import nearest
from napari_cellclip.explore.maps.projection import Projection, among_nearest, mapped_wells, principal_plane
from napari_cellclip.explore.maps.stored_maps import (
    earlier_map,
    read_places,
    state_of,
    store_places,
    with_plates_added,
)
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

Engine = Literal["umap-learn", "torchdr"]

FEWEST_WELLS = 8
"""Below this a neighbourhood graph has nothing to say that two principal components do not."""

MOST_EXACT = 20_000
"""Of more wells umap-learn searches neighbours approximately: exact ones take time with the square."""

MOST_LAID_OUT = 50_000
"""Of more wells a sample is laid out, and the others are placed among it."""

RECIPE = 2
"""Raised when the same parameters would give other places, so that old maps are not taken for new ones."""


def umap_map(
    screen: Screen,
    seed: int = 0,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    *,
    extend: bool = True,
    engine: Engine = "umap-learn",
) -> Projection:
    """Map wells by UMAP of their unit embeddings (McInnes et al. 2018, arXiv 1802.03426).

    Neighbours are exact (of more than 20,000 wells, found by nearest-neighbour descent), the layout starts
    from the two principal components (Kobak and Linderman 2021, doi:10.1038/s41587-020-00809-z) and is
    seeded, so the same screen gives the same map. It is stored under
    ``maps/`` of the screen and read back while embeddings and parameters are the same. With fewer than 8
    wells the principal components themselves are returned, and `method` says so. Of more than 50,000 wells a
    seeded sample of as many is laid out and the others are placed among their nearest ones of it
    (``parameters["sample"]`` is its size), so that the time grows with the number of wells.

    Parameters
    ----------
    screen : Screen
        With at least one embedded well.
    seed : int
        Of the layout.
    n_neighbors : int
        Size of a neighbourhood; cut to the number of wells.
    min_dist : float
        Smallest distance between points, in units of the map.
    extend : bool
        Whether plates that were added to the screen are placed into the map there was, which stays as it is
        (by :meth:`Projection.place`; ``parameters["placed"]`` counts their wells), as long as they are no
        more wells than it has. Otherwise a map of all wells is computed.
    engine : {"umap-learn", "torchdr"}
        What lays wells out. TorchDR does so on a GPU where there is one (``pip install
        'napari-cellclip[gpu-maps]'``), in other places of the same quality; on a CPU it is the slower one.

    Returns
    -------
    Projection

    Raises
    ------
    ScreenError
        If no well has an embedding, a parameter makes no sense, or TorchDR is not installed.
    """
    if engine not in get_args(Engine):
        raise ScreenError(f"{engine!r} lays out no map: give one of {', '.join(get_args(Engine))}")
    if n_neighbors < 2 or not 0 <= min_dist <= 1:
        raise ScreenError("a map needs n_neighbors of at least 2 and min_dist between 0 and 1")
    ids, unit = mapped_wells(screen)
    if len(ids) < FEWEST_WELLS:
        xy, explained = principal_plane(unit)
        note = f"PCA: {len(ids)} wells are too few for UMAP"
        return Projection(ids, xy, "pca", {"explained": explained, "note": note}, unit)
    n_neighbors = min(n_neighbors, len(ids))
    parameters: dict[str, Any] = {
        "seed": seed,
        "n_neighbors": n_neighbors,
        "min_dist": min_dist,
        "init": "pca",
        "neighbours": "exact" if len(ids) <= MOST_EXACT else "approximate",
        "recipe": RECIPE,
    }
    if engine != "umap-learn":
        parameters["engine"] = engine
    if len(ids) > MOST_LAID_OUT:
        parameters["sample"] = MOST_LAID_OUT
    state = state_of(ids, unit, parameters)
    path = screen.path / "maps" / f"umap-{state[:16]}.parquet"
    stored = read_places(path, ids)
    if stored is None and extend:
        earlier = earlier_map(path.parent, ids, unit, parameters)
        if earlier is not None:
            return with_plates_added(earlier, ids, unit)
    if stored is None:
        stored = sampled_layout(unit, seed=seed, n_neighbors=n_neighbors, min_dist=min_dist, engine=engine)
        store_places(
            path, ids, unit, stored, {"method": "umap", "parameters": parameters, "embeddings": state}
        )
    return Projection(ids, stored, "umap", parameters, unit)


def sampled_layout(
    unit: NDArray[np.float32],
    *,
    seed: int,
    n_neighbors: int,
    min_dist: float,
    engine: Engine = "umap-learn",
) -> NDArray[np.float32]:
    """Compute the layout of at most `MOST_LAID_OUT` unit vectors, and place the others among them.

    Parameters and result as of :func:`layout` and :func:`umap_map`.
    """
    laid_out = layout if engine == "umap-learn" else torch_layout
    if len(unit) <= MOST_LAID_OUT:
        return laid_out(unit, seed=seed, n_neighbors=n_neighbors, min_dist=min_dist)
    chosen = np.zeros(len(unit), bool)
    chosen[np.random.default_rng(seed).permutation(len(unit))[:MOST_LAID_OUT]] = True
    xy = np.empty((len(unit), 2), np.float32)
    xy[chosen] = laid_out(unit[chosen], seed=seed, n_neighbors=n_neighbors, min_dist=min_dist)
    xy[~chosen] = among_nearest(unit[~chosen], unit[chosen], xy[chosen])
    return xy


def layout(unit: NDArray[np.float32], *, seed: int, n_neighbors: int, min_dist: float) -> NDArray[np.float32]:
    """Compute the layout of unit vectors by UMAP.

    Parameters
    ----------
    unit : ndarray of float32 (n, E)
        Rows of length 1.
    seed, n_neighbors, min_dist
        As :func:`umap_map`; `n_neighbors` counts the point itself.

    Returns
    -------
    ndarray of float32 (n, 2)
    """
    few = len(unit) <= MOST_EXACT
    known = nearest(unit, unit, n_neighbors, same=True) if few else (None, None, None)
    with warnings.catch_warnings():
        # Expected: an exact search has no index to hand over, and we place new wells ourselves.
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]", category=UserWarning)
        mapper = compiled_umap().UMAP(
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            metric="euclidean",
            init=_start(unit, seed),
            random_state=seed,
            n_jobs=1,
            precomputed_knn=known,
            force_approximation_algorithm=True,
        )
        return np.asarray(mapper.fit_transform(unit), np.float32)


def _start(unit: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Places (n, 2) that a layout starts from: principal components, ten units wide."""
    start, _ = principal_plane(unit)
    spread = float(start.std(axis=0).max())
    start = start / spread * 10 if spread > 0 else start
    # Wells with equal embeddings would otherwise start, and stay, on one spot.
    jitter = np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    return np.asarray(start + jitter, np.float32)


def torch_layout(
    unit: NDArray[np.float32], *, seed: int, n_neighbors: int, min_dist: float
) -> NDArray[np.float32]:
    """Compute the layout of unit vectors by TorchDR, on a GPU where there is one.

    Parameters and result as of :func:`layout`.

    Raises
    ------
    ScreenError
        If TorchDR is not installed.
    """
    try:
        with warnings.catch_warnings():
            # It looks for faiss, which it needs where neighbours are not exact.
            warnings.filterwarnings("ignore", category=ImportWarning)
            import torch
            from torchdr import UMAP
    except ImportError as error:
        raise ScreenError(
            f"TorchDR is not here ({error}): pip install 'napari-cellclip[gpu-maps]', or take umap-learn"
        ) from error
    mapper = UMAP(
        n_neighbors=min(n_neighbors, len(unit) - 1),  # the point itself is not counted
        min_dist=min_dist,
        init=torch.from_numpy(_start(unit, seed)),
        backend=None,
        device="auto",
        random_state=seed,
        distributed=False,
        process_duplicates=False,  # it forgets that places to start from were given for all wells
    )
    return np.asarray(mapper.fit_transform(unit), np.float32)
