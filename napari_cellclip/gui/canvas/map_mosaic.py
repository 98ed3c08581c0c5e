"""The picture of a map, or of a plate: every well's thumbnail at its place, none over another."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter
from scipy.spatial import cKDTree

from napari_cellclip.explore.maps.spread import grid_places
from napari_cellclip.screen.storage.previews import LONGEST
from napari_cellclip.vocabulary import CellClipError, row_letters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.screen import Screen

SMALLEST, LARGEST = 600, 4096
"""Sides of the picture in pixels: 4096 is what every graphics card takes as one texture."""

THUMBNAIL, SPACE = 72, 4
"""Side of a thumbnail, and space between those of a grid, in pixels."""

FILLED = 0.4
"""Share of the picture that thumbnails cover: beside much more nothing they would be too small to see."""

LETTERING = 0.45
"""Height of the letters and numbers along a plate, as a share of a thumbnail."""


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
    labels : tuple of (str, float, float)
        Texts, each with the row and column of its centre.
    """

    centres: np.ndarray
    size: int
    tile: int
    labels: tuple[tuple[str, float, float], ...] = ()


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
    size = int(np.clip(THUMBNAIL * np.sqrt(len(xy) / FILLED) + 2 * THUMBNAIL, SMALLEST, LARGEST))
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


def lay_out_plate(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Mosaic:
    """Lay the thumbnails of a plate into a picture, with letters and numbers along its edges.

    Parameters
    ----------
    rows, columns : ndarray of int (n,)
        Places of the wells, from 0.
    shape : tuple of int
        Rows and columns of the plate.
    """
    step = min(THUMBNAIL + SPACE, LARGEST // (max(shape) + 2))
    size = step * (max(shape) + 2)
    top, left = ((size - step * (count - 1)) / 2 for count in shape)
    centres = np.stack(
        [top + step * np.asarray(rows, float), left + step * np.asarray(columns, float)], axis=1
    )
    labels = [(row_letters(row), top + step * row, left - step) for row in range(shape[0])]
    labels += [(str(column + 1), top - step, left + step * column) for column in range(shape[1])]
    return Mosaic(centres, size, step - SPACE, tuple(labels))


class MosaicLevel:
    """A picture of the map, larger by a factor, so that thumbnails are sharp; drawn where it is looked at.

    It is one level of a multiscale layer, and has of an array what napari asks of one.

    Parameters
    ----------
    screen : Screen
        Holds the thumbnails.
    ids : list of str
        Wells, later ones on top.
    places : Mosaic
        Where they lie.
    factor : int
        How much larger than that the picture is.
    """

    dtype, ndim = np.dtype(np.uint8), 3

    def __init__(self, screen: Screen, ids: list[str], places: Mosaic, factor: int) -> None:
        self._screen, self._ids, self._factor = screen, ids, factor
        self._side, self._centres = places.tile * factor, (places.centres + 0.5) * factor - 0.5
        self._labels = [
            (text, np.array([(row + 0.5) * factor - 0.5, (column + 0.5) * factor - 0.5]))
            for text, row, column in places.labels
        ]
        self.shape = (places.size * factor, places.size * factor, 4)
        self.size = 4 * (places.size * factor) ** 2

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Draw a part: RGBA uint8; later dimensions and steps as of an array."""
        key = key if isinstance(key, tuple) else (key,)
        (top, bottom), (left, right) = (
            _span(key[axis] if axis < len(key) else slice(None), self.shape[axis]) for axis in (0, 1)
        )
        picture = np.zeros((bottom - top, right - left, 4), np.uint8)
        near = (np.abs(self._centres - ((top + bottom) / 2, (left + right) / 2)) * 2).T
        seen = (near[0] <= bottom - top + self._side) & (near[1] <= right - left + self._side)
        for place in np.flatnonzero(seen):
            _paste_well(
                picture, self._screen, self._ids[place], self._centres[place] - (top, left), self._side
            )
        for text, centre in self._labels:
            if top - self._side < centre[0] < bottom + self._side and left < centre[1] + self._side:
                _paste(picture, lettering(text, round(LETTERING * self._side)), centre - (top, left))
        rest = tuple(
            slice(None, None, one.step) if isinstance(one, slice) else 0 for one in key[: min(2, len(key))]
        )
        return picture[(*rest, *key[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def draw_mosaic(screen: Screen, ids: list[str], places: Mosaic) -> list[MosaicLevel | NDArray[np.uint8]]:
    """Draw each well's thumbnail at its place, later ones on top.

    Returns
    -------
    list
        Levels of a multiscale picture, the sharpest first, RGBA uint8 ``[side, side, 4]``. Only the last one,
        of the size of the places, is in memory.
    """
    picture = MosaicLevel(screen, ids, places, 1)[:]
    factors = [factor for factor in (8, 4, 2) if factor * places.tile < 2 * LONGEST]
    return [*(MosaicLevel(screen, ids, places, factor) for factor in factors), picture]


def _span(key: Any, length: int) -> tuple[int, int]:
    """First and last index of a slice, or of one index; steps are taken later."""
    if isinstance(key, slice):
        start, stop, _ = slice(key.start, key.stop).indices(length)
        return start, max(start, stop)
    start = int(key) % length
    return start, start + 1


def _paste_well(
    picture: NDArray[np.uint8], screen: Screen, identifier: str, centre: NDArray[np.float64], side: int
) -> None:
    """Lay a thumbnail into a picture; nothing where no site could be read."""
    with suppress(CellClipError):
        _paste(picture, fitted(screen.preview(identifier), side), centre)


@lru_cache(maxsize=256)
def lettering(text: str, height: int) -> NDArray[np.uint8]:
    """Write a text in white on black: RGB uint8."""
    font = QFont()
    font.setPixelSize(max(height, 4))
    metrics = QFontMetrics(font)
    image = QImage(metrics.horizontalAdvance(text) + 2, metrics.height(), QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setFont(font)
    painter.setPen(QColor("white"))
    painter.drawText(1, metrics.ascent(), text)
    painter.end()
    bits: Any = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt
        bits.setsize(image.sizeInBytes())
    grey = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())[:, : image.width()]
    return np.repeat(grey[..., None], 3, axis=2)


def _paste(picture: NDArray[np.uint8], thumbnail: NDArray[np.uint8], centre: NDArray[np.float64]) -> None:
    """Lay a picture into another one, as far as it lies in it."""
    height, width = thumbnail.shape[:2]
    top, left = (round(float(c) - size / 2) for c, size in zip(centre, (height, width), strict=True))
    rows = slice(max(0, top), max(0, min(picture.shape[0], top + height)))
    columns = slice(max(0, left), max(0, min(picture.shape[1], left + width)))
    part = thumbnail[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if part.size:
        picture[rows, columns, :3] = part
        picture[rows, columns, 3] = 255


def fitted(image: np.ndarray, side: int) -> np.ndarray:
    """Thin out or repeat the pixels of an RGB image so that its longer side is ``side``."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    rows = np.minimum((np.arange(max(1, round(height * factor))) / factor).astype(int), height - 1)
    columns = np.minimum((np.arange(max(1, round(width * factor))) / factor).astype(int), width - 1)
    return image[rows][:, columns]
