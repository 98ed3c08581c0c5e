"""Read planes of Zarr arrays (versions 2 and 3) whose codecs only move bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import check_format, file_state
from napari_cellclip.plates.images.zarr_metadata import metadata_file, read_metadata
from napari_cellclip.vocabulary import PlateError

if TYPE_CHECKING:
    import zarr


@dataclass(frozen=True, slots=True)
class ZarrPlane:
    """A plane of a Zarr array (version 2 or 3).

    Attributes
    ----------
    path : Path
        Folder of the array.
    index : tuple of int or None
        Index along every axis but the last two (Y, X); ``None`` takes all planes along that axis.
    label : str
        How to call the plane in messages, such as ``"B/03/0"``.
    """

    path: Path
    index: tuple[int | None, ...]
    label: str

    @property
    def file(self) -> Path:
        """The array's metadata file, whose time and size stand for the pixels."""
        return metadata_file(self.path)

    def state(self) -> str:
        """State of that file."""
        return file_state(self.file)

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype."""
        array = self._open()
        return (array.shape[-2], array.shape[-1]), np.dtype(array.dtype)

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X).

        Raises
        ------
        PlateError
            If the array is missing, damaged, or of a pixel type images of cells do not have.
        """
        block = self._block()
        return block.max(axis=tuple(range(block.ndim - 2))) if block.ndim > 2 else block

    def read_stack(self) -> list[NDArray[Any]]:
        """Pixels (Y, X) of each plane along the axes without an index; errors as :meth:`read`."""
        block = self._block()
        return list(block.reshape(-1, *block.shape[-2:]))

    def depth(self) -> int:
        """Count the planes that lie along the axes without an index."""
        shape = self._open().shape
        return int(np.prod([n for n, i in zip(shape, self.index, strict=False) if i is None], dtype=int))

    def _block(self) -> NDArray[Any]:
        array = self._open(whole=True)
        try:
            return np.asarray(array[tuple(slice(None) if i is None else i for i in self.index)])
        except Exception as error:  # codecs raise whatever they like on damaged chunks
            raise PlateError(
                f"{self.label}: the pixels are damaged; copy {self.path} again ({error})"
            ) from error

    def _open(self, whole: bool = False) -> zarr.Array[Any]:
        import zarr

        try:
            metadata = read_metadata(self.path)
            array = zarr.open_array(self.path, mode="r")
        except PlateError:
            raise
        except Exception as error:  # zarr raises many kinds on missing or damaged metadata
            raise PlateError(
                f"{self.label}: {self.path} is no readable Zarr array; copy it again ({error})"
            ) from error
        if array.ndim != len(self.index) + 2 or any(
            i is not None and i >= n for i, n in zip(self.index, array.shape, strict=False)
        ):
            raise PlateError(
                f"{self.label}: the array has shape {array.shape}, which does not fit its metadata"
            )
        check_format(self.label, (array.shape[-2], array.shape[-1]), array.dtype)
        if whole:
            metadata.check_region(self.index)
        return array
