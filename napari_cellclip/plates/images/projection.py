"""Make one image of the focal planes of a field: their maximum, their mean, or the sharpest plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import PlateError

Projection = Literal["max", "mean", "focus", "dna-focus"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)

IN_WORDS: dict[Projection, str] = {
    "max": "combined by maximum projection",
    "mean": "combined by mean projection",
    "focus": "reduced to the sharpest plane of each stain",
    "dna-focus": "reduced to the plane in which DNA is sharpest, the same for all stains",
}
"""What is done with several focal planes of a stain."""


def require_projection(name: str) -> None:
    """Refuse a projection that does not exist.

    Raises
    ------
    PlateError
        Names those there are.
    """
    if name not in PROJECTIONS:
        raise PlateError(f"{name!r} is no way to combine focal planes: use {', '.join(PROJECTIONS)}")


def sharpness(image: NDArray[Any]) -> float:
    """Compute how sharp an image is: the variance of its Laplacian (Pech-Pacheco et al. 2000).

    Of planes of one field and stain the sharpest has the largest. Blocks of 2 x 2 pixels are averaged first,
    so that the noise of single pixels does not count as detail.

    Parameters
    ----------
    image : ndarray (Y, X)
        Counts.
    """
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].astype(np.float32)
    small = image.astype(np.float32)
    if even.size:
        small = even.reshape(even.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
    from scipy import ndimage  # a second of imports that opening a screen does not need

    return float(ndimage.laplace(small).var())


def sharpest(planes: Sequence[NDArray[Any]]) -> int:
    """Find the sharpest of some planes; the first of several that are equally sharp."""
    return int(np.argmax([sharpness(plane) for plane in planes]))


def project(planes: Sequence[NDArray[Any]], how: Projection, plane: int | None = None) -> NDArray[Any]:
    """Make one image of the focal planes of a stain.

    Parameters
    ----------
    planes : sequence of ndarray (Y, X)
        At least one, of one shape and type.
    how : {"max", "mean", "focus", "dna-focus"}
        See :data:`IN_WORDS`.
    plane : int, optional
        The plane in which DNA is sharpest, needed for ``dna-focus``.

    Returns
    -------
    ndarray (Y, X)
        Of the planes' type; a mean is rounded to it.

    Raises
    ------
    ValueError
        If shapes differ.
    PlateError
        For ``dna-focus`` if the stain has no such plane.
    """
    first = planes[0]
    if len(planes) == 1:
        return first
    if how == "max":
        return np.asarray(np.max(planes, axis=0))
    if how == "mean":
        mean = np.mean(planes, axis=0, dtype=np.float64)
        return np.asarray((np.rint(mean) if first.dtype.kind == "u" else mean).astype(first.dtype))
    if how == "focus":
        return planes[sharpest(planes)]
    if plane is None or plane >= len(planes):
        raise PlateError(
            f"there are {len(planes)} focal planes and DNA is sharpest in number {(plane or 0) + 1}:"
            " choose another projection than dna-focus"
        )
    return planes[plane]
