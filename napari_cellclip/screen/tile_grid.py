"""Where tiles lie on a field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

MOST_TILES = 200
"""A heat map of more tiles than this takes longer than it tells more."""
SIDE_BY_SIDE = 3
"""Tiles that must fit side by side for a map to tell one place from another."""


@dataclass(frozen=True)
class TileGrid:
    """A regular grid of tiles, in pixels of the field.

    Attributes
    ----------
    size : int
        Side of a tile. Where it is not that of the model card, the model has not seen such tiles in training.
    stride : int
        Most that the corners of neighbouring tiles lie apart; less than `size`, and tiles overlap.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        if self.size < 4 or not 1 <= self.stride <= self.size:
            raise ScreenError(
                f"a grid of tiles of {self.size} pixels every {self.stride} leaves gaps or has no tiles: "
                "tiles need 4 pixels or more, and steps of 1 pixel up to their size"
            )

    def without_overlap(self) -> TileGrid:
        """Tiles of the same size, side by side."""
        return TileGrid(self.size, self.size)


def heat_grid(card: ModelCard, shape: tuple[int, int]) -> TileGrid:
    """Choose a grid for a heat map: overlapping tiles of the card's size, of half of it in a small field.

    On simulated fields tiles of half the size told where cells respond, smaller ones did not
    (docs/explain.md).

    Parameters
    ----------
    card : ModelCard
        Says what a tile is.
    shape : tuple of int
        Height and width of the field, pixels.
    """
    size = card.tiling.size
    if SIDE_BY_SIDE * size > min(shape):
        size = max(4, size // 2)
    for stride in (max(1, size // 4), size // 2):
        count = math.prod(-(-max(0, extent - size) // stride) + 1 for extent in shape)
        if count <= MOST_TILES:
            return TileGrid(size, stride)
    return TileGrid(size, size)
