"""Correct uneven illumination: each stain is divided by a function that is the same for a whole plate.

CellProfiler calculates such functions (Carpenter et al. 2006; Singh et al. 2014) and stores them as ``.npy``;
where there are none they are estimated from the plate's own fields. Nothing is corrected unless asked for:
published weights were trained on images as they were acquired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import MAX_PIXELS
from napari_cellclip.vocabulary import PlateError, Stain
from napari_cellclip.vocabulary.regular_files import require_regular

ROBUST_MINIMUM = 2.0
"""Percentile of an estimated function that becomes 1, as in CellProfiler's rescaling."""


@dataclass(frozen=True, eq=False)
class Illumination:
    """The illumination functions of a plate.

    Attributes
    ----------
    functions : mapping of Stain to ndarray of float32 (y, x)
        What each stain is divided by. One of another size than the images is a coarse grid over the field
        and is interpolated.
    source : str
        Where they come from, in words.
    coarse : bool
        Whether the functions are coarse grids; else they must have the size of the images.
    """

    functions: Mapping[Stain, NDArray[np.float32]]
    source: str
    coarse: bool = False
    _sized: dict[tuple[Stain, tuple[int, int]], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for stain, function in self.functions.items():
            low = float(function.min(initial=np.inf))
            if function.ndim != 2 or not np.isfinite(function).all() or not low > 0:
                raise PlateError(
                    f"the illumination function of {stain} cannot be used ({self.source}): it must be one"
                    " image of positive numbers"
                )

    @property
    def digest(self) -> str:
        """16 hex digits over all functions: another one corrects in another way."""
        found = hashlib.sha256(str(self.coarse).encode())
        for stain in sorted(self.functions):
            values = np.ascontiguousarray(self.functions[stain], np.float32)
            found.update(f"{stain}|{values.shape}|".encode())
            found.update(values.tobytes())
        return found.hexdigest()[:16]

    def correct(self, stain: Stain, image: NDArray[Any]) -> NDArray[Any]:
        """Divide an image by the function of its stain.

        Parameters
        ----------
        stain : Stain
            Of the image.
        image : ndarray (Y, X)
            Counts as acquired.

        Returns
        -------
        ndarray (Y, X)
            Of the image's type: integers are rounded, and end at the largest of the type.

        Raises
        ------
        PlateError
            If there is no function for this stain, or it has another size than the image.
        """
        divided = image.astype(np.float32) / self._function(stain, (image.shape[0], image.shape[1]))
        if image.dtype.kind == "u":
            largest = np.iinfo(image.dtype).max
            return np.minimum(np.rint(divided), largest).astype(image.dtype)
        return divided.astype(image.dtype)

    def _function(self, stain: Stain, shape: tuple[int, int]) -> NDArray[np.float32]:
        function = self.functions.get(stain)
        if function is None:
            raise PlateError(f"there is no illumination function for {stain} ({self.source})")
        if function.shape == shape:
            return function
        if not self.coarse:
            raise PlateError(
                f"the illumination function of {stain} is {function.shape[0]} x {function.shape[1]} pixels"
                f" and the image {shape[0]} x {shape[1]} ({self.source}): is it another plate's?"
            )
        if (stain, shape) not in self._sized:  # one size a plate, as a rule
            self._sized[stain, shape] = stretched(function, shape)
        return self._sized[stain, shape]


def stretched(grid: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a coarse grid, each value at the middle of its block, to the pixels of an image."""
    places = [
        np.clip((np.arange(n) + 0.5) * size / n - 0.5, 0, size - 1)
        for n, size in zip(shape, grid.shape, strict=True)
    ]
    from scipy import ndimage  # a second of imports that opening a screen does not need

    out = ndimage.map_coordinates(grid, np.meshgrid(*places, indexing="ij"), order=1, mode="nearest")
    return np.asarray(out, np.float32)


def read_function(path: Path) -> NDArray[np.float32]:
    """Read an illumination function from a ``.npy`` file as CellProfiler writes it.

    Raises
    ------
    PlateError
        If it is no array of real numbers in two dimensions, or larger than an image may be. Nothing is
        unpickled, and no memory is taken before the header is checked.
    """
    try:
        with require_regular(path).open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read is None:
                raise ValueError(f"version {version} of the format is not known")
            shape, in_columns, dtype = read(file)
            if len(shape) != 2 or dtype.kind not in "fui" or not 0 < shape[0] * shape[1] <= MAX_PIXELS:
                raise ValueError(f"it holds {dtype} of shape {shape}")
            if path.stat().st_size - file.tell() < shape[0] * shape[1] * dtype.itemsize:
                raise ValueError("it ends before its last value")
            values = np.fromfile(file, dtype, shape[0] * shape[1])
    except (OSError, ValueError, TypeError, SyntaxError, MemoryError) as error:
        raise PlateError(
            f"{path} is no illumination function ({error}): expected a .npy file of one image"
        ) from error
    return values.reshape(shape, order="F" if in_columns else "C").astype(np.float32)
