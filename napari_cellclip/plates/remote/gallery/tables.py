"""The table of images of a gallery plate: which image shows which stain of which site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from napari_cellclip.plates.platemaps.tables import MAX_BYTES, MAX_COLUMNS, read_table
from napari_cellclip.plates.remote.gallery.places import GalleryPlate, image_key
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.vocabulary import PlateError, PlateMapError

NAMES = tuple(
    f"{stem}{ending}"
    for stem in ("load_data_with_illum", "load_data")
    for ending in (".parquet", ".csv.gz", ".csv")
)
"""What the table is called, the best first: the one with illumination functions names the same images."""

MAX_ROWS = 1_000_000
"""Most rows of such a table; a plate of 384 wells has some 3,500."""

MAX_FOLDERS = 20
"""Folders of images that are listed one by one; if there are more, what is above them is."""

_FILE = re.compile(r"(?:FileName|URL)_(?P<channel>.+)")


@dataclass(frozen=True, slots=True)
class ImageTable:
    """The table of a plate with the files that it names.

    Attributes
    ----------
    table : pandas.DataFrame
        A row a site, ``FileName_`` and ``PathName_`` columns as they hold in the local folder, all text.
    files : dict of str to RemoteFile
        By relative name in the local folder.
    refused : int
        Names of images that lead out of the plate's batch.
    missing : int
        Names of images that the gallery does not have.
    """

    table: pd.DataFrame
    files: dict[str, RemoteFile]
    refused: int
    missing: int


def read_image_table(store: RemoteStore, place: GalleryPlate, scratch: Path) -> ImageTable | None:
    """Read the table of a plate and list the images that it names.

    Parameters
    ----------
    store : RemoteStore
        The gallery's.
    place : GalleryPlate
        The plate.
    scratch : Path
        Folder for the table as it is in the gallery.

    Returns
    -------
    ImageTable or None
        ``None`` where the gallery has no such table.

    Raises
    ------
    PlateError
        If the table cannot be read, or names no image of the plate.
    """
    folder = place.workspace("load_data_csv", place.batch, place.plate) + "/"
    found = {f.key.rpartition("/")[2]: f for f in store.files(folder, deep=False)}
    name = next((n for n in NAMES if n in found), None)
    if name is None:
        return None
    path = scratch / f".{name}"
    path.unlink(missing_ok=True)
    store.fetch(found[name], path)
    table = _one_plate(_read(path, name), place.plate)
    channels = _channels(table)
    if not channels:
        raise PlateError(f"{name} of {place.address} names no images: it has no FileName_ columns")
    keys: dict[tuple[int, str], str] = {}
    refused = 0
    for channel, column in channels.items():
        folders = table[f"PathName_{channel}"] if f"PathName_{channel}" in table else [""] * len(table)
        for row, (folder_named, named) in enumerate(zip(folders, table[column], strict=True)):
            if not named:
                continue
            if (
                key := image_key(place, folder_named if column.startswith("FileName") else "", named)
            ) is None:
                refused += 1
            else:
                keys[row, channel] = key
    if not keys:
        raise PlateError(
            f"{name} of {place.address} names no image below images/{place.batch}: it was not followed"
        )
    return _local(table, channels, keys, refused, _listed(store, set(keys.values())))


def _read(path: Path, name: str) -> pd.DataFrame:
    if not name.endswith(".parquet"):
        try:
            return read_table(path)
        except PlateMapError as error:
            raise PlateError(str(error)) from error
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            meta = file.metadata
            size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if meta.num_rows > MAX_ROWS or meta.num_columns > MAX_COLUMNS or size > MAX_BYTES:
                raise PlateError(f"{name} is larger than the table of a plate can be")
            table = file.read().to_pandas()
    except PlateError:
        raise
    except Exception as error:  # pyarrow raises many kinds on damaged files
        raise PlateError(
            f"{name} is damaged or no Parquet file ({error}): report it to the gallery"
        ) from error
    return table.astype(object).where(table.notna(), "").astype(str)


def _one_plate(table: pd.DataFrame, plate: str) -> pd.DataFrame:
    if "Metadata_Plate" in table.columns and (table["Metadata_Plate"] == plate).any():
        table = table[table["Metadata_Plate"] == plate]
    return table.reset_index(drop=True)


def _channels(table: pd.DataFrame) -> dict[str, str]:
    """Column of the files of each channel and illumination function, ``FileName_`` before ``URL_``."""
    found: dict[str, str] = {}
    for column in sorted(map(str, table.columns), key=lambda c: c.startswith("URL_")):
        if match := _FILE.fullmatch(column):
            found.setdefault(match["channel"], column)
    return found


def _listed(store: RemoteStore, keys: set[str]) -> dict[str, RemoteFile]:
    """List the folders of these keys, for size and state of each."""
    folders = {key.rpartition("/")[0] for key in keys}
    if len(folders) <= MAX_FOLDERS:
        found = [file for folder in sorted(folders) for file in store.files(f"{folder}/", deep=False)]
    else:
        found = list(store.files(f"{_above(keys)}/"))
    return {file.key: file for file in found if file.key in keys}


def _above(keys: set[str]) -> str:
    """Folder that holds all keys."""
    first, last = (PurePosixPath(key).parent.parts for key in (min(keys), max(keys)))
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return "/".join(first[:same])


def _local(
    table: pd.DataFrame,
    channels: dict[str, str],
    keys: dict[tuple[int, str], str],
    refused: int,
    listed: dict[str, RemoteFile],
) -> ImageTable:
    """Name the files as they will lie in the local folder."""
    illum = {channel for channel in channels if channel.startswith("Illum")}
    above = {
        part: _above({key for (_, c), key in keys.items() if (c in illum) == (part == "illum")} or {""})
        for part in ("images", "illum")
    }
    names = {
        key: f"{part}{key[len(above[part]) :]}"
        for (_, channel), key in keys.items()
        for part in ["illum" if channel in illum else "images"]
    }
    columns: dict[str, list[str]] = {
        str(c): list(table[c])
        for c in table.columns
        if not _FILE.fullmatch(str(c)) and not str(c).startswith("PathName_")
    }
    for channel in channels:
        local = [names.get(keys.get((row, channel), ""), "") for row in range(len(table))]
        columns[f"FileName_{channel}"] = [name.rpartition("/")[2] for name in local]
        columns[f"PathName_{channel}"] = [name.rpartition("/")[0] for name in local]
    files = {names[key]: file for key, file in listed.items()}
    missing = len({key for key in keys.values() if key not in listed})
    return ImageTable(pd.DataFrame(columns), files, refused, missing)
