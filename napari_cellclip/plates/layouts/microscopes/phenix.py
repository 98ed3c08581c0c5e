"""Opera Phenix and Operetta exports: ``r02c03f01p01-ch4sk1fk1fl1.tiff`` with ``Index.idx.xml`` beside them.

This is also how the Cell Painting Gallery keeps its images. Early versions of Harmony write the channel as a
record, ``r02c03f01p01rc4-ch1sk1fk1fl1.tiff``. The names of the channels are in the index
only; without it the plate is opened with its stains unknown.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.stacks import plane_of, stacked_by_channel
from napari_cellclip.plates.layouts.files import files_in, folders_in, refused_links
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.microscopes.phenix_index import INDEX_NAMES, PhenixIndex, read_index
from napari_cellclip.plates.layouts.named_images import chosen_time, time_remark
from napari_cellclip.vocabulary import CellClipError, PlateError, well_name
from napari_cellclip.vocabulary.ids import MAX_COLUMNS, MAX_ROWS

FILE_NAME = re.compile(
    r"r(?P<row>\d{1,3})c(?P<column>\d{1,3})f(?P<field>\d+)p(?P<plane>\d+)(?:rc(?P<record>\d+))?-ch(?P<channel>\d+)"
    r"(?:sk(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?\.tiff?",
    re.IGNORECASE,
)


def detect(path: Path, options: Options) -> Match | None:
    """Find the folder of Phenix images that ``path`` is, holds or describes."""
    if path.is_file():
        return detect(path.parent, options) if path.name.lower() in INDEX_NAMES else None
    if _holds_images(path):
        return Match(path, _strength(path))
    children = folders_in(path)
    found = [c for c in children if c.name.lower() == "images" and _holds_images(c)]
    if not found:
        below = [c / name for c in children for name in ("Images", "images")]
        found = [c for c in (*children, *below) if c.is_dir() and not c.is_symlink() and _holds_images(c)]
    if options.name and len(found) > 1:
        found = [f for f in found if options.name in str(f.relative_to(path))] or found
    if len(found) > 1:
        names = ", ".join(sorted({f.relative_to(path).parts[0] for f in found})[:8])
        refusal = f"{path} holds {len(found)} plates ({names}): open one of them"
        return Match(path, _strength(found[0]), refusal)
    return Match(found[0], _strength(found[0])) if found else None


def read(folder: Path, options: Options) -> Acquisition:
    """Read the layout of a Phenix plate from its index and its file names; no image is opened.

    Parameters
    ----------
    folder : Path
        Folder of the images.
    options : Options
        ``name`` renames the plate; ``time`` chooses a time point.

    Returns
    -------
    Acquisition

    Raises
    ------
    PlateError
        If there are no images, or the index declares XML entities.
    """
    files, refused = files_in(folder)
    problems = refused_links(refused)
    index, index_problem = _read_index(folder)
    problems += [index_problem] if index_problem else []
    channels = _channels(files, index)
    fields, found = _fields(files, channels, index, options.time)
    require_fields(fields, folder)
    problems += found
    named = clean_name(index.name) if index and index.name else plate_name(folder)
    return Acquisition(
        name=clean_name(options.name) if options.name else named,
        path=folder,
        layout="phenix",
        shape=_shape(fields, index),
        channels=tuple(channels.values()),
        fields=tuple(fields),
        pixel_size=index.pixel_size if index else None,
        problems=tuple(problems),
    )


def _strength(folder: Path) -> Strength:
    """Weigh images without an index less: a table beside them may name the stains, which they do not."""
    return Strength.NAMES if _index_file(folder) is None else Strength.METADATA


def _holds_images(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(FILE_NAME.fullmatch(entry.name) for entry in entries)


def _index_file(folder: Path) -> Path | None:
    with os.scandir(folder) as entries:
        found = sorted(e.name for e in entries if e.name.lower() in INDEX_NAMES and not e.is_symlink())
    return folder / found[0] if found else None


def _read_index(folder: Path) -> tuple[PhenixIndex | None, Problem | None]:
    path = _index_file(folder)
    if path is None:
        what = (
            "no Index.idx.xml beside the images, so neither stains nor pixel size are known; pass channels="
        )
        return None, Problem(folder.name, what)
    try:
        return read_index(path), None
    except PlateError as error:
        return None, Problem(path.name, f"{error}; the plate was opened by its file names alone")


def _channels(files: list[Path], index: PhenixIndex | None) -> dict[int, Channel]:
    """Collect the channels of file names and index, by their number."""
    seen = {_channel(m) for f in files if (m := FILE_NAME.fullmatch(f.name))}
    described = index.channels if index else {}
    names = [c.name for c in described.values()]
    channels = {}
    for number in sorted(seen | set(described)):
        code, entry = f"ch{number}", described.get(number)
        if entry is None or not entry.name:
            channels[number] = Channel(code, "file name", number)
            continue
        # Two channels of one name can only be told apart by their number.
        unique = names.count(entry.name) == 1
        channels[number] = Channel(
            name=entry.name if unique else f"{code} {entry.name}",
            source="Index.idx.xml channel name",
            number=number,
            aliases=(code,),
            excitation=entry.excitation,
            emission=entry.emission,
            unstained=entry.unstained,
        )
    return channels


def _fields(
    files: list[Path], channels: dict[int, Channel], index: PhenixIndex | None, time: int | None
) -> tuple[list[Field], list[Problem]]:
    planes: dict[tuple[int, int, int], dict[str, dict[int, list[Plane]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    named = [(file, match) for file in files if (match := FILE_NAME.fullmatch(file.name))]
    times = sorted({int(match["time"] or 1) for _, match in named})
    chosen = chosen_time(times, time)
    others = sum(int(match["time"] or 1) != chosen for _, match in named)
    for file, match in named:
        if int(match["time"] or 1) != chosen:
            continue
        site = (int(match["row"]), int(match["column"]), int(match["field"]))
        planes[site][channels[_channel(match)].name][int(match["plane"])].append(plane_of(file))
    problems = [time_remark(chosen, times, others)] if others else []
    for site in index.promised if index else ():
        if site not in planes:
            planes[site] = defaultdict(dict)
    fields = []
    for (row, column, number), images in sorted(planes.items()):
        try:
            well = well_name(row - 1, column - 1)
        except CellClipError as error:
            problems.append(Problem(f"r{row:02d}c{column:02d}", f"{error}; its images are left out"))
            continue
        stacks, faults = stacked_by_channel(images)
        position = index.positions.get(number) if index else None
        fields.append(Field(row - 1, column - 1, well, number, stacks, faults, position=position))
    return fields, problems


def _channel(match: re.Match[str]) -> int:
    """Number of the channel; where names have a record, what follows ``ch`` is not in use."""
    return int(match["record"] or match["channel"])


def _shape(fields: list[Field], index: PhenixIndex | None) -> tuple[int, int]:
    positions = [(f.row, f.column) for f in fields]
    if index and index.shape:
        rows, columns = index.shape
        believed = rows <= MAX_ROWS and columns <= MAX_COLUMNS
        if believed and all(r < rows and c < columns for r, c in positions):
            return index.shape
    return shape_for(positions)


LAYOUT = Layout("phenix", detect, read, files=INDEX_NAMES)
