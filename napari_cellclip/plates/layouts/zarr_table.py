"""A plain Zarr array (site, channel, y, x) with ``sites.csv`` and ``channels.csv`` beside it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_cellclip.plates.acquisition import (
    MAX_CHANNELS,
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
    site_number,
    strip_of,
)
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.images.zarr_metadata import zarr_shape
from napari_cellclip.plates.layouts.files import folders_in
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.platemaps.tables import read_table
from napari_cellclip.vocabulary import CellClipError, PlateError, normalise_well, parse_well

TABLES = ("sites.csv", "channels.csv")


def detect(path: Path, options: Options) -> Match | None:
    """Find the folder with ``sites.csv``, ``channels.csv`` and an array; each of the three may be given."""
    if path.is_file() and path.name not in TABLES:
        return None
    folder = path if path.is_dir() and path.suffix != ".zarr" else path.parent
    tables = all((folder / table).is_file() for table in TABLES)
    return Match(folder, Strength.METADATA) if tables and _arrays(folder) else None


def read(folder: Path, options: Options) -> Acquisition:
    """Read sites and channels from the two tables; no pixels are read.

    Several plates may share one array. They are opened as one as long as no two sites claim the same well
    and number; ``name`` picks one.

    Raises
    ------
    PlateError
        If there are several arrays, or several plates that collide.
    """
    arrays = _arrays(folder)
    if len(arrays) > 1:
        raise PlateError(f"{folder} holds several arrays ({', '.join(a.name for a in arrays)}): expected one")
    array = arrays[0]
    shape = zarr_shape(array)
    if len(shape) != 4 or shape[1] > MAX_CHANNELS:
        raise PlateError(f"{array} is no array of (site, channel, y, x): its metadata give the shape {shape}")
    channels, problems = _channels(folder / "channels.csv", shape[1])
    sites, name, found = _sites(folder, options.name)
    fields, left_out = _fields(sites, array, channels, shape[0])
    require_fields(fields, folder)
    known = all(f.known for f in fields)
    return Acquisition(
        name=name,
        path=folder,
        layout="zarr-table",
        shape=shape_for([(f.row, f.column) for f in fields]) if known else (1, len(fields)),
        channels=tuple(channels),
        fields=tuple(fields),
        problems=(*problems, *found, *left_out),
    )


def _arrays(folder: Path) -> list[Path]:
    """Arrays in the folder, or one level inside a group that lies in it."""
    stores = [f for f in folders_in(folder) if f.suffix == ".zarr"]
    return [a for s in stores for a in (s, *folders_in(s)) if _is_array(a)]


def _is_array(path: Path) -> bool:
    metadata = path / "zarr.json"
    return (path / ".zarray").is_file() or (metadata.is_file() and b'"shape"' in metadata.read_bytes())


def _channels(path: Path, count: int) -> tuple[list[Channel], list[Problem]]:
    table = read_table(path)
    text = next((c for c in table.columns if c.lower() in ("channel", "name", "label", "stain")), None)
    if text is None:
        raise PlateError(f"{path.name} has no column 'channel': it must name the channels of the array")
    order = _indices(table)
    names = {i: str(n) for i, n in zip(order, table[text], strict=True)}
    extra = sorted(i for i in names if i >= count)
    problems = [Problem(path.name, f"names {len(names)} channels, the array has {count}")] if extra else []
    return [
        Channel(names[i], "channels.csv name", i) if i in names else Channel(f"channel {i}", "array index", i)
        for i in range(count)
    ], problems


def _sites(folder: Path, wanted: str | None) -> tuple[pd.DataFrame, str, list[Problem]]:
    table = read_table(folder / "sites.csv")
    table.columns = pd.Index([c.lower().removeprefix("metadata_") for c in table.columns])
    table["idx"] = _indices(table)
    plates = [p for p in dict.fromkeys(table["plate"]) if p] if "plate" in table else []
    if wanted and wanted in plates:
        return table[table["plate"] == wanted], clean_name(wanted), []
    if len(plates) == 1:
        return table, clean_name(wanted or plates[0]), []
    name = clean_name(wanted) if wanted else plate_name(folder)
    if not plates:
        return table, name, []
    listed = ", ".join(plates[:10])
    keys = [k for k in ("well", "site") if k in table]
    if not keys or table.duplicated(keys).any():
        raise PlateError(
            f"{folder} holds {len(plates)} plates with the same wells: choose one with name= ({listed})"
        )
    return (
        table,
        name,
        [Problem(name, f"fields of {len(plates)} plates ({listed}) are shown as one; name= picks one")],
    )


def _indices(table: pd.DataFrame) -> list[int]:
    column = next((c for c in table.columns if c.lower() in ("idx", "index")), None)
    try:
        return [int(i) for i in table[column]] if column else list(range(len(table)))
    except ValueError:
        raise PlateError(
            f"column {column!r} of the tables must hold the numbers of sites and channels"
        ) from None


def _is_well(text: str) -> bool:
    try:
        return bool(normalise_well(text))
    except CellClipError:
        return False


def _fields(
    sites: pd.DataFrame, array: Path, channels: list[Channel], count: int
) -> tuple[list[Field], list[Problem]]:
    fields = []
    problems = []
    numbers = list(sites["site"]) if "site" in sites else ["1"] * len(sites)
    wells = list(sites["well"]) if "well" in sites else [""] * len(sites)
    sources = list(sites["plate"]) if "plate" in sites and sites["plate"].nunique() > 1 else [""] * len(sites)
    any_known = any(_is_well(text) for text in wells)
    places = strip_of([f"field{i + 1}" for i in sites["idx"]])
    for index, text, number, source in zip(sites["idx"], wells, numbers, sources, strict=True):
        if not 0 <= index < count:
            problems.append(Problem(f"site {index}", f"the array has {count} sites; this row is left out"))
            continue
        try:
            well, known = normalise_well(text), True
            row, column = parse_well(well)
        except CellClipError:
            if any_known:
                problems.append(Problem(f"site {index}", f"{text!r} is no well; this row is left out"))
                continue
            well, known = f"field{index + 1}", False
            row, column = places[well]
            problems.append(
                Problem(well, "the table names no well for this field; it is given a well of its own")
            )
        site = site_number(number or "1")
        planes = {c.name: (ZarrPlane(array, (index, i), f"site {index}"),) for i, c in enumerate(channels)}
        fields.append(Field(row, column, well, site, planes, known=known, source=str(source)))
    return fields, problems


LAYOUT = Layout("zarr-table", detect, read, files=TABLES)
