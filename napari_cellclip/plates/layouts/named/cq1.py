"""Yokogawa CQ1: ``W0262F0001T0001Z000C2.tif``, with ``MeasurementResult.ome.xml`` beside or above.

The name holds the number of the well, which says its row and column only together with the plate: those are
in the ``.ome.xml``, as ``W262(R11C22)``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition, Problem
from napari_cellclip.plates.layouts.files import files_in
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.named_layout import Reading, detect_named, read_named
from napari_cellclip.vocabulary import CellClipError, well_name
from napari_cellclip.vocabulary.regular_files import require_regular

MAX_BYTES = 2**28
"""Most of the ``.ome.xml`` that is read: a whole plate's has tens of megabytes."""

_NAME = re.compile(
    r"(?:.{0,200}/)?W(?P<well>\d{1,5})F(?P<site>\d{1,5})T(?P<time>\d{1,5})Z(?P<plane>\d{1,5})C(?P<channel>\d{1,3})"
    r"\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_PLACE = re.compile(rb"\bW(\d{1,5})\(R(\d{1,3})C(\d{1,3})\)")


def read_name(wells: dict[int, str], path: str) -> Reading | None:
    """Read well, field, focal plane, time point and channel; ``wells`` names wells by their number."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    number = int(found["well"])
    site, plane, time = (int(found[key]) for key in ("site", "plane", "time"))
    return Reading(
        wells.get(number, ""), site, (f"C{int(found['channel'])}",), plane, time, place=f"W{number:04d}"
    )


def detect(path: Path, options: Options) -> Match | None:
    """Find a folder of images of such names."""
    return detect_named(path, partial(read_name, {}))


def read(path: Path, options: Options) -> Acquisition:
    """Read fields from the names and the places of wells from ``MeasurementResult.ome.xml``.

    Without that file, or where it lacks a well, fields get a place of their own, and that is told.
    """
    wells = _wells(path)
    opened = read_named(path, options, "cq1", "CQ1", partial(read_name, wells), {})
    if all(field.known for field in opened.fields):
        return opened
    what = "is not beside the images or lacks wells: copy it from the instrument, as it says where wells lie"
    return replace(opened, problems=(Problem("MeasurementResult.ome.xml", what), *opened.problems))


def _wells(path: Path) -> dict[int, str]:
    """Names of wells by number, from the ``.ome.xml`` at the folder or above an ``Image`` folder."""
    wells: dict[int, str] = {}
    above = [path.parent] if path.name.lower() in ("image", "projection") else []
    for folder in (path, *above):
        for file in files_in(folder)[0]:
            if not file.name.lower().endswith(".ome.xml"):
                continue
            with require_regular(file).open("rb") as stream:
                # Nothing but these marks is looked for, so that the XML needs no parser that could be misled.
                for number, row, column in _PLACE.findall(stream.read(MAX_BYTES)):
                    try:
                        wells[int(number)] = well_name(int(row) - 1, int(column) - 1)
                    except CellClipError:
                        continue
    return wells


LAYOUT = Layout("cq1", detect, read, Strength.NAMES)
