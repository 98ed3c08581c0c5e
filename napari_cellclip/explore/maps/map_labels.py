"""Names of clusters on a map, and where they can be written without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_cellclip.explore.describe import NOTHING, TermList, describe
from napari_cellclip.explore.query import FDR

if TYPE_CHECKING:
    from napari_cellclip.explore.maps.projection import Projection
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

SMALLEST_CLUSTER = 5
"""Wells of a cluster, at least."""

RINGS, STEPS = 24, 16
"""Distances and angles tried around an anchor."""


@dataclass(frozen=True)
class NamedCluster:
    """A cluster of the map and what it is called.

    Attributes
    ----------
    wells : tuple of str
        Its wells.
    centre : tuple of float
        Median place on the map.
    name : str
        The best term; empty where nothing stands out.
    q : float
        Of that term; NaN where it could not be calibrated.
    """

    wells: tuple[str, ...]
    centre: tuple[float, float]
    name: str
    q: float


def name_clusters(
    screen: Screen,
    projection: Projection,
    clusters: ArrayLike | None = None,
    terms: TermList | Sequence[str] = "mechanisms",
    *,
    fdr: float = FDR,
    smallest: int = SMALLEST_CLUSTER,
    model: Model | None = None,
) -> list[NamedCluster]:
    """Name the clusters of a map by the terms that fit their wells.

    Parameters
    ----------
    screen : Screen
        Encoded plates.
    projection : Projection
        Map of that screen.
    clusters : array_like of int (n,), optional
        Cluster of each well of the map, negative for none; HDBSCAN of the places (Campello et al. 2013) where
        not given.
    terms, fdr, model
        As for :func:`napari_cellclip.explore.describe.describe`.
    smallest : int
        Wells that a cluster must have.

    Returns
    -------
    list of NamedCluster
        Largest first.
    """
    labels = clustered(projection.xy, smallest) if clusters is None else np.asarray(clusters)
    if len(labels) != len(projection.ids):
        raise ValueError(f"{len(labels)} clusters for {len(projection.ids)} wells")
    named = []
    for label in np.unique(labels[labels >= 0]).tolist():
        rows = np.flatnonzero(labels == label)
        if len(rows) < smallest:
            continue
        wells = tuple(projection.ids[i] for i in rows)
        found = describe(screen, wells, terms, fdr=fdr, model=model)
        best = found.table.iloc[0]
        silent = found.verdict in (NOTHING, "Not calibrated")
        x, y = np.median(projection.xy[rows], axis=0).tolist()
        named.append(NamedCluster(wells, (x, y), "" if silent else str(best["term"]), float(best["q"])))
    return sorted(named, key=lambda cluster: -len(cluster.wells))


def clustered(xy: NDArray[np.floating], smallest: int = SMALLEST_CLUSTER) -> NDArray[np.intp]:
    """Clusters of places (n, 2) by HDBSCAN; -1 for places that belong to none."""
    if len(xy) < max(smallest, 2):
        return np.full(len(xy), -1, np.intp)
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=max(smallest, 2), copy=True).fit_predict(np.asarray(xy, np.float64))
    return np.asarray(found, np.intp)


def place_labels(
    anchors: ArrayLike,
    sizes: ArrayLike,
    *,
    bounds: tuple[float, float, float, float] | None = None,
) -> NDArray[np.float64]:
    """Centres of labels near their anchors such that no two overlap.

    Labels are placed in the order given, each as near to its anchor as there is room: on it, else around it
    in ever wider rings.

    Parameters
    ----------
    anchors : array_like (k, 2)
        x and y of what is labelled.
    sizes : array_like (k, 2)
        Width and height of each label, in the same units.
    bounds : tuple of float, optional
        ``(left, bottom, right, top)``, within which labels must lie.

    Returns
    -------
    ndarray of float64 (k, 2)
        NaN for a label that has no room.
    """
    points = np.asarray(anchors, np.float64).reshape(-1, 2)
    boxes = np.asarray(sizes, np.float64).reshape(-1, 2)
    placed = np.full(points.shape, np.nan)
    angles = 2 * np.pi * np.arange(STEPS) / STEPS
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for i, (point, box) in enumerate(zip(points, boxes, strict=True)):
        rings = [point[None], *(point + ring * 0.5 * box * around for ring in range(1, RINGS + 1))]
        tries = np.concatenate(rings)
        free = np.isfinite(tries).all(axis=1)
        if bounds is not None:
            low, high = np.asarray(bounds[:2]) + box / 2, np.asarray(bounds[2:]) - box / 2
            free &= ((tries >= low) & (tries <= high)).all(axis=1)
        there = np.isfinite(placed[:i]).all(axis=1)
        room = (boxes[:i][there] + box) / 2
        apart = np.abs(tries[:, None] - placed[:i][there][None])
        free &= ~(apart < room[None]).all(axis=2).any(axis=1)
        if free.any():
            nearest = np.hypot(*(tries - point).T)
            placed[i] = tries[np.where(free, nearest, np.inf).argmin()]
    return placed
