"""Read planes of TIFF files, with a sentence for everything that can be wrong with a file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import check_format, check_stack, file_state
from napari_cellclip.plates.images.tiff_metadata import TiffAxes, read_axes
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular

if TYPE_CHECKING:
    import tifffile

MAX_MEMBER_BYTES = 2**30
"""Largest TIFF file that is unpacked from a zip archive: a plane of the largest size has half of that."""


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
    member : str
        Name of the TIFF file inside ``path`` where that is a zip archive.
    """

    path: Path
    channel: int | None = None
    channels: int | None = None
    member: str = ""

    @property
    def file(self) -> Path:
        """The TIFF file, or the zip archive that holds it."""
        return self.path

    def state(self) -> str:
        """State of that file."""
        return file_state(self.file)

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype from the header alone."""
        with _opened(self.path, self.member) as tif:
            return self._format(tif)

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X); focal planes of the channel are maximum-projected.

        Raises
        ------
        PlateError
            If the file is missing, empty, truncated, RGB, or of a pixel type images of cells do not have.
        """
        planes = self.read_stack()
        return planes[0] if len(planes) == 1 else np.asarray(np.max(planes, axis=0))

    def read_stack(self) -> list[NDArray[Any]]:
        """Pixels (Y, X) of each focal plane of the channel; errors as :meth:`read`."""
        with _opened(self.path, self.member) as tif:
            shape, dtype = self._format(tif)
            pages = self._pages(tif)
            check_stack(self.path.name, len(pages), shape)
            planes = [self._page(tif, index) for index in pages]
        if any(plane.shape != shape or plane.dtype != dtype for plane in planes):
            raise PlateError(f"{self.path.name} holds pages of different sizes: export it again")
        return planes

    def depth(self) -> int:
        """Count the focal planes of the channel that the file holds, from its header."""
        with _opened(self.path, self.member) as tif:
            return len(self._pages(tif))

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
        if end > tif.filehandle.size:
            raise PlateError(f"{self.path.name} is truncated: it ends before its pixels do; copy it again")
        # Pages may share a strip, and a strip claim any size, whatever the size of the file.
        check_stack(self.path.name, 1, page.shape)
        check_stack(self.path.name, 1, page.chunks)
        pixels: NDArray[Any] = page.asarray()
        return np.take(pixels, index, axis=page.axes.index("S")) if samples else pixels


def tiff_axes(path: Path) -> TiffAxes:
    """Read axes and channels of a TIFF file.

    Raises
    ------
    PlateError
        If the file cannot be read as a TIFF.
    """
    with _opened(path) as tif:
        return read_axes(tif)


def _unpacked(archive: Path, member: str) -> BytesIO:
    """Read one file of a zip archive into memory, no more than a plane can take."""
    with zipfile.ZipFile(require_regular(archive)) as packed:
        if packed.getinfo(member).file_size > MAX_MEMBER_BYTES:
            raise PlateError(
                f"{member} in {archive.name} claims to be of {MAX_MEMBER_BYTES:,} bytes and more"
            )
        return BytesIO(packed.read(member))


@contextmanager
def _opened(path: Path, member: str = "") -> Iterator[tifffile.TiffFile]:
    import tifffile

    try:
        source = _unpacked(path, member) if member else require_regular(path)
        # is_ome=False: tifffile would otherwise parse the OME-XML itself and open other files it names.
        with tifffile.TiffFile(source, is_ome=False) as tif:
            if not len(tif.pages):
                raise PlateError(f"{path.name} holds no image: it may be truncated; copy it again")
            yield tif
    except PlateError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        raise PlateError(_fault(path, error)) from error


def _fault(path: Path, error: Exception) -> str:
    """Explain why a file could not be read; it is looked at again only now that it failed."""
    if isinstance(error, OSError) and error.errno is not None:
        return f"{path.name} is missing or cannot be read ({error.strerror}): look in {path.parent}"
    if path.is_file() and path.stat().st_size == 0:
        return f"{path.name} is empty (0 bytes): copy it from the microscope again"
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{path.name} is damaged, truncated or no TIFF file: copy it again ({reason})"
