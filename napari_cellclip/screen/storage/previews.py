"""Small pictures of every well, so that a screen can be looked at where the pixels are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from napari_cellclip.plates.images.block_means import block_means
from napari_cellclip.screen.storage.files import State, folder_name, state_of
from napari_cellclip.screen.storage.parquet import damage, read_table, write_table
from napari_cellclip.vocabulary import STAINS, ScreenError, Stain

LONGEST = 128
"""Longest side of a preview in pixels."""
SCHEMA = pa.schema(
    {"Metadata_Well_id": pa.string(), "height": pa.int32(), "width": pa.int32(), "stains": pa.binary()}
)
CACHE_BYTES = 64 * 2**20
"""Most memory for previews read last: about 800 wells."""


def shrink(
    pixels: NDArray[np.generic], contrast: Mapping[Stain, tuple[float, float]], longest: int = LONGEST
) -> NDArray[np.uint8]:
    """Shrink a field by block means and scale it by the plate's contrast.

    Parameters
    ----------
    pixels : ndarray (5, Y, X)
        Counts, stains in the order of ``STAINS``.
    contrast : mapping of Stain to (low, high)
        Counts that become 0 and 255.
    longest : int
        Longest side of the result; smaller fields keep their size.

    Returns
    -------
    ndarray of uint8 (5, y, x)
    """
    height, width = pixels.shape[1:]
    factor = max(1, -(-max(height, width) // longest))
    means = block_means(pixels, min(factor, height), min(factor, width))
    low, high = (np.array([contrast[s][i] for s in STAINS])[:, None, None] for i in (0, 1))
    return np.clip((means - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def composite(stains: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show five stains in their usual colours as one picture.

    Where stains overlap, plain addition turns everything white; here each pixel takes the mean colour of
    its stains, weighted by the cube of their brightness, and the brightness of the brightest.

    Parameters
    ----------
    stains : ndarray of uint8 (5, y, x)
        In the order of ``STAINS``.

    Returns
    -------
    ndarray of uint8 (y, x, 3)
    """
    colours = np.array([[int(s.colour[i : i + 2], 16) for i in (1, 3, 5)] for s in STAINS], np.float32)
    values = stains.astype(np.float32) / 255
    weights = values**3
    hue = np.tensordot(weights, colours, axes=(0, 0)) / np.maximum(weights.sum(axis=0), 1e-9)[..., None]
    return np.rint(hue * values.max(axis=0)[..., None]).astype(np.uint8)


class Previews:
    """The previews of one plate: one file beside each shard, one row per well in it.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plate : str
        Name of the plate.
    """

    def __init__(self, folder: Path, plate: str) -> None:
        self.folder = folder / "previews" / folder_name(plate)

    def path(self, shard: int) -> Path:
        """File with the previews of a shard's wells."""
        return self.folder / f"shard-{shard:05d}.parquet"

    def write(self, shard: int, images: Mapping[str, NDArray[np.uint8]]) -> None:
        """Write the five stains of each well of a shard, whole."""
        write_table(
            self.path(shard),
            pa.table(
                {
                    "Metadata_Well_id": list(images),
                    "height": [image.shape[1] for image in images.values()],
                    "width": [image.shape[2] for image in images.values()],
                    "stains": [image.tobytes() for image in images.values()],
                },
                schema=SCHEMA,
            ),
        )

    def all(self, shard: int) -> dict[str, NDArray[np.uint8]]:
        """Five stains (5, y, x) of each well of a shard; empty if nothing was written."""
        path = self.path(shard)
        state = state_of(path)
        return {} if state is None else dict(_images(path, state))

    def problem(self, shard: int) -> str | None:
        """Say what is wrong with the previews of a shard; ``None`` if whole or never written."""
        try:
            self.all(shard)
        except ScreenError as error:
            return str(error)
        return None

    def whole(self, shard: int) -> dict[str, NDArray[np.uint8]]:
        """Five stains of each well of a shard; empty if their file is damaged or was never written."""
        return self.all(shard) if self.problem(shard) is None else {}

    def read(self, well: str, shards: Sequence[int]) -> NDArray[np.uint8] | None:
        """Five stains (5, y, x) of a well that has sites in these shards, ``None`` if there is no preview."""
        return next((image for n in shards if (image := self.all(n).get(well)) is not None), None)


def _bytes(images: Mapping[str, NDArray[np.uint8]]) -> int:
    return sum(image.nbytes for image in images.values())


@cached(LRUCache(CACHE_BYTES, getsizeof=_bytes), lock=Lock())
def _images(path: Path, state: State) -> dict[str, NDArray[np.uint8]]:
    """All previews of a file; `state` makes a rewritten file another key."""
    table = read_table(path, SCHEMA.names)
    try:
        table = table.select(SCHEMA.names).cast(SCHEMA)
        return {
            well: np.frombuffer(data, np.uint8).reshape(len(STAINS), height, width)
            for well, height, width, data in zip(*table.to_pydict().values(), strict=True)
        }
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ScreenError(damage(path, f"it is another table: {error}")) from error
