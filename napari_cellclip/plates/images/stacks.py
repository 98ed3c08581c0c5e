"""Focal stacks of a field: from files of one plane each, or of several, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_cellclip.plates.images.picture import PICTURE_SUFFIXES, PicturePlane
from napari_cellclip.plates.images.plane import Plane, StackPlane
from napari_cellclip.plates.images.tiff import TiffPlane


def plane_of(path: Path) -> Plane:
    """Return the plane of an image file of one plane, by the ending of its name."""
    return PicturePlane(path) if path.suffix.lower() in PICTURE_SUFFIXES else TiffPlane(path)


def focal_planes(plane: Plane) -> list[NDArray[Any]]:
    """Read the focal planes of a channel, (Y, X) each: a TIFF file or an array may hold several."""
    return plane.read_stack() if isinstance(plane, StackPlane) else [plane.read()]


def depth_of(plane: Plane) -> int:
    """Count the focal planes of a channel in one file, from its header."""
    return plane.depth() if isinstance(plane, StackPlane) else 1


def stacked_by_channel(
    images: Mapping[str, Mapping[int, Sequence[Plane]]],
) -> tuple[dict[str, tuple[Plane, ...]], dict[str, str]]:
    """Make the focal stacks of a field from the planes of each channel.

    Parameters
    ----------
    images : mapping of str to mapping of int to sequence of Plane
        Planes by channel name and number of the focal plane.

    Returns
    -------
    planes : dict of str to tuple of Plane
        By channel name, in the order of the focal planes.
    faults : dict of str to str
        Why a channel cannot be read: there is more than one image for one focal plane.
    """
    planes: dict[str, tuple[Plane, ...]] = {}
    faults = {}
    for name, stack in images.items():
        planes[name] = tuple(plane for _, found in sorted(stack.items()) for plane in found)
        if twice := next((found for _, found in sorted(stack.items()) if len(found) > 1), None):
            files = " and ".join(plane.file.name for plane in twice)
            faults[name] = f"there is more than one file for channel {name!r}: {files}; remove all but one"
    return planes, faults
