"""Choose how a field is cut into tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard

MOST_TILES = 200
"""A heat map of more tiles of the card's size than this takes longer than it tells more; of smaller tiles
that a model was trained on it may have more, of as many pixels together."""
MOST_SMALL = 8 * MOST_TILES
"""Most tiles of any size."""
TILE_SIZES = "tile_sizes"
"""Key of a card's ``training``: sides of the tiles that the model was trained on beside those of the card."""
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
    """Choose the grid of a heat map: overlapping tiles, the smallest it was trained on and time allows.

    If it was trained on tiles of one size only, and fewer than three fit side by side, they are cut half as
    wide, for then a map would tell no place from another. The head has not seen such tiles.

    Parameters
    ----------
    card : ModelCard
        Says what a tile is, and by ``training["tile_sizes"]`` which others the model was trained on.
    shape : tuple of int
        Height and width of the field, pixels.
    """
    own, trained = card.tiling.size, trained_sizes(card)
    sizes = [size for size in trained if SIDE_BY_SIDE * size <= min(shape)]
    if not sizes:
        few = len(trained) > 1 and 2 * trained[0] <= min(shape)
        sizes = [trained[0] if few else max(4, trained[0] // 2)]
    for size in sizes:
        # Small tiles cost less each; those it was not trained on are no reason to draw more of them.
        most = min(MOST_TILES * own**2 // size**2, MOST_SMALL) if size in trained else MOST_TILES
        for stride in (max(1, size // 4), size // 2, size):
            count = math.prod(-(-max(0, extent - size) // stride) + 1 for extent in shape)
            if count <= most:
                return TileGrid(size, stride)
    return TileGrid(sizes[-1], sizes[-1])


def trained_sizes(card: ModelCard) -> list[int]:
    """List the sides of the tiles that a model was trained on, pixels, smallest first."""
    listed = card.training.get(TILE_SIZES)
    given = listed if isinstance(listed, list) else []
    others = [size for size in given if isinstance(size, int) and size >= 4]
    return sorted({card.tiling.size, *others})
