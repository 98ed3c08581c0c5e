"""Match heat map of a field: the scores of its tiles as a picture that lies over the image."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.asked_screen import own_model, require_uncorrected
from napari_cellclip.explore.explanation.query_direction import Asked, unit_direction
from napari_cellclip.explore.explanation.tile_scores import TileScores, iter_tile_scores
from napari_cellclip.screen.progress import Progress, as_part
from napari_cellclip.screen.tiles.tile_grid import TileGrid, heat_grid
from napari_cellclip.screen.tiles.tiles import (
    CONTROL_FIELDS,
    FieldSource,
    FieldTiles,
    iter_control_tiles,
    iter_field_tiles,
)
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

HEAT_CELLS = 256
"""Longest side of a heat map in cells: finer than tiles tell, coarse enough to be drawn at once."""


@dataclass(frozen=True, eq=False)
class MatchHeatMap:
    """Scores of tiles as a picture that lies exactly over the field.

    Attributes
    ----------
    values : ndarray of float32 (h, w)
        Mean over the tiles that cover a place, those whose middle is near counting more; NaN where none does.
    shape : tuple of int
        Height and width of the field in pixels.
    """

    values: NDArray[np.float32]
    shape: tuple[int, int]

    def placed(self, pixel_size: float | None = None) -> dict[str, tuple[float, float]]:
        """``scale`` and ``translate`` of an image layer over a field drawn with this pixel size.

        Parameters
        ----------
        pixel_size : float, optional
            Scale of the field's own layer; 1 where not given. Coordinates are those of pixel centres, the
            field's first one at 0, as in napari.
        """
        unit = pixel_size or 1.0
        cells = [extent / n for extent, n in zip(self.shape, self.values.shape, strict=True)]
        height, width = cells
        return {
            "scale": (unit * height, unit * width),
            "translate": (unit * (height - 1) / 2, unit * (width - 1) / 2),
        }


@dataclass(frozen=True, eq=False)
class FieldExplanation:
    """Match heat map of a field, and what it was computed from.

    Attributes
    ----------
    scores : TileScores
        Of its tiles.
    heat_map : MatchHeatMap
        The same as a picture.
    controls : tuple of FieldTiles
        Control fields they were compared with.
    references : tuple of FieldTiles
        Fields of reference treatments, tiled alike, to be looked at beside them.
    """

    scores: TileScores
    heat_map: MatchHeatMap
    controls: tuple[FieldTiles, ...]
    references: tuple[FieldTiles, ...] = ()


def iter_explain_field(
    screen: Screen,
    plate: FieldSource,
    site: str,
    asked: Asked,
    model: Model | None = None,
    *,
    grid: TileGrid | Literal["dense", "card"] = "dense",
    control_fields: int = CONTROL_FIELDS,
    references: Sequence[str] = (),
) -> Generator[Progress, None, FieldExplanation]:
    """Encode and score the tiles of a field and of control fields; may be closed at any step.

    Parameters
    ----------
    screen : Screen
        With this field.
    plate : Plate
        Has the pixels.
    site : str
        Id of an encoded field.
    asked : ndarray (E,), or sequence of str or Prompt
        The direction that was asked for, or prompts.
    model : Model, optional
        The screen's own, if it is loaded already; else it is loaded now.
    grid : TileGrid or {"dense", "card"}
        Tiles: overlapping ones as :func:`~napari_cellclip.screen.tiles.tile_grid.heat_grid` chooses them,
        those of the model card, or others.
    control_fields : int
        Control fields to compare with; 0 for none.
    references : sequence of str
        Ids of encoded fields of reference treatments on the same plate, tiled too; those that cannot be read
        are left out.

    Yields
    ------
    Progress
        In percent of the whole.

    Returns
    -------
    FieldExplanation

    Raises
    ------
    ScreenError
        If plate or model are not those the screen was encoded from.
    """
    require_uncorrected(screen, "explanations")
    model = own_model(screen, model)
    unit = unit_direction(asked, model)
    cut = heat_grid(screen.card, plate.site(site).shape) if grid == "dense" else grid
    chosen = None if cut == "card" else cut
    tiles = yield from as_part(iter_field_tiles(screen, plate, site, model, chosen), 0, 3)
    controls: tuple[FieldTiles, ...] = ()
    if control_fields:
        steps = iter_control_tiles(screen, plate, model, chosen, fields=control_fields, but=site)
        controls = yield from as_part(steps, 1, 3)
    scores = yield from as_part(iter_tile_scores(screen, tiles, controls, unit, model), 2, 3)
    beside = []
    for identifier in references:
        try:
            beside.append((yield from iter_field_tiles(screen, plate, identifier, model, chosen)))
        except CellClipError:  # one of several to look at: the explanation stands without it
            continue
    return FieldExplanation(scores, heat_map(scores), controls, tuple(beside))


def heat_map(scores: TileScores, *, longest: int = HEAT_CELLS) -> MatchHeatMap:
    """Lay scores of tiles over their field, averaged where tiles overlap.

    Along each side of the field a tile counts fully at its middle and not at all at its edge, so that the map
    has no steps where tiles begin.

    Parameters
    ----------
    scores : TileScores
        Their :attr:`~TileScores.shown` values are drawn.
    longest : int
        Most cells along the longer side of the field.
    """
    shape = scores.tiles.picture.shape[1:]
    factor = max(1.0, max(shape) / longest)
    positions = scores.tiles.positions
    rows, columns = (
        _weights(positions[:, axis], positions[:, 2], extent, max(1, round(extent / factor)))
        for axis, extent in enumerate(shape)
    )
    weight = rows.T @ columns
    total = rows.T @ (columns * scores.shown[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(weight > 1e-9, total / weight, np.nan)
    return MatchHeatMap(values.astype(np.float32), (shape[0], shape[1]))


def _weights(
    first: NDArray[np.int64], size: NDArray[np.int64], extent: int, cells: int
) -> NDArray[np.float64]:
    """What each tile (rows) counts in each cell (columns) along one side of the field."""
    middles = (np.arange(cells) + 0.5) * (extent / cells)
    half = size[:, None] / 2
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(middles - first[:, None] - half) / half), np.float64)
