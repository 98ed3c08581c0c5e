"""A picture of very many points as they are seen now: density, colours and the outline of a selection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

Rectangle = tuple[float, float, float, float]


def dense_picture(
    xy: NDArray[np.floating],
    view: Rectangle,
    size: tuple[int, int],
    *,
    grey: NDArray[np.uint8],
    rgb: NDArray[np.uint8],
    bright: NDArray[np.bool_],
    selected: NDArray[np.intp],
    ring: tuple[int, int, int],
) -> NDArray[np.uint8]:
    """Draw points at the resolution of the screen.

    Parameters
    ----------
    xy : ndarray (n, 2)
        Places on the map.
    view : tuple of float
        ``(left, bottom, width, height)`` of what is seen.
    size : tuple of int
        Width and height of the picture in pixels.
    grey : ndarray of uint8 (256, 3)
        From the background to the densest pixel; density is on a logarithmic scale.
    rgb : ndarray of uint8 (n, 3)
        Colours of the points.
    bright : ndarray of bool (n,)
        Points in colour, drawn over the density.
    selected : ndarray of int
        Rows of the selected points; an outline is drawn around the areas they fill.
    ring : tuple of int
        Colour of the outline.

    Returns
    -------
    ndarray of uint8 (height, width, 4)
        Row 0 is at the bottom; transparent where there is no point.
    """
    width, height = size
    cell = pixel_of(xy, view, size)
    there = cell >= 0
    counts = np.bincount(cell[there], minlength=width * height)
    picture = np.zeros((height * width, 4), np.uint8)
    filled = counts > 0
    level = np.log1p(counts[filled]) / np.log1p(max(int(counts.max()), 1))
    picture[filled, :3] = grey[(55 + 200 * level).astype(np.intp)]
    picture[filled, 3] = 255
    coloured = np.flatnonzero(bright & there)
    picture[cell[coloured], :3] = rgb[coloured]
    picture = picture.reshape(height, width, 4)
    chosen = cell[selected]
    chosen = chosen[chosen >= 0]
    if len(chosen):
        area = np.zeros(width * height, bool)
        area[chosen] = True
        # Three pixels of closing, so that one outline goes around a cloud and not one around each point.
        grown = binary_dilation(area.reshape(height, width), np.ones((3, 3), bool), iterations=3)
        outline = binary_dilation(grown, np.ones((3, 3), bool)) & ~grown
        picture[outline] = (*ring, 255)
    return picture


def pixel_of(xy: NDArray[np.floating], view: Rectangle, size: tuple[int, int]) -> NDArray[np.intp]:
    """Compute the pixel of each point, row by row from the bottom; -1 outside the view."""
    left, bottom, width, height = view
    columns, rows = size
    x = ((xy[:, 0] - left) * (columns / width)).astype(np.int32)
    y = ((xy[:, 1] - bottom) * (rows / height)).astype(np.int32)
    seen = (xy[:, 0] >= left) & (xy[:, 1] >= bottom) & (x < columns) & (y < rows)
    return np.where(seen, y.astype(np.intp) * columns + x, -1)
