"""Clusters of a map, and the terms that fit their wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_cellclip.explore.asked_screen import own_model, require_embeddings
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg, simes
from napari_cellclip.explore.corrected_texts import texts_beside
from napari_cellclip.explore.describe import TermList, embed_terms, score_wells
from napari_cellclip.vocabulary.significance import FDR

if TYPE_CHECKING:
    from napari_cellclip.explore.maps.projection import Projection
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

SMALLEST_CLUSTER = 5
"""Wells of a cluster, at least."""


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
        The best term; empty if none is significant.
    q : float
        Over terms (Simes) and clusters (Benjamini-Hochberg); NaN if it could not be tested.
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
    seed: int = 0,
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
    terms, model, seed
        As for :func:`napari_cellclip.explore.describe.describe`.
    fdr : float
        Accepted false-discovery rate over the clusters.
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
    members = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    members = sorted((rows for rows in members if len(rows) >= smallest), key=len, reverse=True)
    if not members:
        return []
    require_embeddings(screen)
    model = texts_beside(screen, own_model(screen, model))
    known = embed_terms(screen, model, terms)
    wells = [tuple(projection.ids[i] for i in rows) for rows in members]
    tested = [score_wells(screen, model, ids, known, seed=seed) for ids in wells]
    q = benjamini_hochberg(simes(np.stack([found.p for found in tested], axis=1)))
    named = []
    for rows, ids, found, own_q in zip(members, wells, tested, q.tolist(), strict=True):
        best = np.lexsort((-found.cosine, np.nan_to_num(found.p, nan=2.0)))[0]
        x, y = np.median(projection.xy[rows], axis=0).tolist()
        named.append(NamedCluster(ids, (x, y), known.names[best] if own_q <= fdr else "", own_q))
    return named


def clustered(xy: NDArray[np.floating], smallest: int = SMALLEST_CLUSTER) -> NDArray[np.intp]:
    """Find clusters of places (n, 2) by HDBSCAN; -1 for places that belong to none."""
    if len(xy) < max(smallest, 2):
        return np.full(len(xy), -1, np.intp)
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=max(smallest, 2), copy=True).fit_predict(np.asarray(xy, np.float64))
    return np.asarray(found, np.intp)
