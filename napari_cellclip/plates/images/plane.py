"""One plane of pixels on disk, whatever the file: what it can do, and which pixels are accepted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import PlateError

MAX_PIXELS = 2**28
"""Largest plane that is read (16384 x 16384): what is beyond it is a damaged or hostile header."""

MAX_STACK_PIXELS = 2**29
"""Most pixels of all focal planes of one stain of a field: 115 planes of 2160 x 2160, 1 GiB at 16 bits."""

_PIXEL_TYPES = ("uint8", "uint16", "float32", "float64")


class Plane(Protocol):
    """One plane of pixels somewhere on disk, not read yet."""

    @property
    def file(self) -> Path:
        """The file to name in messages and to watch for changes."""

    def state(self) -> str:
        """State of the file: other words once it was changed or has gone."""

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype without reading pixels."""

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X), dtype as stored; raises PlateError naming the file."""


@runtime_checkable
class StackPlane(Plane, Protocol):
    """A plane that may stand for several focal planes in one file."""

    def read_stack(self) -> list[NDArray[Any]]:
        """Pixels (Y, X) of each focal plane."""

    def depth(self) -> int:
        """Count the focal planes."""


def file_state(path: Path) -> str:
    """Look up size and time of a file, in words that change when it does."""
    try:
        stat = path.stat()
    except OSError:
        return "missing"
    return f"{stat.st_size}|{stat.st_mtime_ns}"


def check_format(name: str, shape: tuple[int, int], dtype: Any) -> None:
    """Refuse a plane whose pixel type or size is not that of an image of cells.

    Raises
    ------
    PlateError
        Names the file.
    """
    if dtype is None or np.dtype(dtype).name not in _PIXEL_TYPES:
        raise PlateError(
            f"{name} has pixels of type {dtype}: expected 16-bit grey levels (uint16); "
            "export it again as such"
        )
    if not 0 < shape[0] * shape[1] <= MAX_PIXELS:
        raise PlateError(f"{name} claims to be {shape[0]} x {shape[1]} pixels: its header is damaged")


def check_stack(name: str, planes: int, shape: Sequence[int]) -> None:
    """Refuse a stack of more pixels than a field of cells has: a small file can claim any number of them.

    Raises
    ------
    PlateError
        Names the file.
    """
    if planes * math.prod(shape) > MAX_STACK_PIXELS:
        size = " x ".join(str(n) for n in (planes, *shape))
        raise PlateError(f"{name} claims {size} pixels for one stain of a field, more than are read at once")
