"""Reading one plane of pixels, with a sentence for everything that can be wrong with a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.tiff_metadata import TiffAxes, read_axes
from napari_cellclip.vocabulary import PlateError

if TYPE_CHECKING:
    import tifffile
    import zarr

MAX_PIXELS = 2**28
"""Largest plane that is read (16384 x 16384): what is beyond it is a damaged or hostile header."""

_PIXEL_TYPES = ("uint8", "uint16", "float32", "float64")

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


class Plane(Protocol):
    """One plane of pixels somewhere on disk, not read yet."""

    @property
    def file(self) -> Path:
        """The file to name in messages and to watch for changes."""

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype without reading pixels."""

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X), dtype as stored; raises PlateError naming the file."""


@dataclass(frozen=True, slots=True)
class TiffPlane:
    """A plane in a TIFF file: the only one, or one channel of several.

    Attributes
    ----------
    path : Path
        The file.
    channel : int or None
        Index of the channel in a multi-channel file, ``None`` for a file of one channel.
    channels : int or None
        How many channels a file of this plate has; another number is refused.
    """

    path: Path
    channel: int | None = None
    channels: int | None = None

    @property
    def file(self) -> Path:
        """The TIFF file."""
        return self.path

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype from the header alone."""
        with _opened(self.path) as tif:
            return self._format(tif)

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X); focal planes of the channel are maximum-projected.

        Raises
        ------
        PlateError
            If the file is missing, empty, truncated, RGB, or of a pixel type images of cells do not have.
        """
        with _opened(self.path) as tif:
            shape, dtype = self._format(tif)
            planes = [self._page(tif, index) for index in self._pages(tif)]
        pixels = planes[0] if len(planes) == 1 else np.max(planes, axis=0)
        if pixels.shape != shape or pixels.dtype != dtype:
            raise PlateError(f"{self.path.name} holds pages of different sizes: export it again")
        return pixels

    def _axes(self, tif: tifffile.TiffFile) -> TiffAxes:
        axes = read_axes(tif)
        if self.channels is not None and axes.channels != self.channels:
            raise PlateError(
                f"{self.path.name} has {axes.channels} channels where the first file of the plate "
                f"has {self.channels}: export it again"
            )
        return axes

    def _pages(self, tif: tifffile.TiffFile) -> list[int]:
        axes = self._axes(tif)
        if self.channel is None and axes.channels > 1:
            raise PlateError(
                f"{self.path.name} holds {axes.channels} pages where one plane of one stain was expected: "
                "if it is a multi-channel file, open the folder with layout='tiff-folder'"
            )
        return axes.pages(self.channel or 0)

    def _format(self, tif: tifffile.TiffFile) -> tuple[tuple[int, int], np.dtype[Any]]:
        axes = self._axes(tif)
        page: Any = tif.pages[0]
        if axes.rgb:
            raise PlateError(
                f"{self.path.name} is an RGB picture, not a measurement: "
                "export each stain as 16-bit grey levels"
            )
        check_format(self.path.name, (page.imagelength, page.imagewidth), page.dtype)
        return (page.imagelength, page.imagewidth), np.dtype(page.dtype)

    def _page(self, tif: tifffile.TiffFile, index: int) -> NDArray[Any]:
        samples = self._axes(tif).samples
        page: Any = tif.pages[0 if samples else index]
        end = max(o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False))
        if end > self.path.stat().st_size:
            raise PlateError(f"{self.path.name} is truncated: it ends before its pixels do; copy it again")
        pixels: NDArray[Any] = page.asarray()
        return np.take(pixels, index, axis=page.axes.index("S")) if samples else pixels


def tiff_axes(path: Path) -> TiffAxes:
    """Axes and channels of a TIFF file.

    Raises
    ------
    PlateError
        If the file cannot be read as a TIFF.
    """
    with _opened(path) as tif:
        return read_axes(tif)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    import tifffile

    try:
        size = path.stat().st_size
    except OSError as error:
        raise PlateError(
            f"{path.name} is missing or cannot be read ({error.strerror}): look in {path.parent}"
        ) from None
    if size == 0:
        raise PlateError(f"{path.name} is empty (0 bytes): copy it from the microscope again")
    try:
        # is_ome=False: tifffile would otherwise parse the OME-XML itself and open other files it names.
        with tifffile.TiffFile(path, is_ome=False) as tif:
            if not len(tif.pages):
                raise PlateError(f"{path.name} holds no image: it may be truncated; copy it again")
            yield tif
    except PlateError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PlateError(
            f"{path.name} is damaged, truncated or no TIFF file: copy it again ({reason})"
        ) from error


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


@dataclass(frozen=True, slots=True)
class ZarrPlane:
    """A plane of a Zarr array (version 2 or 3).

    Attributes
    ----------
    path : Path
        Folder of the array.
    index : tuple of int or None
        Index along every axis but the last two (Y, X); ``None`` maximum-projects that axis.
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
        array = self._open()
        try:
            block = np.asarray(array[tuple(slice(None) if i is None else i for i in self.index)])
        except Exception as error:  # codecs raise whatever they like on damaged chunks
            raise PlateError(
                f"{self.label}: the pixels are damaged; copy {self.path} again ({error})"
            ) from error
        return block.max(axis=tuple(range(block.ndim - 2))) if block.ndim > 2 else block

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


def zarr_shape(path: Path) -> tuple[int, ...]:
    """Shape of a Zarr array of either version by its metadata, empty if they are missing or damaged."""
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
