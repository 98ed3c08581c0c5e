"""The picture of a map: every well's thumbnail at its place, none over another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from napari_cellclip.explore.maps.spread import grid_places
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

SMALLEST, LARGEST = 1400, 4096
"""Sides of the picture in pixels: 4096 is what every graphics card takes as one texture."""

THUMBNAIL, SPACE = 72, 4
"""Side of a thumbnail, and space between those of a grid, in pixels."""

FILLED = 0.4
"""Most of the picture that thumbnails cover; of more wells, they are smaller."""


@dataclass(frozen=True)
class Mosaic:
    """Places of thumbnails in a picture of the map.

    Attributes
    ----------
    centres : ndarray of float (n, 2)
        Row and column of each thumbnail's centre.
    size : int
        Side of the picture in pixels.
    tile : int
        Side of a thumbnail in pixels.
    """

    centres: np.ndarray
    size: int
    tile: int


def lay_out(xy: np.ndarray) -> Mosaic:
    """Lay the thumbnails of a map into a picture: at their places, or on a grid where they would pile up.

    Parameters
    ----------
    xy : ndarray
        Map coordinates ``[n, 2]``, x to the right and y up.
    """
    if len(xy) == 0:
        return Mosaic(np.zeros((0, 2)), SMALLEST, THUMBNAIL)
    low, high = xy.min(axis=0), xy.max(axis=0)
    span = float(max((high - low).max(), 1e-9))
    apart = float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1])) if len(xy) > 1 else span
    size = int(np.clip(THUMBNAIL * span / max(apart, 1e-9) + 2 * THUMBNAIL, SMALLEST, LARGEST))
    tile = int(min(THUMBNAIL, np.sqrt(FILLED / len(xy)) * size))
    inside = (xy - (low + high) / 2) / span * (size - 2 * tile)
    centres = np.stack([-inside[:, 1], inside[:, 0]], axis=1)
    if len(cKDTree(centres).query_pairs(tile)):
        centres = grid_places(centres, tile + SPACE)
    low, high = centres.min(axis=0), centres.max(axis=0)
    needed = float((high - low).max()) + 2 * tile
    if needed > LARGEST:
        centres, tile = centres * (LARGEST / needed), int(tile * LARGEST / needed)
        low, high, needed = low * (LARGEST / needed), high * (LARGEST / needed), float(LARGEST)
    size = max(SMALLEST, int(np.ceil(needed)))
    return Mosaic(centres - (low + high) / 2 + size / 2, size, tile)


def draw_mosaic(screen: Screen, ids: list[str], places: Mosaic) -> np.ndarray:
    """Picture with each well's thumbnail at its place, later ones on top, RGBA uint8 ``[size, size, 4]``."""
    size = places.size
    picture = np.zeros((size, size, 4), np.uint8)
    for identifier, (row, column) in zip(ids, places.centres, strict=True):
        try:
            thumbnail = fitted(screen.preview(identifier), places.tile)
        except CellClipError:  # no site of this well was readable: its frame alone is drawn
            continue
        height, width = thumbnail.shape[:2]
        top = int(np.clip(row - height / 2, 0, size - height))
        left = int(np.clip(column - width / 2, 0, size - width))
        picture[top : top + height, left : left + width, :3] = thumbnail
        picture[top : top + height, left : left + width, 3] = 255
    return picture


def fitted(image: np.ndarray, side: int) -> np.ndarray:
    """Thin out or repeat the pixels of an RGB image so that its longer side is ``side``."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    rows = np.minimum((np.arange(max(1, round(height * factor))) / factor).astype(int), height - 1)
    columns = np.minimum((np.arange(max(1, round(width * factor))) / factor).astype(int), width - 1)
    return image[rows][:, columns]
