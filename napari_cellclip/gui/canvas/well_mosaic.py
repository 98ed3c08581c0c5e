"""All sites of a well as one picture, each where the stage was; in reading order where that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellclip.vocabulary import CellClipError, PlateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellclip.plates import Site
    from napari_cellclip.vocabulary import Stain

LONGEST = 4096
"""Longest side of a mosaic in pixels: what every graphics card takes as one texture."""

SLACK = 1.5
"""Positions that spread over more than so many fields a site are not believed."""


def corners(
    positions: Sequence[tuple[float, float] | None],
    shape: tuple[int, int],
    pixel_size: float | None,
) -> NDArray[np.int64]:
    """Place the sites of a well: row and column of each one's first pixel, int64 (n, 2), the least being 0.

    Parameters
    ----------
    positions : sequence of (y, x) or None
        Where the stage was, in micrometres, y upwards as stages count.
    shape : tuple of int
        Height and width of a site in pixels.
    pixel_size : float or None
        Micrometres. Without it, or without a position, sites stand in reading order in a square.
    """
    n = len(positions)
    placed = [p for p in positions if p is not None]
    if pixel_size and len(placed) == n and len(set(placed)) == n:
        yx = np.array(placed) / pixel_size * (-1, 1)
        spread = yx.max(axis=0) - yx.min(axis=0)
        if (spread <= SLACK * n * np.array(shape)).all():
            return np.asarray((yx - yx.min(axis=0)).round(), np.int64)
    across = int(np.ceil(np.sqrt(n)))
    return np.array([(i // across * shape[0], i % across * shape[1]) for i in range(n)], np.int64).reshape(
        n, 2
    )


def read_mosaic(
    sites: Sequence[Site], stains: Sequence[Stain], pixel_size: float | None
) -> tuple[NDArray[Any], int, list[str]]:
    """Read the sites of a well and lay them out as acquired; where they overlap, the later one is on top.

    Parameters
    ----------
    sites : sequence of Site
        Of one well.
    stains : sequence of Stain
        Wanted stains.
    pixel_size : float or None
        Micrometres.

    Returns
    -------
    pixels : ndarray (stains, Y, X)
        Black where there is no site.
    step : int
        Every so many-th pixel was kept, so that the picture is at most `LONGEST` pixels long.
    problems : list of str
        One sentence for each site that could not be read.

    Raises
    ------
    PlateError
        If no site can be read.
    """
    problems: list[str] = []
    shape = _first_shape(sites)
    places = corners([s.position for s in sites], shape, pixel_size)
    extent = places.max(axis=0) + shape
    step = max(1, -(-int(extent.max()) // LONGEST))
    picture: NDArray[Any] | None = None
    for site, (row, column) in zip(sites, places // step, strict=True):
        try:
            pixels = site.read(stains)[:, ::step, ::step]
        except CellClipError as error:
            problems.append(str(error))
            continue
        if picture is None:
            size = -(-extent // step)
            picture = np.zeros((len(stains), int(size[0]), int(size[1])), pixels.dtype)
        part = picture[:, row : row + pixels.shape[1], column : column + pixels.shape[2]]
        part[...] = pixels[:, : part.shape[1], : part.shape[2]]
    if picture is None:
        raise PlateError(problems[0])
    return picture, step, problems


def _first_shape(sites: Sequence[Site]) -> tuple[int, int]:
    last: CellClipError | None = None
    for site in sites:
        try:
            return site.shape
        except CellClipError as error:
            last = error
    raise last or PlateError("this well has no images")
