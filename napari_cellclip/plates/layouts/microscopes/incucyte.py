"""Incucyte exports: ``PLATE_Green_B2_1_2023y05m01d_12h30m.tif``, or ``…_00d02h00m.tif``.

The name holds well, field and time; the channel (phase, green, orange, red, NIR) is a word of the name or of
the folder. An Incucyte has no filters for five stains: most plates can be looked at and not encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition, Channel, require_fields, shape_for
from napari_cellclip.plates.layouts.files import is_tiff
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    fields_of,
    files_of,
    most_are_named_so,
    of_one_plate,
    of_one_time,
    unread_names,
)
from napari_cellclip.vocabulary import CellClipError, normalise_well

_NAME = re.compile(
    r"(?P<before>[^/]{0,200}?_)??(?P<well>[A-Z]{1,2}\d{1,2})_(?P<site>\d{1,4})_"
    r"(?P<stamp>\d{2,3}d\d{2}h\d{2}m|\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m)(?P<after>_[^/]{0,100})?\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_CHANNELS = ("phase", "brightfield", "green", "orange", "red", "nir")


def detect(path: Path, options: Options) -> Match | None:
    """Find a folder in which most TIFF images have such names."""
    named_so = path.is_dir() and most_are_named_so(path, _NAME)
    return Match(path, Strength.NAMES) if named_so else None


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, fields, channels and times from the names of files; no image is opened.

    Parameters
    ----------
    path : Path
        Folder with images at any depth.
    options : Options
        ``name`` chooses among the folders of several plates, else it renames the plate; ``time`` chooses a
        time point, counted from 1 in the order of the times.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen, or the time point has no images.
    """
    files, problems = files_of(path)
    images, strange = parse_names((f for f in files if is_tiff(f.name)), path)
    problems += unread_names(strange, "Incucyte")
    images, name = of_one_plate(images, path, options.name)
    images, left = of_one_time(images, options.time)
    problems += left
    fields = fields_of(images)
    require_fields(fields, path)
    return Acquisition(
        name=name,
        path=path,
        layout="incucyte",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(Channel(c, "file name") for c in sorted({i.channel for i in images})),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def parse_names(files: Iterable[Path], root: Path) -> tuple[list[NamedImage], list[Path]]:
    """Read the names of files, and list those of which that is not possible.

    Time points are counted from 1 in the order of the times in the names.
    """
    found, strange = [], []
    for file in files:
        match = _NAME.fullmatch(file.name)
        try:
            well = normalise_well(match["well"]) if match else ""
        except CellClipError:
            match = None
        if match is None:
            strange.append(file)
            continue
        folders = file.relative_to(root).parts[:-1]
        texts = [match["before"] or "", match["after"] or "", *reversed(folders), root.name]
        channel = next((word for text in texts if (word := _channel(text))), "image")
        # Years, months, days, hours and minutes have as many digits in every name of a plate.
        stamp = tuple(int(digits) for digits in re.findall(r"\d+", match["stamp"]))
        found.append((file, well, int(match["site"]), channel, stamp))
    order = {stamp: i + 1 for i, stamp in enumerate(sorted({stamp for *_, stamp in found}))}
    return [NamedImage(file, well, site, c, 0, order[s]) for file, well, site, c, s in found], strange


def _channel(text: str) -> str:
    """Word of a text that names a channel, the last where several do."""
    words = [w.lower() for w in re.split(r"[^A-Za-z]+", text)]
    found = [w for w in words if w in _CHANNELS]
    return {"nir": "NIR"}.get(found[-1], found[-1].capitalize()) if found else ""


LAYOUT = Layout("incucyte", "Incucyte images", detect, read, Strength.NAMES)
