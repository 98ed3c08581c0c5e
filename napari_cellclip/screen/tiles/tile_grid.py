"""Where tiles lie on a field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

MOST_TILES = 200
"""A heat map of more tiles of the card's size than this takes longer than it tells more; of smaller tiles
that a model learnt from it may have more, of as many pixels together."""
MOST_SMALL = 8 * MOST_TILES
"""Most tiles of any size."""
TILE_SIZES = "tile_sizes"
"""Key of a card's ``training`` for the sides of tiles that the model learnt from beside those of the card."""
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
    """Choose the grid of a heat map: overlapping tiles, the smallest the model learnt from and time allows.

    Where it learnt from tiles of one size only, and fewer than three fit side by side, they are cut half as
    wide, for then a map would tell no place from another. The head has not seen such tiles.

    Parameters
    ----------
    card : ModelCard
        Says what a tile is, and by ``training["tile_sizes"]`` which others the model learnt from.
    shape : tuple of int
        Height and width of the field, pixels.
    """
    own, learnt = card.tiling.size, learnt_sizes(card)
    sizes = [size for size in learnt if SIDE_BY_SIDE * size <= min(shape)]
    if not sizes:
        few = len(learnt) > 1 and 2 * learnt[0] <= min(shape)
        sizes = [learnt[0] if few else max(4, learnt[0] // 2)]
    for size in sizes:
        # Small tiles cost less each; those that were not learnt from are no reason to draw more of them.
        most = min(MOST_TILES * own**2 // size**2, MOST_SMALL) if size in learnt else MOST_TILES
        for stride in (max(1, size // 4), size // 2, size):
            count = math.prod(-(-max(0, extent - size) // stride) + 1 for extent in shape)
            if count <= most:
                return TileGrid(size, stride)
    return TileGrid(sizes[-1], sizes[-1])


def learnt_sizes(card: ModelCard) -> list[int]:
    """Sides of the tiles that a model learnt from, pixels, smallest first."""
    told = card.training.get(TILE_SIZES)
    others = [size for size in told if isinstance(size, int) and size >= 4] if isinstance(told, list) else []
    return sorted({card.tiling.size, *others})
