"""Open plates of which the names of files say everything: one function that reads a name makes a layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Problem,
    require_fields,
    shape_for,
    strip_of,
)
from napari_cellclip.plates.layouts.files import first_files, is_picture, is_tiff
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.named_images import (
    LOOKED_AT,
    NamedImage,
    fields_of,
    files_of,
    of_one_plate,
    of_one_time,
    unread_names,
)
from napari_cellclip.vocabulary import CellClipError, normalise_well


@dataclass(frozen=True, slots=True)
class Reading:
    """Reading of the name of an image.

    Attributes
    ----------
    well : str
        In any spelling; empty where the name has none.
    site : int or str
        Number of the site in its well, as the files count.
    channels : tuple of str
        Name of the channel, or names of all in the order of the file's pages.
    plane, time : int
        Focal plane and time point, as the files count.
    stamp : tuple of int
        Date or time of day where names have that; time points are then counted from 1 in their order.
    place : str
        What tells the fields of names without a well apart: a scene, a position of the stage.
    kind : str
        Which copy of an image it is, where an instrument writes several.
    """

    well: str
    site: int | str
    channels: tuple[str, ...]
    plane: int = 0
    time: int = 1
    stamp: tuple[int, ...] = ()
    place: str = ""
    kind: str = ""


_FOLDER = re.compile(r"(?:well[ _-]?)?([A-Z]{1,2}\d{1,2})", re.IGNORECASE | re.ASCII)

NameReader = Callable[[str], Reading | None]
"""Reads the path of an image, from the name of the plate's folder on and with ``/``; ``None`` if it is of
another layout."""


def named_layout(
    name: str, whose: str, read_name: NameReader, kinds: Mapping[str, str] | None = None
) -> Layout:
    """Make the layout of an instrument of which the names of files say everything.

    Parameters
    ----------
    name : str
        Of the layout.
    whose : str
        The instrument or program, as in "ScanR images".
    read_name : callable
        Reads a path.
    kinds : mapping, optional
        Copies of an image (:attr:`Reading.kind`) that may lie side by side, the best first, with the word for
        each: only the best there is of a plate is opened.
    """

    def detect(path: Path, options: Options) -> Match | None:
        return detect_named(path, read_name)

    def read(path: Path, options: Options) -> Acquisition:
        return read_named(path, options, name, whose, read_name, kinds or {})

    return Layout(name, detect, read, Strength.NAMES)


def detect_named(path: Path, read_name: NameReader) -> Match | None:
    """Find a folder in which at least half of the first images have names that can be read."""
    if not path.is_dir():
        return None
    names = _images(first_files(path, LOOKED_AT)[0])
    fit = sum(_reading(f"{path.name}/{name}", read_name) is not None for name in names)
    return Match(path, Strength.NAMES) if fit and fit * 2 >= len(names) else None


def read_named(
    path: Path,
    options: Options,
    layout: str,
    whose: str,
    read_name: NameReader,
    kinds: Mapping[str, str],
) -> Acquisition:
    """Read wells, sites, channels, focal planes and time points from names; no image is opened.

    Parameters
    ----------
    path : Path
        Folder with images at any depth.
    options : Options
        ``name`` chooses among the folders of several plates, else it renames the plate; ``time`` chooses a
        time point.
    layout, whose, read_name, kinds
        As :func:`named_layout`.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen, or the time point has no images.
    """
    files, problems = files_of(path)
    shown = set(_images([file.name for file in files]))
    read, strange = [], []
    for file in (f for f in files if f.name in shown):
        place = f"{path.name}/{file.relative_to(path).as_posix()}"
        if (found := _reading(place, read_name)) is None:
            strange.append(file)
        else:
            read.append((file, found))
    problems += unread_names(strange, whose)
    read, told = _best_copies(read, kinds)
    problems += told
    images, told = _named_images(read)
    problems += told
    images, name = of_one_plate(images, path, options.name)
    images, told = of_one_time(images, options.time)
    problems += told
    unknown = [image.well for image in images if not image.known]
    fields = fields_of(images, places=strip_of(sorted(set(unknown), key=lambda w: (len(w), w))))
    require_fields(fields, path)
    positions = [(f.row, f.column) for f in fields]
    return Acquisition(
        name=name,
        path=path,
        layout=layout,
        shape=(1, len(set(unknown))) if unknown else shape_for(positions),
        channels=tuple(Channel(c, "file name", _number(c)) for c in sorted({i.channel for i in images})),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def _images(names: list[str]) -> list[str]:
    """Names of TIFF images, or of pictures where there is none."""
    tiffs = [name for name in names if is_tiff(name.rpartition("/")[2])]
    return tiffs or [name for name in names if is_picture(name.rpartition("/")[2])]


def _reading(place: str, read_name: NameReader) -> Reading | None:
    """Read a path; a folder named by a well tells it where the name does not.

    ``None`` where no plate has such a well.
    """
    found = read_name(place)
    if found is None:
        return None
    if not found.well:
        folder = _FOLDER.fullmatch(place.rpartition("/")[0].rpartition("/")[2])
        return replace(found, well=folder[1]) if folder and _is_well(folder[1]) else found
    return found if _is_well(found.well) else None


def _is_well(text: str) -> bool:
    """Whether a plate may have such a well."""
    try:
        return bool(normalise_well(text))
    except CellClipError:
        return False


def _best_copies(
    read: list[tuple[Path, Reading]], kinds: Mapping[str, str]
) -> tuple[list[tuple[Path, Reading]], list[Problem]]:
    held = {found.kind for _, found in read}
    best = next((kind for kind in kinds if kind in held), None)
    kept = [(file, found) for file, found in read if best is None or found.kind == best]
    if best is not None and (left := len(read) - len(kept)):
        others = " and ".join(word for kind, word in kinds.items() if kind in held - {best})
        what = f"the {kinds[best]} images are opened, and {left} {others} copies of them are left out"
        return kept, [Problem("file names", what)]
    return kept, []


def _named_images(read: list[tuple[Path, Reading]]) -> tuple[list[NamedImage], list[Problem]]:
    stamps = sorted({found.stamp for _, found in read})
    times = {stamp: i + 1 for i, stamp in enumerate(stamps)} if stamps != [()] else {}
    places = sorted({found.place for _, found in read if not found.well})
    field = {place: f"field{i + 1}" for i, place in enumerate(places)}
    images = []
    for file, found in read:
        well = normalise_well(found.well) if found.well else field[found.place]
        time = times.get(found.stamp, found.time)
        several = len(found.channels) if len(found.channels) > 1 else None
        images += [
            NamedImage(
                file,
                well,
                found.site,
                channel,
                found.plane,
                time,
                page=page if several else None,
                pages=several,
                known=bool(found.well),
            )
            for page, channel in enumerate(found.channels)
        ]
    problems = []
    if places:
        some = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
        what = (
            f"the file names name no wells ({some}): each place is given a field of its own; sort the images "
            "into folders named by well (A01, A02 …) and open it again"
        )
        problems.append(Problem("wells", what))
    if several_pages := next((found for _, found in read if len(found.channels) > 1), None):
        what = (
            f"each file holds {', '.join(several_pages.channels)}, taken in this order as its name has them"
        )
        problems.append(Problem("channels", what))
    return images, problems


def _number(name: str) -> int | None:
    """Number in a code such as ``ch2``, ``d0`` or ``C01``, so that users may give it alone."""
    code = re.fullmatch(r"[A-Za-z]{1,3}(\d{1,3})", name, re.ASCII)
    return int(code[1]) if code else None
