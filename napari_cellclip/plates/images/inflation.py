"""Find out what compressed bytes unpack to without unpacking more than a limit."""

from __future__ import annotations

import bz2
import lzma
import math
import re
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np


def inflates_beyond(stream: BinaryIO, length: int, compressor: str, limit: int) -> bool:
    """Tell whether compressed bytes unpack to more than a limit.

    Parameters
    ----------
    stream : binary file
        At the first byte.
    length : int
        Bytes in it.
    compressor : str
        As Zarr names it; of others nothing is known, and the answer is no.
    limit : int
        Bytes.
    """
    start = stream.tell()
    head = stream.read(18)
    stream.seek(start)
    if compressor == "blosc":
        return len(head) >= 8 and struct.unpack("<I", head[4:8])[0] > limit
    if compressor == "lz4":
        return len(head) >= 4 and struct.unpack("<I", head[:4])[0] > limit
    if compressor == "imagecodecs_jpegxl":
        return _jpeg_xl_size(stream.read(length)) > limit
    if compressor == "zstd":
        from pyarrow import ArrowException, CompressedInputStream, PythonFile

        if (stated := _zstd_size(head)) is not None:
            return stated > limit
        try:
            return _count(CompressedInputStream(PythonFile(stream, "r"), "zstd"), limit) > limit
        except (OSError, ArrowException):
            return False  # damaged: whoever decodes it says so
    if compressor not in ("gzip", "zlib", "bz2", "lzma"):
        return False
    if compressor in ("gzip", "zlib") and length * 1100 <= limit:
        return False  # no deflated byte becomes more than 1032
    unpack: Any = {
        "gzip": lambda: zlib.decompressobj(wbits=47),
        "zlib": lambda: zlib.decompressobj(wbits=47),
        "bz2": bz2.BZ2Decompressor,
        "lzma": lzma.LZMADecompressor,
    }[compressor]()
    total, fed = 0, b""
    try:
        while total <= limit and not unpack.eof:
            fed = (unpack.unconsumed_tail if compressor in ("gzip", "zlib") else b"") or (
                stream.read(2**16) if getattr(unpack, "needs_input", True) else b""
            )
            piece = unpack.decompress(fed, 2**22)
            if not fed and not piece:
                break
            total += len(piece)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
        return False
    return total > limit


def _jpeg_xl_size(data: bytes) -> int:
    """Bytes that JPEG XL claims to hold; 0 where it is damaged, which whoever decodes it says.

    The decoder compares what the headers claim with the array it is to fill before it makes anything, and
    names both. It does so for arrays of the right type alone.
    """
    import imagecodecs

    for kind in ("uint16", "uint8", "float32", "float16"):
        try:
            imagecodecs.jpegxl_decode(data, out=np.empty((0,) * 9, kind))
        except ValueError as error:
            if claimed := re.search(r"[ ,]shape=\(([\d, ]+)\)$", str(error)):
                sizes = [int(n) for n in claimed[1].split(",") if n.strip()]
                return math.prod(sizes) * np.dtype(kind).itemsize
        except RuntimeError:  # of the library: a damaged header
            return 0
    return 0


def _count(stream: Any, limit: int) -> int:
    total = 0
    while total <= limit and (piece := stream.read(2**22)):
        total += len(piece)
    return total


def _zstd_size(head: bytes) -> int | None:
    """Size of the content as the header of a frame states it (RFC 8878); ``None`` where it does not."""
    if len(head) < 6 or head[:4] != b"\x28\xb5\x2f\xfd":
        return None
    flags = head[4]
    single = bool(flags & 0x20)
    length = (1 if single else 0, 2, 4, 8)[flags >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    stated = int.from_bytes(head[start : start + length], "little")
    return stated + 256 * (length == 2) if length else None
