"""Shards of a Zarr array (version 3): the chunks in a file, and what they inflate to."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from napari_cellclip.plates.images.inflation import inflates_beyond

MAX_INNER = 1_000_000
"""Most chunks of a shard that are believed."""

_ABSENT = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ShardedChunks:
    """The chunks of which every shard of an array consists.

    Attributes
    ----------
    count : int
        How many there are in a shard.
    limit : int
        Most bytes that one may unpack to.
    compressor : str
        What they are compressed with, empty where nothing.
    checked : bool
        Whether the index ends with a checksum.
    first : bool
        Whether the index lies before the chunks.
    """

    count: int
    limit: int
    compressor: str
    checked: bool
    first: bool

    def inflate_beyond(self, stream: BinaryIO, stored: int) -> bool:
        """Tell whether a chunk of a shard unpacks to more bytes than it may, or lies outside of the file."""
        length = 16 * self.count + 4 * self.checked
        if self.count > MAX_INNER or length > stored:
            return True
        stream.seek(0 if self.first else stored - length)
        index = stream.read(16 * self.count)
        for offset, size in struct.iter_unpack("<QQ", index):
            if offset == size == _ABSENT:
                continue  # nothing but the fill value
            if offset + size > stored or size > self.limit:
                return True
            stream.seek(offset)
            if inflates_beyond(io.BytesIO(stream.read(size)), size, self.compressor, self.limit):
                return True
        return False
