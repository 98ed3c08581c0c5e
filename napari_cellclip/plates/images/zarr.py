"""Read planes of Zarr arrays (versions 2 and 3) whose codecs only move bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import check_format, file_state
from napari_cellclip.vocabulary import PlateError

if TYPE_CHECKING:
    import zarr

# Codecs that only move bytes. numcodecs also registers "pickle", which would run code from the file.
_ZARR_CODECS = frozenset(
    {
        *("blosc", "zstd", "gzip", "zlib", "lz4", "lzma", "bz2", "shuffle", "delta", "bitround", "packbits"),
        *(
            "bytes",
            "transpose",
            "crc32c",
            "crc32",
            "adler32",
            "fletcher32",
            "sharding_indexed",
            "fixedscaleoffset",
        ),
    }
)

MAX_CHUNKS = 100_000
"""Most chunks of one plane."""


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
        return _metadata_file(self.path)

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
        """How many planes lie along the axes without an index."""
        shape = self._open().shape
        return int(np.prod([n for n, i in zip(shape, self.index, strict=False) if i is None], dtype=int))

    def _block(self) -> NDArray[Any]:
        array = self._open()
        try:
            return np.asarray(array[tuple(slice(None) if i is None else i for i in self.index)])
        except Exception as error:  # codecs raise whatever they like on damaged chunks
            raise PlateError(
                f"{self.label}: the pixels are damaged; copy {self.path} again ({error})"
            ) from error

    def _open(self) -> zarr.Array[Any]:
        import zarr

        try:
            check_codecs(_metadata_file(self.path))
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
        return array


def _metadata_file(path: Path) -> Path:
    return path / "zarr.json" if (path / "zarr.json").exists() else path / ".zarray"


def chunk_files(path: Path, index: tuple[int | None, ...]) -> list[Path]:
    """Name the files of the chunks (or shards) that a plane needs; nothing is read but the metadata.

    Parameters
    ----------
    path : Path
        Folder of the array.
    index : tuple of int or None
        As :attr:`ZarrPlane.index`.

    Raises
    ------
    PlateError
        If the metadata are missing or damaged, or the plane lies in more than `MAX_CHUNKS` chunks.
    """
    try:
        content = json.loads(_metadata_file(path).read_text(encoding="utf-8"))
        shape, (chunks, prefix, separator) = content["shape"], _chunk_names(content)
        ranges: list[range] = []
        for n, size, at in zip(shape, chunks, (*index, None, None), strict=True):
            whole = range(-(-int(n) // int(size)))
            ranges.append(whole if at is None else whole[int(at) // int(size) :][:1])
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ZeroDivisionError,
        RecursionError,
    ) as error:
        raise PlateError(f"{path} is no readable Zarr array; copy it again ({error})") from error
    if not 0 < math.prod(len(r) for r in ranges) <= MAX_CHUNKS:
        raise PlateError(f"{path} claims shape {shape} in chunks of {chunks}: its metadata are damaged")
    names = (separator.join([*prefix, *map(str, numbers)]) for numbers in product(*ranges))
    return [path.joinpath(*name.split("/")) for name in names]


def _chunk_names(content: dict[str, Any]) -> tuple[list[int], list[str], str]:
    """Shape of the chunks, what their names begin with, and what separates the numbers in them."""
    if content.get("zarr_format") != 3:
        separator, prefix, chunks = content.get("dimension_separator", "."), [], content["chunks"]
    else:
        encoding = content["chunk_key_encoding"]
        default = encoding["name"] == "default"
        separator = (encoding.get("configuration") or {}).get("separator", "/" if default else ".")
        prefix, chunks = ["c"] * default, content["chunk_grid"]["configuration"]["chunk_shape"]
    if separator not in (".", "/"):
        raise ValueError(f"its chunks are named with {separator!r}")
    return chunks, prefix, separator


def zarr_shape(path: Path) -> tuple[int, ...]:
    """Read the shape of a Zarr array from its metadata; empty if they are missing or damaged."""
    try:
        shape = json.loads(_metadata_file(path).read_text(encoding="utf-8")).get("shape")
        return tuple(int(n) for n in shape or ())
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return ()


def check_codecs(metadata: Path) -> None:
    """Refuse a Zarr array whose codecs are not on the list of those that only move bytes.

    Raises
    ------
    PlateError
        If the metadata names another codec, such as pickle.
    """
    content = json.loads(metadata.read_text(encoding="utf-8"))
    for codec in _codecs(content):
        if codec.removeprefix("numcodecs.") not in _ZARR_CODECS:
            raise PlateError(f"{metadata.parent} uses the codec {codec!r}, which is not read for safety")


def _codecs(content: dict[str, Any]) -> Iterator[str]:
    for codec in [*(content.get("filters") or []), content.get("compressor")]:
        if codec:
            yield str(codec.get("id"))
    for codec in content.get("codecs") or []:
        yield str(codec.get("name") if isinstance(codec, dict) else codec)
        if isinstance(codec, dict):
            inner = codec.get("configuration") or {}
            yield from _codecs({"codecs": [*(inner.get("codecs") or []), *(inner.get("index_codecs") or [])]})
