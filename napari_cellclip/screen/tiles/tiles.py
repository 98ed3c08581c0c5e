"""Encode the tiles of one field on demand: those whose mean a screen stores, or a finer grid."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_cellclip.screen.progress import Progress, as_part
from napari_cellclip.screen.storage.plan import read_plan
from napari_cellclip.screen.storage.previews import shrink
from napari_cellclip.screen.storage.processing import processing_key, read_processing
from napari_cellclip.screen.storage.screen_json import PlateRecord
from napari_cellclip.screen.tiles.tile_grid import TileGrid, trained_sizes
from napari_cellclip.vocabulary import STAINS, PlateError, ScreenError, split_id

if TYPE_CHECKING:
    from napari_cellclip.model import Model, ModelCard
    from napari_cellclip.plates import Plate, Site
    from napari_cellclip.plates.images.processing import Processing
    from napari_cellclip.plates.stain_mapping import StainMapping
    from napari_cellclip.screen.screen import Screen

CONTROL_FIELDS = 8
"""Fields of negative controls that tiles are compared with."""
CACHE_BYTES = 256 * 2**20
"""Most memory for the tiles of the last fields: about 30 fields of 1080 x 1080 pixels."""
SAME_FEATURES = 0.02
"""Relative distance between the mean over tiles and the stored features that rounding may explain: features
are stored in half precision, and devices differ in the last digits."""


class FieldSource(Protocol):
    """Whoever has the pixels of a plate: a :class:`~napari_cellclip.plates.Plate`."""

    @property
    def name(self) -> str:
        """Name of the plate."""

    @property
    def stains(self) -> StainMapping:
        """Stain mapping: the channel that shows each stain."""

    @property
    def processing(self) -> Processing:
        """Processing by which its images are made from its files."""

    def site(self, identifier: str) -> Site:
        """Return the field of that id."""

    def with_processing(self, processing: Processing) -> Plate:
        """Return the plate with images made in another way."""


@dataclass(frozen=True, eq=False)
class FieldTiles:
    """The tiles of one field.

    Attributes
    ----------
    site : str
        Id of the field.
    grid : TileGrid or None
        How they were cut; ``None``: as the model card says, so that their mean is the stored feature.
    positions : ndarray of int (n, 3)
        First row, first column and side of each tile, in pixels of the field; negative where a field smaller
        than a tile was filled up.
    features : ndarray of float32 (n, 5, D)
        Stains in the model card's order.
    picture : ndarray of uint8 (5, Y, X)
        The whole field in the order of ``STAINS``, at the plate's contrast.
    notes : tuple of str
        What to know about them, in sentences.
    """

    site: str
    grid: TileGrid | None
    positions: NDArray[np.int64]
    features: NDArray[np.float32]
    picture: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return self.positions.nbytes + self.features.nbytes + self.picture.nbytes

    def crop(self, tile: int) -> NDArray[np.uint8]:
        """Picture of a tile, uint8 (5, y, x) at the plate's contrast, cut off at the edge of the field."""
        row, column, size = self.positions[tile].tolist()
        top, left = max(0, row), max(0, column)
        return self.picture[:, top : row + size, left : column + size]


def iter_field_tiles(
    screen: Screen, plate: FieldSource, site: str, model: Model, grid: TileGrid | None = None
) -> Generator[Progress, None, FieldTiles]:
    """Encode the tiles of a field; may be closed after any batch.

    The tiles of the last fields are remembered.

    Parameters
    ----------
    screen : Screen
        Says how the plate's intensities were scaled; its channel encoder must be the model's.
    plate : Plate
        Has the pixels.
    site : str
        Id of an encoded field.
    model : Model
        With its channel encoder.
    grid : TileGrid, optional
        Other tiles than those of the model card, see
        :func:`~napari_cellclip.screen.tiles.tile_grid.heat_grid`.

    Yields
    ------
    Progress
        After each batch of tiles.

    Returns
    -------
    FieldTiles

    Raises
    ------
    ScreenError
        If the field was not encoded, the screen holds no pixels' features at all, or plate or model are not
        those it was encoded from: tiles of the card must have the stored mean.
    """
    used = _require_same(screen, plate, site, model)
    if plate.processing.key == processing_key(used):
        source = plate.site(site)
    else:  # opened otherwise than when it was encoded
        source = plate.with_processing(read_processing(screen.path, plate.name, used)).site(site)
    state = source.file_state()
    # All that tiles are made of: the encoder, the pixels, how they are scaled, where they are cut.
    key = (str(screen.path.resolve()), screen.card.encoder_hash, site, state, used.model_dump_json(), grid)
    with _lock:
        known = _cache.get(key)
    if known is not None:
        yield Progress(len(known), len(known), f"tiles of {site} were encoded before", stage="explanation")
        return known
    pixels = source.read(STAINS)
    scaler = model.pixels.scaler(used.intensity_stats())
    positions, windows = _windows(scaler.on_host(pixels), model.card, grid)
    features = np.empty((len(positions), len(STAINS), model.card.encoder.dim), np.float32)
    done = 0
    for batch in model.pixels.iter_crops(windows, scaler, used.precision):
        features[done : done + len(batch)] = batch
        done += len(batch)
        yield Progress(done, len(positions), f"encoding tiles of {site}", stage="explanation")
    if grid is None:
        _require_same_mean(screen, site, features)
    picture = shrink(pixels, screen.contrast(split_id(site)[0]), longest=max(pixels.shape[1:]))
    notes = tuple(_notes(screen, site, state, grid))
    found = FieldTiles(site, grid, positions, features, picture, notes)
    with _lock:
        if found.nbytes <= _cache.maxsize:
            _cache[key] = found
    return found


def iter_control_tiles(
    screen: Screen,
    plate: FieldSource,
    model: Model,
    grid: TileGrid | None = None,
    *,
    fields: int = CONTROL_FIELDS,
    but: str = "",
    seed: int = 0,
) -> Generator[Progress, None, tuple[FieldTiles, ...]]:
    """Encode tiles of the plate's negative controls, side by side; may be closed after any batch.

    Parameters
    ----------
    screen, plate, model, grid
        As :func:`iter_field_tiles`; of a grid, the size of its tiles.
    fields : int
        How many fields, drawn by `seed`, of as many wells as there are.
    but : str
        Id of a field not to take: the one that is compared.
    seed : int
        Of the draw.

    Yields
    ------
    Progress
        After each batch of tiles.

    Returns
    -------
    tuple of FieldTiles
        Empty where the plate has no encoded negative control. Fields that cannot be read are passed over.

    Raises
    ------
    ScreenError
        As :func:`iter_field_tiles`.
    """
    table = screen.fields
    here = (table["Metadata_Plate"] == plate.name) & table["Metadata_Well_id"].isin(screen.control_ids)
    order = table.loc[here & (table.index != but)].sample(frac=1.0, random_state=seed)
    # First one field of each well, then the second of each, and so on.
    order = order.iloc[np.argsort(order.groupby("Metadata_Well_id").cumcount().to_numpy(), kind="stable")]
    chosen = order.index[:fields].tolist()
    found = []
    for number, site in enumerate(chosen):
        steps = iter_field_tiles(screen, plate, site, model, grid and grid.without_overlap())
        try:
            found.append((yield from as_part(steps, number, len(chosen))))
        except PlateError:  # a damaged file: the others tell enough
            continue
    return tuple(found)


def _require_same(screen: Screen, plate: FieldSource, site: str, model: Model) -> PlateRecord:
    """Refuse what the screen was not encoded from; return how the plate was encoded."""
    card = screen.card
    if card.encoder.kind == "profile":
        raise ScreenError(
            f"screen {screen.name} was made from a table of profiles: there are no pixels to cut tiles from"
        )
    if model.card.encoder_hash != card.encoder_hash:
        raise ScreenError(
            f"tiles of screen {screen.name} must be encoded as its fields were, by the channel encoder of "
            f"{card.name!r}: {model.card.name!r} has another one or other preprocessing"
        )
    screen.features([site])  # says why, if there are none
    record = screen.plates.get(plate.name)
    if record is None or split_id(site)[0] != plate.name:
        raise ScreenError(f"field {site} is not one of plate {plate.name!r}: open the plate it belongs to")
    given = {stain: str(channel) for stain, channel in plate.stains.channels.items()}
    if any(given.get(stain) != channel for stain, channel in record.stains.items()):
        raise ScreenError(
            f"plate {plate.name} was encoded with other channels for its stains: open it with "
            + ", ".join(f"{stain}={channel}" for stain, channel in record.stains.items())
        )
    return record


def _require_same_mean(screen: Screen, site: str, features: NDArray[np.float32]) -> None:
    stored = screen.features([site])[0]
    distance = float(np.linalg.norm(features.mean(axis=0) - stored))
    if distance > SAME_FEATURES * float(np.linalg.norm(stored)) + SAME_FEATURES:
        raise ScreenError(
            f"the pixels of field {site} are not those that screen {screen.name} was encoded from: "
            "open the plate it was made of, or encode again into a new folder"
        )


def _windows(
    pixels: NDArray[np.generic], card: ModelCard, grid: TileGrid | None
) -> tuple[NDArray[np.int64], Iterator[NDArray[np.generic]]]:
    """Positions of the tiles of a field, and their pixels one by one."""
    tiling = card.tiling if grid is None else type(card.tiling)(mode="grid", size=grid.size)
    stride = None if grid is None else grid.stride
    height, width = pixels.shape[1:]
    filled = [max(0, tiling.size - extent) // 2 for extent in (height, width)]
    positions = np.array(
        [(r - filled[0], c - filled[1], tiling.size) for r, c in tiling.corners(height, width, stride)],
        np.int64,
    )
    return positions, tiling.windows(pixels, stride)


def _notes(screen: Screen, site: str, state: str, grid: TileGrid | None) -> Iterator[str]:
    sizes = trained_sizes(screen.card)
    if grid is not None and grid.size not in sizes:
        known = ", ".join(map(str, sizes))
        yield (
            f"Tiles are {grid.size} pixels wide, the model was trained on tiles of {known}: "
            "compare their scores with each other, not with those of wells."
        )
    if read_plan(screen.path, split_id(site)[0]).at[site, "Metadata_files"] != state:
        yield f"The image files of {site} were changed or copied since the screen was encoded."


_cache: LRUCache[tuple[object, ...], FieldTiles] = LRUCache(CACHE_BYTES, getsizeof=lambda tiles: tiles.nbytes)
_lock = Lock()
