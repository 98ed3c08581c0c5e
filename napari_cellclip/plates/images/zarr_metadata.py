"""Metadata of a Zarr array, checked before anything believes them: sizes, codecs, what chunks inflate to."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_cellclip.plates.images.inflation import inflates_beyond
from napari_cellclip.plates.images.plane import check_stack
from napari_cellclip.plates.images.zarr_shards import ShardedChunks
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import read_regular, require_regular

MAX_METADATA_BYTES = 2**26
"""Largest metadata file that is read; those of an array have a few hundred bytes."""

MAX_CHUNK_BYTES = 2**30
"""Largest chunk that is decoded: a plane of the largest size has half of that."""

MAX_CHUNKS = 100_000
"""Most chunks that are read for one field and stain."""

MAX_AXES = 8
METADATA_NAMES = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")

_COMPRESSORS = frozenset({"blosc", "zstd", "gzip", "zlib", "lz4", "lzma", "bz2"})
# Codecs that only move bytes, and JPEG XL. numcodecs also registers "pickle", which runs code from the file.
JPEG_XL = "imagecodecs_jpegxl"
SHARDING = "sharding_indexed"
_CODECS = _COMPRESSORS | {
    *("shuffle", "delta", "bitround", "packbits", "bytes", "transpose", "crc32c", "crc32", "adler32"),
    *("fletcher32", SHARDING, "fixedscaleoffset", JPEG_XL),
}


@dataclass(frozen=True)
class ZarrMetadata:
    """Metadata of an array, as far as they concern its chunks.

    Attributes
    ----------
    path : Path
        Folder of the array.
    shape, chunks : tuple of int
        Of the array and of one chunk file.
    itemsize : int
        Bytes of a number.
    compressor : str
        What chunk files are compressed with, last of all; empty where nothing, or where that is not known.
    key : str
        How the file of a chunk is named: ``""`` before its numbers, or ``"c"``.
    separator : str
        Between the numbers.
    inner : ShardedChunks or None
        What chunk files consist of, if they are shards.
    """

    path: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    itemsize: int
    compressor: str
    key: str
    separator: str
    inner: ShardedChunks | None = None

    def check_region(self, index: Sequence[int | None]) -> None:
        """Refuse to read a region whose chunks are too many, too large, no files, or would inflate.

        Parameters
        ----------
        index : sequence of int or None
            Along all axes but the last two; ``None`` takes an axis as a whole.

        Raises
        ------
        PlateError
            Names the array or the chunk.
        """
        stack = math.prod(n for n, i in zip(self.shape, index, strict=False) if i is None)
        check_stack(self.path.name, stack, self.shape[-2:])
        if (size := math.prod(self.chunks) * self.itemsize) > MAX_CHUNK_BYTES:
            raise PlateError(f"{self.path} claims chunks of {size:,} bytes: its metadata are damaged")
        for file in self.files(index):
            self._check_chunk(file, size)

    def files(self, index: Sequence[int | None]) -> list[Path]:
        """Name the chunk files of a region; parameter and errors as :meth:`check_region`."""
        if len(self.shape) != len(index) + 2:
            raise PlateError(f"{self.path} claims the shape {self.shape}, which does not fit its image")
        wanted = [
            range(-(-n // c)) if i is None else range(i // c, min(i // c + 1, -(-n // c)))
            for n, c, i in zip(self.shape, self.chunks, [*index, None, None], strict=True)
        ]
        if not 0 < (count := math.prod(map(len, wanted))) <= MAX_CHUNKS:
            raise PlateError(
                f"{self.path} claims the shape {self.shape} in chunks of {self.chunks}, {count:,} of them a"
                " field: its metadata are damaged, or it must be written again in larger chunks"
            )
        prefix = [self.key] * bool(self.key)
        return [
            self.path / self.separator.join([*prefix, *map(str, numbers)])
            for numbers in itertools.product(*wanted)
        ]

    def _check_chunk(self, file: Path, size: int) -> None:
        try:
            stored = require_regular(file).stat().st_size
        except FileNotFoundError:
            return  # a chunk of nothing but the fill value is not written
        except OSError as error:
            raise PlateError(f"{file} cannot be read ({error.strerror}): copy the plate again") from None
        limit = most_bytes(size)
        with file.open("rb") as stream:
            beyond = stored > limit or inflates_beyond(stream, stored, self.compressor, limit)
            if beyond or (self.inner is not None and self.inner.inflate_beyond(stream, stored)):
                raise PlateError(
                    f"{file} unpacks to more than a chunk of its array: it is damaged or hostile"
                )


def most_bytes(size: int) -> int:
    """Most bytes that a chunk of ``size`` bytes may unpack to: filters may have stored longer numbers."""
    return 8 * size + 2**20


def metadata_file(path: Path) -> Path:
    """Name the metadata file of an array of version 3 or 2."""
    return path / "zarr.json" if (path / "zarr.json").exists() else path / ".zarray"


def zarr_shape(path: Path) -> tuple[int, ...]:
    """Read the shape of a Zarr array from its metadata; empty if they are missing, damaged or absurd."""
    try:
        return _sizes(_content(path).get("shape"), 0)
    except (OSError, ValueError, RecursionError):
        return ()


def chunk_files(path: Path, index: Sequence[int | None]) -> list[Path]:
    """Name the files of the chunks (or shards) that a plane needs; nothing is read but the metadata.

    Parameters
    ----------
    path : Path
        Folder of the array.
    index : sequence of int or None
        Along all axes but the last two; ``None`` takes an axis as a whole.

    Raises
    ------
    PlateError
        If the metadata are missing or damaged, or the plane lies in more than `MAX_CHUNKS` chunks.
    """
    try:
        return read_metadata(path).files(index)
    except (OSError, ValueError, RecursionError) as error:
        raise PlateError(f"{path} is no readable Zarr array; copy it again ({error})") from error


def read_metadata(path: Path) -> ZarrMetadata:
    """Read and check the metadata of an array.

    Raises
    ------
    PlateError
        If a codec is not on the list of those that only move bytes, or one compresses what another did.
    OSError, ValueError, RecursionError
        If they are missing, damaged, or no metadata of an array.
    """
    for name in METADATA_NAMES:  # whoever opens the array reads all of them
        if (path / name).exists():
            require_regular(path / name)
    content = _content(path)
    names = list(_codec_names(content))
    for name in names:
        if name.removeprefix("numcodecs.") not in _CODECS:
            raise PlateError(f"{path} uses the codec {name!r}, which is not read for safety")
    if JPEG_XL in names:
        from imagecodecs.numcodecs import register_codecs

        register_codecs(JPEG_XL, verbose=False)
    version3 = "codecs" in content
    grid = _part(content, "chunk_grid", "configuration")
    keys = _part(content, "chunk_key_encoding", "configuration")
    plain = _part(content, "chunk_key_encoding").get("name") == "v2" or not version3
    separator = keys.get("separator") if version3 else content.get("dimension_separator")
    shape = _sizes(content.get("shape"), 0)
    chunks = _sizes(grid.get("chunk_shape") if version3 else content.get("chunks"), 1)
    if len(chunks) != len(shape):
        raise ValueError("its chunks have other axes than the array")
    dtype = content.get("data_type" if version3 else "dtype")
    if not isinstance(dtype, str):
        raise ValueError(f"its numbers are of the type {dtype!r}")
    itemsize = _itemsize(dtype)
    return ZarrMetadata(
        path,
        shape,
        chunks,
        itemsize,
        _compressor(path, content, version3),
        "" if plain else "c",
        separator if separator in (".", "/") else ("." if plain else "/"),
        _inner(path, content, chunks, itemsize) if version3 else None,
    )


def _inner(
    path: Path, content: dict[str, Any], chunks: tuple[int, ...], itemsize: int
) -> ShardedChunks | None:
    """Read what the shards of an array consist of; ``None`` where chunk files are no shards."""
    shards = [c for c in _list(content.get("codecs")) if isinstance(c, dict) and c.get("name") == SHARDING]
    if not shards:
        return None
    settings = _part(shards[0], "configuration")
    inner = _sizes(settings.get("chunk_shape"), 1)
    index = [str(c.get("name") if isinstance(c, dict) else c) for c in _list(settings.get("index_codecs"))]
    names = list(_codec_names({"codecs": _list(settings.get("codecs"))}))
    if len(shards) > 1 or SHARDING in names or index not in (["bytes"], ["bytes", "crc32c"]):
        raise PlateError(f"{path} has shards in shards, or a compressed index, which are not read for safety")
    if len(inner) != len(chunks) or any(c % i for c, i in zip(chunks, inner, strict=True)):
        raise ValueError("the chunks of its shards do not divide them")
    return ShardedChunks(
        count=math.prod(c // i for c, i in zip(chunks, inner, strict=True)),
        limit=most_bytes(math.prod(inner) * itemsize),
        compressor=_compressor(path, settings, True),
        checked="crc32c" in index,
        first=settings.get("index_location") == "start",
    )


def _content(path: Path) -> dict[str, Any]:
    content = json.loads(read_regular(metadata_file(path), MAX_METADATA_BYTES))
    if not isinstance(content, dict):
        raise ValueError("its metadata are no object")
    return content


def _part(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        found = content.get(key)
        content = found if isinstance(found, dict) else {}
    return content


def _sizes(sizes: Any, least: int) -> tuple[int, ...]:
    if not isinstance(sizes, list) or not 0 < len(sizes) <= MAX_AXES:
        raise ValueError(f"{str(sizes)[:40]} is no shape of an array")
    if not all(type(n) is int and least <= n < 2**40 for n in sizes):
        raise ValueError(f"{str(sizes)[:40]} is no shape of an array")
    return tuple(sizes)


def _itemsize(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        raise ValueError(f"{dtype[:40]!r} is no type of numbers") from None


def _compressor(path: Path, content: dict[str, Any], version3: bool) -> str:
    """Name what compresses chunk files; refuse what is compressed twice, whose size nobody can know."""
    if version3:
        order = [str(c.get("name") if isinstance(c, dict) else c) for c in _list(content.get("codecs"))]
        order = [name.removeprefix("numcodecs.") for name in order]
        while order and order[-1] == "crc32c":
            order.pop()
    else:
        order = [*(str(c["id"]) for c in _list(content.get("filters")) if isinstance(c, dict) and "id" in c)]
        if isinstance(compressor := content.get("compressor"), dict):
            order.append(str(compressor.get("id")))
    if any(name in _COMPRESSORS for name in order[:-1]):
        raise PlateError(f"{path} is compressed twice, which is not read for safety: write it again")
    return order[-1] if order and order[-1] in (*_COMPRESSORS, JPEG_XL) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _codec_names(content: dict[str, Any]) -> Iterator[str]:
    for codec in [*_list(content.get("filters")), content.get("compressor")]:
        if codec:
            yield str(codec.get("id") if isinstance(codec, dict) else codec)
    for codec in _list(content.get("codecs")):
        yield str(codec.get("name") if isinstance(codec, dict) else codec)
        if isinstance(codec, dict):
            inner = _part(codec, "configuration")
            yield from _codec_names(
                {"codecs": [*_list(inner.get("codecs")), *_list(inner.get("index_codecs"))]}
            )
