"""Planes of a remote plate: whatever reads them, their files are fetched first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.acquisition import Acquisition
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.stacks import depth_of, focal_planes
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.images.zarr_metadata import chunk_files
from napari_cellclip.plates.remote.mirror import Mirror
from napari_cellclip.vocabulary import PlateError

T = TypeVar("T")

TRIES = 3
"""How often a plane is read again because another program emptied its file in the meantime."""


@dataclass(frozen=True, slots=True)
class RemotePlane:
    """A plane whose files are fetched when it is read.

    Attributes
    ----------
    inner : Plane
        As the layout reader made it, of files in the mirror.
    mirror : Mirror
        The folder of the plate.
    """

    inner: Plane
    mirror: Mirror = field(repr=False, compare=False)

    @property
    def file(self) -> Path:
        """The local file, which may be empty."""
        return self.inner.file

    def state(self) -> str:
        """State of the remote file, whether it is here or not."""
        return self.mirror.state(self.inner.file)

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype; of anything but Zarr the whole file is fetched."""
        return self._with([self.inner.file], self.inner.header)

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X).

        Raises
        ------
        PlateError
            If they cannot be fetched, or read.
        """
        return self._with(self._files(), self.inner.read)

    def read_stack(self) -> list[NDArray[Any]]:
        """Pixels (Y, X) of each focal plane in the file; errors as :meth:`read`."""
        return self._with(self._files(), lambda: focal_planes(self.inner))

    def depth(self) -> int:
        """Count the focal planes that the file has."""
        return self._with([self.inner.file], lambda: depth_of(self.inner))

    def _files(self) -> list[Path]:
        """Files that the pixels are in."""
        files = [self.inner.file]
        if isinstance(self.inner, ZarrPlane):
            array, index = self.inner.path, self.inner.index
            files += self._with(files, lambda: chunk_files(array, index))
        return files

    def _with(self, files: list[Path], read: Callable[[], T]) -> T:
        for _ in range(TRIES - 1):
            with self.mirror.hold(files):
                try:
                    return read()
                except PlateError:
                    if all(self.mirror.is_here(file) for file in files):
                        raise
        with self.mirror.hold(files):
            return read()


def lazily(acquisition: Acquisition, mirror: Mirror) -> Acquisition:
    """Let the planes of a plate that was read from a mirror fetch their files."""
    fields = tuple(
        replace(
            f,
            planes={
                name: tuple(RemotePlane(plane, mirror) for plane in planes)
                for name, planes in f.planes.items()
            },
        )
        for f in acquisition.fields
    )
    return replace(acquisition, fields=fields, address=str(mirror.address), need=mirror.need)
