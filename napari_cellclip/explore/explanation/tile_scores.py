"""How well each tile of a field matches, and the control tiles that look most like one.

A tile is scored as a well that had nothing but this tile. Where tiles are cut smaller than the model's own,
their features lie elsewhere: they are moved by the difference between control fields and control tiles, so
that the mean control tile has the features of the mean control field.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.robust import robust_z
from napari_cellclip.explore.explanation.query_direction import Asked, unit_direction
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.tiles.tiles import FieldTiles
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

TILES_AT_ONCE = 32
SHOWN_TILES = 6


@dataclass(frozen=True, eq=False)
class TileScores:
    """Scores of the tiles of a field.

    Attributes
    ----------
    tiles : FieldTiles
        The tiles.
    cosine : ndarray of float64 (n,)
        Of each tile with what was asked.
    z : ndarray of float64 (n,)
        Robust z of the cosine against the tiles of control fields of the plate; NaN without controls.
    notes : tuple of str
        What limits the scores, in sentences.
    """

    tiles: FieldTiles
    cosine: NDArray[np.float64]
    z: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> NDArray[np.float64]:
        """Scores that are ranked and drawn: `z`, the cosine where there is none."""
        return self.z if np.isfinite(self.z).all() else self.cosine

    def most(self, n: int = SHOWN_TILES) -> tuple[int, ...]:
        """Best matching tiles of the better half, best first; none overlap by more than half."""
        better = self.shown >= np.median(self.shown)
        return self._apart(np.argsort(-self.shown, kind="stable"), better, n)

    def least(self, n: int = SHOWN_TILES) -> tuple[int, ...]:
        """Worst matching tiles of the other half, worst first; none overlap by more than half."""
        worse = self.shown < np.median(self.shown)
        return self._apart(np.argsort(self.shown, kind="stable"), worse, n)

    def _apart(self, order: NDArray[np.intp], allowed: NDArray[np.bool_], n: int) -> tuple[int, ...]:
        places = self.tiles.positions[:, :2]
        size = int(self.tiles.positions[0, 2])
        chosen: list[int] = []
        for tile in order[allowed[order]].tolist():
            shared = np.maximum(0, size - np.abs(places[chosen] - places[tile])).prod(axis=1)
            if not (shared > size * size / 2).any():
                chosen.append(tile)
                if len(chosen) == n:
                    break
        return tuple(chosen)


@dataclass(frozen=True, eq=False)
class ControlTile:
    """A tile of a control field that looks like a given one.

    Attributes
    ----------
    site : str
        Id of the control field.
    tile : int
        Which of its tiles.
    similarity : float
        Cosine of the two tiles' features, the mean over stains.
    crop : ndarray of uint8 (5, y, x)
        Its picture at the plate's contrast, the same as that of the given tile.
    """

    site: str
    tile: int
    similarity: float
    crop: NDArray[np.uint8]


def iter_tile_scores(
    screen: Screen,
    tiles: FieldTiles,
    controls: Sequence[FieldTiles],
    asked: Asked,
    model: Model,
) -> Generator[Progress, None, TileScores]:
    """Score the tiles of a field; may be closed after any batch.

    Parameters
    ----------
    screen : Screen
        Holds the features of the control fields.
    tiles : FieldTiles
        Of the field.
    controls : sequence of FieldTiles
        Of control fields of the same plate, tiles of the same size.
    asked : ndarray (E,), or sequence of str or Prompt
        The direction that was asked for, or prompts.
    model : Model
        The screen's own.

    Yields
    ------
    Progress
        After each batch of tiles.

    Returns
    -------
    TileScores

    Raises
    ------
    ScreenError
        If control tiles are of another size.
    """
    unit = unit_direction(asked, model).astype(np.float64)
    size = int(tiles.positions[0, 2])
    if odd := next((c for c in controls if int(c.positions[0, 2]) != size), None):
        raise ScreenError(f"tiles of {tiles.site} and of control {odd.site} are of different sizes")
    move = np.zeros(tiles.features.shape[1:], np.float32)
    notes = list(tiles.notes)
    if controls:
        whole = screen.features([c.site for c in controls]).mean(axis=0, dtype=np.float64)
        parts = np.mean([c.features.mean(axis=0, dtype=np.float64) for c in controls], axis=0)
        move = (whole - parts).astype(np.float32)
    else:
        notes.append("No tiles of negative controls to compare with: tiles are ranked by their cosine alone.")
    instances = np.concatenate([tiles.features, *(c.features for c in controls)]) + move
    cosine = np.empty(len(instances))
    for start in range(0, len(instances), TILES_AT_ONCE):
        batch = instances[start : start + TILES_AT_ONCE]
        embedded = model.embed_wells(list(batch[:, None])).astype(np.float64)
        cosine[start : start + len(batch)] = (embedded @ unit) / np.linalg.norm(embedded, axis=1)
        done = start + len(batch)
        yield Progress(done, len(instances), f"scoring tiles of {tiles.site}", stage="explanation")
    own = cosine[: len(tiles)]
    return TileScores(tiles, own, robust_z(own, cosine[len(tiles) :]), tuple(notes))


def nearest_control_tiles(
    tiles: FieldTiles, tile: int, controls: Sequence[FieldTiles], n: int = 4
) -> tuple[ControlTile, ...]:
    """Find the control tiles that look most like a tile, by the cosine of their features.

    Parameters
    ----------
    tiles : FieldTiles
        Of the field.
    tile : int
        Which of its tiles.
    controls : sequence of FieldTiles
        Of control fields of the same plate.
    n : int
        How many at most.

    Returns
    -------
    tuple of ControlTile
        Most alike first.
    """
    wanted = _unit_stains(tiles.features[tile])
    found = [
        (float(similarity), number, i)
        for number, control in enumerate(controls)
        for i, similarity in enumerate(
            np.einsum("ncd,cd->nc", _unit_stains(control.features), wanted).mean(1)
        )
    ]
    found.sort(key=lambda entry: (-entry[0], entry[1:]))
    return tuple(
        ControlTile(controls[number].site, i, similarity, controls[number].crop(i))
        for similarity, number, i in found[:n]
    )


def _unit_stains(features: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = features.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=-1, keepdims=True)
    return np.asarray(exact / np.where(lengths > 0, lengths, 1.0), np.float64)
