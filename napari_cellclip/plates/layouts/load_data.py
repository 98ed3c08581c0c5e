"""CellProfiler's ``load_data.csv``: a row per site, ``FileName_``/``PathName_`` columns per channel.

The paths in such a table are nearly always those of the cluster on which it was written. Images are found
again by file name under the plate's folder or an image root, and never anywhere else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pandas as pd

from napari_cellclip.plates.acquisition import (
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
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.layouts.files import files_in, files_under
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.platemaps.tables import read_columns, read_table
from napari_cellclip.vocabulary import CellClipError, PlateError, normalise_well, parse_well, well_name

_TABLE_NAME = re.compile(r".*load_?data.*\.csv(\.gz)?", re.IGNORECASE)
_FILE_COLUMN = re.compile(r"(?:Image_)?(?:FileName|URL)_(?!Illum)(?P<channel>.+)")


def detect(path: Path, options: Options) -> Match | None:
    """Find the load_data table that ``path`` is or holds, by its name or by its columns."""
    if path.is_file():
        is_table = path.name.lower().endswith((".csv", ".csv.gz"))
        is_table = is_table and bool(_TABLE_NAME.fullmatch(path.name) or _channel_columns(read_columns(path)))
        return Match(path, Strength.METADATA) if is_table else None
    tables = [f for f in files_in(path)[0] if _TABLE_NAME.fullmatch(f.name)]
    # The table with illumination functions lists the same images.
    plain = [t for t in tables if "illum" not in t.name.lower()] or tables
    if len(plain) > 1:
        names = ", ".join(t.name for t in plain)
        refusal = f"{path} holds several load_data tables ({names}): open one of them"
        return Match(path, Strength.METADATA, refusal)
    return Match(plain[0], Strength.METADATA) if plain else None


def read(path: Path, options: Options) -> Acquisition:
    """Read the sites of one plate from a load_data table; no image is opened.

    Parameters
    ----------
    path : Path
        The table.
    options : Options
        ``name`` chooses among several plates, ``image_root`` is searched instead of the table's folder.

    Raises
    ------
    PlateError
        If the table has no image columns, or several plates and none is chosen.
    """
    table = read_table(path)
    columns = _channel_columns(list(table.columns))
    if not columns:
        raise PlateError(f"{path.name} has no FileName_ columns: it is no CellProfiler load_data table")
    table, name = _one_plate(table, path, options.name)
    root = options.image_root or path.parent
    files = ImageFinder(root)
    problems = [Problem(f.name, "is a link out of the folder and was left alone") for f in files.refused]
    wells, known, found = _wells(table)
    problems += found
    fields, missing = _fields(table, columns, wells, known, files)
    require_fields(fields, path)
    if missing:
        total = len(table) * len(columns)
        problems.append(
            Problem(
                path.name,
                f"{missing} of {total} image files named by the table are not under {root}: "
                "pass image_root= (on the command line --image-root) with the folder that holds the images",
            )
        )
    return Acquisition(
        name=name,
        path=path,
        layout="load_data",
        shape=shape_for([(f.row, f.column) for f in fields]) if known else (1, len({f.well for f in fields})),
        channels=tuple(_channel(table, channel) for channel in columns),
        fields=tuple(fields),
        pixel_size=_pixel_size(table),
        problems=tuple(problems),
    )


class ImageFinder:
    """Finds images under a folder by name, as a table holds the paths of somebody else's computer."""

    def __init__(self, root: Path) -> None:
        files, self.refused = files_under(root)
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for file in files:
            self._by_name[file.name].append(file)

    def find(self, name: str, folder: str = "") -> list[Path]:
        """Find the files of that name; of several, those whose folders agree best with ``folder``.

        Only the last part of ``name`` counts, so that no path in a table can lead anywhere.
        """
        candidates = self._by_name.get(PurePosixPath(name.replace("\\", "/")).name, [])
        if len(candidates) < 2:
            return candidates
        wanted = [p.lower() for p in PurePosixPath(folder.replace("\\", "/")).parts]
        agreement = [_common_tail(wanted, [p.lower() for p in c.parent.parts]) for c in candidates]
        return [c for c, n in zip(candidates, agreement, strict=True) if n == max(agreement)]


def _common_tail(a: list[str], b: list[str]) -> int:
    n = 0
    while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
        n += 1
    return n


def _channel_columns(columns: list[str]) -> dict[str, str]:
    """Find the file column of each channel, by channel name; ``FileName_`` goes before ``URL_``."""
    found: dict[str, str] = {}
    for column in sorted(columns, key=lambda c: "URL_" in c):
        if match := _FILE_COLUMN.fullmatch(column):
            found.setdefault(match["channel"], column)
    return {c: found[c] for c in sorted(found, key=lambda c: columns.index(found[c]))}


def _one_plate(table: pd.DataFrame, path: Path, wanted: str | None) -> tuple[pd.DataFrame, str]:
    if "Metadata_Plate" not in table.columns:
        return table, clean_name(wanted) if wanted else plate_name(path.parent)
    plates = [p for p in dict.fromkeys(table["Metadata_Plate"]) if p]
    if wanted is None and len(plates) > 1:
        raise PlateError(
            f"{path.name} lists {len(plates)} plates: choose one with name= (--plate-name): "
            f"{', '.join(plates[:10])}{', …' if len(plates) > 10 else ''}"
        )
    if wanted is not None and plates and wanted not in plates:
        raise PlateError(f"{path.name} has no plate {wanted!r}: it lists {', '.join(plates[:10])}")
    if not plates:
        return table, clean_name(wanted) if wanted else plate_name(path.parent)
    chosen = wanted or plates[0]
    return table[table["Metadata_Plate"] == chosen].reset_index(drop=True), clean_name(chosen)


def _wells(table: pd.DataFrame) -> tuple[list[str | None], bool, list[Problem]]:
    """Well of each row, whether wells are known at all, and rows whose well cannot be read."""
    texts = _well_texts(table)
    if not any(texts):
        problem = Problem("wells", "the table names no wells: each site is given a well of its own")
        names: list[str | None] = [f"field{i + 1}" for i in range(len(table))]
        return names, False, [problem]
    wells: list[str | None] = []
    problems = []
    for number, text in enumerate(texts, start=2):
        try:
            wells.append(normalise_well(text))
        except CellClipError as error:
            wells.append(None)
            problems.append(Problem(f"line {number}", f"{error}; this row is left out"))
    return wells, True, problems


def _well_texts(table: pd.DataFrame) -> list[str]:
    for column in ("Metadata_Well", "Metadata_well", "Image_Metadata_Well", "Metadata_Well_ID"):
        if column in table.columns:
            return list(table[column])
    for row in ("Metadata_Row", "Metadata_row"):
        for column in ("Metadata_Column", "Metadata_Col", "Metadata_column", "Metadata_col"):
            if row in table.columns and column in table.columns:
                return [_from_numbers(r, c) for r, c in zip(table[row], table[column], strict=True)]
    return [""] * len(table)


def _from_numbers(row: str, column: str) -> str:
    if _index(row) and _index(column):
        return well_name(int(row) - 1, int(column) - 1)
    return f"{row}{column}"


def _fields(
    table: pd.DataFrame, columns: dict[str, str], wells: list[str | None], known: bool, files: ImageFinder
) -> tuple[list[Field], int]:
    numbers = list(table.get("Metadata_Site", table.get("Metadata_FieldID", pd.Series([""] * len(table)))))
    rows = table.to_dict("records")
    grouped: dict[tuple[str, int | str], list[dict[str, str]]] = defaultdict(list)
    for well, number, row in zip(wells, numbers, rows, strict=True):
        if well is not None:
            site = site_number(number or "1")
            grouped[well, site].append({str(k): v for k, v in row.items()})
    places = {} if known else strip_of([w for w in wells if w])
    fields = []
    missing = 0
    for (well, site), entries in grouped.items():
        planes: dict[str, tuple[TiffPlane, ...]] = {}
        faults: dict[str, str] = {}
        for channel, column in columns.items():
            found, fault = _plane(channel, column, entries, files)
            if found:
                planes[channel] = (found,)
            elif fault:
                faults[channel] = fault
                missing += "not found" in fault
        row_index, column_index = places[well] if places else parse_well(well)
        fields.append(Field(row_index, column_index, well, site, planes, faults, known=known))
    return fields, missing


def _plane(
    channel: str, column: str, entries: list[dict[str, str]], files: ImageFinder
) -> tuple[TiffPlane | None, str | None]:
    named = dict.fromkeys(
        (e[column], e.get(f"PathName_{channel}", "") or e[column].rpartition("/")[0]) for e in entries
    )
    named = {key: None for key in named if key[0]}
    if len(named) > 1:
        names = " and ".join(sorted({name for name, _ in named}))
        return (
            None,
            f"the table names more than one file for channel {channel!r} ({names}); remove the extra rows",
        )
    for name, folder in named:
        found = files.find(name, folder)
        if len(found) == 1:
            frame = entries[0].get(f"Frame_{channel}", "")
            return TiffPlane(found[0], _index(frame) or None), None
        last = PurePosixPath(name.replace("\\", "/")).name
        if found:
            return None, (
                f"there is more than one file {last}: {', '.join(str(f.parent.name) for f in found)}; "
                "open a folder that holds one plate, or pass image_root="
            )
        return None, f"file of channel {channel!r} not found under the image folder" + f" ({last})" * bool(
            last
        )
    return None, None


def _channel(table: pd.DataFrame, channel: str) -> Channel:
    def first(kind: str) -> str:
        column = f"Metadata_{kind}_{channel}"
        return str(table[column].iloc[0]) if column in table.columns and len(table) else ""

    dye = first("ChannelName")
    number = first("ChannelID")
    return Channel(
        name=channel,
        source="load_data column",
        number=_index(number),
        aliases=(dye,) if dye else (),
        excitation=_number(first("MainExcitationWavelength")),
        emission=_number(first("MainEmissionWavelength")),
    )


def _pixel_size(table: pd.DataFrame) -> float | None:
    if "Metadata_ImageResolutionX" in table.columns and len(table):
        metres = _number(table["Metadata_ImageResolutionX"].iloc[0])
        return metres * 1e6 if metres else None
    return None


def _index(text: str) -> int | None:
    """Read a number of a row, column, channel or frame, ``None`` where it is none."""
    number = site_number(text)
    return number if isinstance(number, int) and number < 2**31 else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value > 0 else None


LAYOUT = Layout("load_data", detect, read, files=("*load_data*.csv", "*load_data*.csv.gz"))
