"""Read planes of PNG, JPEG and JPEG 2000 files: grey levels only, sizes checked first."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.plates.images.plane import check_format, file_state
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.regular_files import require_regular

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jp2", ".j2k")
"""Endings of the names of these files, in lower case."""

LOSSY_SUFFIXES = (".jpg", ".jpeg")
"""Endings of formats that always lose detail."""

HEADER_BYTES = 2**18
"""How much of a file is read for its header: JPEG files may begin with long comments."""

MAX_FILE_BYTES = 2**30
"""Largest file that is read: a plane of the largest size has half of that without compression."""


@dataclass(frozen=True, slots=True)
class PicturePlane:
    """A plane of grey levels in a PNG, JPEG or JPEG 2000 file.

    Attributes
    ----------
    path : Path
        The file.
    """

    path: Path

    @property
    def file(self) -> Path:
        """The file."""
        return self.path

    def state(self) -> str:
        """State of that file."""
        return file_state(self.file)

    def header(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Shape (Y, X) and dtype without decoding pixels."""
        return self._format(self._bytes(HEADER_BYTES))

    def read(self) -> NDArray[Any]:
        """Pixels (Y, X).

        Raises
        ------
        PlateError
            If the file is missing, empty, damaged, a colour picture, or of another pixel type than 8 or
            16 bits.
        """
        import imagecodecs

        content = self._bytes(MAX_FILE_BYTES)
        shape, dtype = self._format(content[:HEADER_BYTES])
        suffix = self.path.suffix.lower()
        decode = {".png": imagecodecs.png_decode, ".jpg": imagecodecs.jpeg8_decode}
        decode[".jpeg"] = imagecodecs.jpeg8_decode
        try:
            pixels = np.asarray(decode.get(suffix, imagecodecs.jpeg2k_decode)(content))
        except Exception as error:  # decoders raise whatever they like on damaged bytes
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PlateError(f"{self.path.name} is damaged or truncated: copy it again ({reason})") from error
        if pixels.shape != shape or pixels.dtype != dtype:
            raise PlateError(f"{self.path.name} is damaged: its pixels are not what its header says")
        return pixels

    def _bytes(self, limit: int) -> bytes:
        try:
            with require_regular(self.path).open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError as error:
            raise PlateError(
                f"{self.path.name} is missing or cannot be read ({error.strerror}): "
                f"look in {self.path.parent}"
            ) from None
        if not content:
            raise PlateError(f"{self.path.name} is empty (0 bytes): copy it from the microscope again")
        if limit == MAX_FILE_BYTES and len(content) > limit:
            raise PlateError(f"{self.path.name} has more than {limit:,} bytes, more than one plane can take")
        return content[:limit]

    def _format(self, content: bytes) -> tuple[tuple[int, int], np.dtype[Any]]:
        suffix = self.path.suffix.lower()
        read = {".png": _png, ".jpg": _jpeg, ".jpeg": _jpeg}.get(suffix, _jpeg2000)
        try:
            height, width, bits, channels = read(content)
        except (struct.error, IndexError, ValueError):
            kind = suffix.removeprefix(".").upper()
            raise PlateError(
                f"{self.path.name} is damaged, truncated or no {kind} file: copy it again"
            ) from None
        if channels != 1:
            raise PlateError(
                f"{self.path.name} is a colour picture, not a measurement: "
                "export each stain as 16-bit grey levels"
            )
        if bits not in (8, 16) and not (suffix in (".jp2", ".j2k") and 8 < bits < 16):
            raise PlateError(f"{self.path.name} has {bits}-bit pixels: export it again as 16-bit grey levels")
        dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        check_format(self.path.name, (height, width), dtype)
        return (height, width), dtype


def _png(content: bytes) -> tuple[int, int, int, int]:
    """Height, width, bits and channels of a PNG file, from its first chunk."""
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        raise ValueError
    width, height, bits, colour = struct.unpack(">IIBB", content[16:26])
    return height, width, bits, 1 if colour == 0 else 3


def _jpeg(content: bytes) -> tuple[int, int, int, int]:
    """Height, width, bits and channels of a JPEG file, from its first frame header."""
    if content[:2] != b"\xff\xd8":
        raise ValueError
    at = 2
    while True:
        marker, length = struct.unpack(">HH", content[at : at + 4])
        if marker < 0xFFC0 or length < 2:
            raise ValueError
        # SOF0 to SOF15, but for the markers of Huffman tables, extensions and arithmetic coding among them.
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            bits, height, width, channels = struct.unpack(">BHHB", content[at + 4 : at + 10])
            return height, width, bits, channels
        at += 2 + length


def _jpeg2000(content: bytes) -> tuple[int, int, int, int]:
    """Height, width, bits and channels of a JPEG 2000 file, from its codestream, which is what is decoded."""
    at = content.find(b"\xff\x4f\xff\x51")
    if at < 0:
        raise ValueError
    width, height, left, top = struct.unpack(">IIII", content[at + 8 : at + 24])
    channels, depth = struct.unpack(">HB", content[at + 40 : at + 43])
    if depth & 0x80 or width <= left or height <= top:  # signed pixels, or none
        raise ValueError
    return height - top, width - left, (depth & 0x7F) + 1, channels
