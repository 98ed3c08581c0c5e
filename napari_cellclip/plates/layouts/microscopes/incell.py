"""IN Cell Analyzer exports (GE, Cytiva): ``A - 1(fld 1 wv DAPI - DAPI).tif`` with an ``.xdce`` file.

The name holds the well, the field (unless there is one a well), excitation and emission filter (unless there
is one pair), focal plane and time point. The ``.xdce`` file has the wavelengths of the filters, the positions
of the fields and the size of plate and pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition, Channel, Problem, require_fields, shape_for
from napari_cellclip.plates.layouts.files import files_in, is_tiff
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.microscopes.xdce import Xdce, read_xdce
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    fields_of,
    files_of,
    most_are_named_so,
    named_wells,
    of_one_plate,
    of_one_time,
    unread_names,
)
from napari_cellclip.vocabulary import PLATE_SHAPES, PlateError

_NAME = re.compile(
    r"(?:[^/()]{0,200}_)?(?P<row>[A-Z]{1,2}) ?-? ?(?P<column>\d{1,2})\((?P<body>[^()/]{1,200})\)\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_FIELD = re.compile(r"\bfld (\d{1,6})", re.ASCII)
_PLANE = re.compile(r"\bz (\d{1,6})\b", re.ASCII)
_TIME = re.compile(r"\btime (\d{1,6})\b", re.ASCII)
_INDEX = re.compile(r"\bwix (\d{1,3})\b", re.ASCII)
# What follows the filters: focal plane, index of the wavelength, time point.
_AFTER = re.compile(r" z \d| wix \d| ?- ?time \d| time \d", re.ASCII)


def detect(path: Path, options: Options) -> Match | None:
    """Find images of such names; an ``.xdce`` file beside them makes the match stronger."""
    if path.is_file():
        return detect(path.parent, options) if path.suffix.lower() == ".xdce" else None
    if not most_are_named_so(path, _NAME):
        return None
    return Match(path, Strength.METADATA if _xdce_files(path) else Strength.NAMES)


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, fields, filters, focal planes and time points; no image is opened.

    Parameters
    ----------
    path : Path
        Folder of a plate.
    options : Options
        ``name`` chooses among the folders of several plates, else it renames the plate; ``time`` chooses a
        time point.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen, or the time point has no images.
    """
    files, problems = files_of(path)
    images, strange = parse_names(f for f in files if is_tiff(f.name))
    problems += unread_names(strange, "IN Cell Analyzer")
    images, name = of_one_plate(images, path, options.name)
    images, left = of_one_time(images, options.time)
    problems += left
    xdce, remark = _xdce(path)
    problems += remark
    offsets = xdce.offsets
    # Fields are counted from 1 in names and from 0 in the file.
    positions: dict[tuple[str, int | str], tuple[float, float]] = {
        (i.well, i.site): offsets[i.site - 1]
        for i in images
        if isinstance(i.site, int) and i.site - 1 in offsets
    }
    fields = fields_of(images, positions=positions)
    require_fields(fields, path)
    return Acquisition(
        name=name,
        path=path,
        layout="incell",
        shape=_shape(xdce, [(f.row, f.column) for f in fields]),
        channels=tuple(_channels({i.channel for i in images}, xdce)),
        fields=tuple(fields),
        pixel_size=xdce.pixel_size,
        problems=tuple(problems),
    )


def parse_names(files: Iterable[Path]) -> tuple[list[NamedImage], list[Path]]:
    """Read the names of files, and list those of which that is not possible."""
    images = []
    named, strange = named_wells(files, _NAME, well="{row}{column}")
    for file, well, match in named:
        body = match["body"]
        images.append(
            NamedImage(
                file,
                well,
                _number(_FIELD, body, 1),
                _filters(body),
                _number(_PLANE, body, 0),
                _number(_TIME, body, 1),
            )
        )
    return images, strange


def _number(pattern: re.Pattern[str], body: str, default: int) -> int:
    found = pattern.search(body)
    return int(found[1]) if found else default


def _filters(body: str) -> str:
    """Excitation and emission filter as the name has them, with the wavelength's index where there is one."""
    _, told, rest = body.partition("wv ")
    if not told:
        return "image"
    after = _AFTER.search(rest)
    filters = (rest[: after.start()] if after else rest).strip(" -")
    index = _INDEX.search(rest)
    return f"{filters} wix {index[1]}" if index else filters or "image"


def _channels(names: set[str], xdce: Xdce) -> list[Channel]:
    channels = []
    for name in sorted(names):
        pair = re.sub(r" wix \d{1,3}$", "", name)
        excitation, emission = xdce.wavelengths.get(pair, (None, None))
        first, _, last = pair.partition(" - ")
        channels.append(
            Channel(
                name,
                "file name",
                aliases=(first,) if first == last and first != name else (),
                excitation=excitation or _nanometres(first),
                emission=emission,
            )
        )
    return channels


def _nanometres(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[3-7]\d\d", text) else None


def _xdce_files(folder: Path) -> list[Path]:
    return [f for f in files_in(folder)[0] if f.suffix.lower() == ".xdce"]


def _xdce(folder: Path) -> tuple[Xdce, list[Problem]]:
    files = _xdce_files(folder)
    if len(files) != 1:
        why = "several .xdce files lie" if files else "no .xdce file lies"
        what = f"{why} beside the images, so wavelengths, positions and pixel size are not known"
        return Xdce(), [Problem(folder.name, what)]
    try:
        return read_xdce(files[0]), []
    except PlateError as error:
        return Xdce(), [Problem(files[0].name, f"{error}; the plate was opened by its file names alone")]


def _shape(xdce: Xdce, held: list[tuple[int, int]]) -> tuple[int, int]:
    if xdce.shape in PLATE_SHAPES.values() and xdce.shape:
        rows, columns = xdce.shape
        if all(row < rows and column < columns for row, column in held):
            return rows, columns
    return shape_for(held)


LAYOUT = Layout("incell", detect, read, files=("*.xdce",))
