"""Read planes of NumPy archives (``.npz``) without ever unpickling anything."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import MAX_STACK_PIXELS, check_format, check_stack, file_state
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular

CACHE_BYTES = 2**28
"""Arrays held between the stains of a field: 256 MiB, five fields of 2160 x 2160 pixels."""


@dataclass(frozen=True, slots=True)
class NpzPlane:
    """One channel of an image stored as one array in a NumPy archive.

    Attributes
    ----------
    path : Path
        The archive.
    key : str
        Name of the array.
    channel : int
        Index of the channel.
    axis : {0, 2}
        Axis of the channels: first ([C, Y, X]) or last ([Y, X, C]).
    channels : int
        How many channels there must be.
    """

    path: Path
    key: str
    channel: int
    axis: int
    channels: int

    @property
    def file(self) -> Path:
        """The archive."""
        return self.path

    def state(self) -> str:
        """State of that file."""
        return file_state(self.file)

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype without reading pixels."""
        shape, dtype = npz_header(self.path, self.key)
        return self._checked(shape, dtype), dtype

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X).

        Raises
        ------
        PlateError
            If the archive is missing or damaged, or the array has another shape or kind.
        """
        try:
            stat = self.path.stat()
        except OSError:
            raise PlateError(f"{self.path.name} is missing: look in {self.path.parent}") from None
        image = read_array(self.path, self.key, (stat.st_mtime_ns, stat.st_size))
        self._checked(image.shape, image.dtype)
        plane: NDArray[Any] = np.ascontiguousarray(np.take(image, self.channel, axis=self.axis))
        return plane

    def _checked(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int]:
        if len(shape) != 3 or shape[self.axis] != self.channels:
            raise PlateError(
                f"{self.path.name} holds an array of shape {shape} where {self.channels} channels were "
                f"expected along axis {self.axis}: convert it again"
            )
        height, width = (n for i, n in enumerate(shape) if i != self.axis)
        check_format(self.path.name, (height, width), dtype)
        return height, width


def npz_header(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and dtype of an array in an archive, from its header alone.

    Raises
    ------
    PlateError
        If there is no such array, it would need unpickling, or the archive is damaged.
    """
    try:
        with zipfile.ZipFile(require_regular(path)) as archive, archive.open(f"{key}.npy") as member:
            version = np.lib.format.read_magic(member)
            read: Any = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(member)
            size = archive.getinfo(f"{key}.npy").file_size
    except KeyError:
        raise PlateError(
            f"{path.name} holds no array {key!r}: it is no image of the published code"
        ) from None
    except Exception as error:  # zip and header readers raise whatever they like on damaged bytes
        raise _damaged(path, error) from error
    if dtype.hasobject:
        raise PlateError(
            f"{path.name}: the array {key!r} holds Python objects, which are not read for safety"
        )
    try:
        check_stack(path.name, 1, shape)
    except TypeError:
        raise _damaged(path, ValueError("its shape is none")) from None
    claimed = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
    if size > MAX_STACK_PIXELS * dtype.itemsize + 2**16 or claimed > size:
        raise PlateError(f"{path.name} claims to hold {shape} pixels: its header is damaged")
    return tuple(int(n) for n in shape), dtype


def npz_keys(path: Path) -> tuple[str, ...]:
    """List the names of the arrays in an archive; none if it is no archive."""
    try:
        with zipfile.ZipFile(require_regular(path)) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy"))
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return ()


@cached(LRUCache(CACHE_BYTES, getsizeof=lambda image: image.nbytes), lock=Lock())
def read_array(path: Path, key: str, state: tuple[int, int]) -> NDArray[Any]:
    """Read the whole array, held because its five stains are asked for one after the other.

    `state` is time and size of the file, so that a changed one is read again.
    """
    npz_header(path, key)
    try:
        with zipfile.ZipFile(require_regular(path)) as archive, archive.open(f"{key}.npy") as member:
            image: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    except Exception as error:  # as above
        raise _damaged(path, error) from error
    image.flags.writeable = False
    return image


def _damaged(path: Path, error: Exception) -> PlateError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return PlateError(f"{path.name} is missing, damaged or no NumPy archive: copy it again ({reason})")
