"""Maps of a screen: every embedded well a point in the plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.asked_screen import require_embeddings
from napari_cellclip.explore.maps.neighbours import nearest
from napari_cellclip.model.unit_vectors import row_blocks, unit_rows
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

PLACING_NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Projection:
    """Positions of the wells on a map.

    Attributes
    ----------
    ids : tuple of str
        Well ids; wells without an embedding are not on the map.
    xy : ndarray of float32 (n, 2)
        Their places.
    method : str
        ``"pca"`` or ``"umap"``.
    parameters : dict
        Everything the places depend on besides the embeddings.
    unit : ndarray of float32 (n, E)
        Unit embeddings of the wells, for placing others.
    """

    ids: tuple[str, ...]
    xy: NDArray[np.float32]
    method: str
    parameters: dict[str, Any]
    unit: NDArray[np.float32] = field(repr=False)

    def place(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Place other wells on this map: the mean place of their nearest wells on it, weighted by 1 /
        distance².

        A well that is on the map already lands on its own place. The map itself does not change.

        Parameters
        ----------
        embeddings : ndarray (m, E)
            By the same model; need not be normalised.

        Returns
        -------
        ndarray of float32 (m, 2)
            NaN for rows that are not finite.

        Raises
        ------
        CellClipError
            If the embeddings have another length, or the map is empty.
        """
        embeddings = np.atleast_2d(np.asarray(embeddings, np.float32))
        if not len(self.xy) or embeddings.shape[1] != self.unit.shape[1]:
            raise CellClipError(
                f"embeddings of length {embeddings.shape[1]} cannot be placed on a map of {len(self.xy)} "
                f"wells with embeddings of length {self.unit.shape[1]}"
            )
        out = np.full((len(embeddings), 2), np.nan, np.float32)
        good = np.isfinite(embeddings).all(axis=1)
        if good.any():
            out[good] = among_nearest(unit_rows(embeddings[good]), self.unit, self.xy)
        return out


def among_nearest(
    unit: NDArray[np.float32], mapped: NDArray[np.float32], xy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compute the mean place of the nearest mapped wells, weighted by 1 / distance².

    Parameters
    ----------
    unit, mapped : ndarray of float32 (m, E), (n, E)
        Unit embeddings of the wells to place, and of those that have places.
    xy : ndarray of float32 (n, 2)
        Their places.

    Returns
    -------
    ndarray of float32 (m, 2)
    """
    indices, distances = nearest(unit, mapped, min(PLACING_NEIGHBOURS, len(mapped)))
    # 1e-3 is the rounding error of a chord between equal single-precision vectors.
    weights = 1 / np.maximum(distances.astype(np.float64), 1e-3) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("mk,mkd->md", weights, xy[indices]).astype(np.float32)


def mapped_wells(screen: Screen) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Select the wells that have an embedding: ids and unit embeddings.

    Raises
    ------
    ScreenError
        If none has.
    """
    there = require_embeddings(screen)
    if there.all():
        return tuple(screen.well_ids), unit_rows(screen.embeddings)
    ids = tuple(well for well, ok in zip(screen.well_ids, there, strict=True) if ok)
    return ids, unit_rows(screen.embeddings[there])


def pca_map(screen: Screen) -> Projection:
    """Map wells by the first two principal components of their unit embeddings: instant, and the same every
    time.

    Parameters
    ----------
    screen : Screen
        With at least one embedded well.

    Returns
    -------
    Projection
        ``parameters["explained"]`` are the shares of variance of the two axes.

    Raises
    ------
    ScreenError
        If no well has an embedding.
    """
    ids, unit = mapped_wells(screen)
    xy, explained = principal_plane(unit)
    return Projection(ids, xy, "pca", {"explained": explained}, unit)


def principal_plane(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[float]]:
    """Compute the first two principal components (n, 2) and their shares of variance; missing axes are 0."""
    # In blocks, so that no centred copy of all points is made, and E x E instead of an SVD of n x E: a
    # million wells take as long as reading them. scikit-learn's PCA by covariance does the same at the same
    # speed, but copies them, refuses one well or one number, and rounds otherwise: stored UMAP maps would
    # not repeat.
    blocks = list(row_blocks(points))
    sums = [points[rows].sum(axis=0, dtype=np.float64) for rows in blocks]
    mean = (np.sum(sums, axis=0) / len(points)).astype(np.float32)
    scatter = np.zeros((points.shape[1],) * 2)
    for rows in blocks:
        centred = points[rows] - mean
        scatter += centred.T @ centred
    values, vectors = np.linalg.eigh(scatter)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    xy = np.zeros((len(points), 2), np.float32)
    for rows in blocks:
        xy[rows, : axes.shape[1]] = (points[rows] - mean) @ axes.astype(np.float32)
    total = float(np.maximum(values, 0).sum())
    shares = [float(max(v, 0)) / total if total > 0 else 0.0 for v in values[::-1][:2]]
    return xy, shares + [0.0] * (2 - len(shares))
