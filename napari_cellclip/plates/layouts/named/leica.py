"""Leica LAS X: Matrix Screener (``image--L00--S00--U00--V04--…--C00.ome.tif``) and Navigator exports.

In the names of Matrix Screener U is the row of the well and V its column, X and Y the place of the field in
the well. Navigator writes ``TileScan 2_A1-1_t0_z0_ch00.tif``: well, position, time point, plane and channel.
A series without wells is ``Series002_z00_ch00.tif``.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout
from napari_cellclip.vocabulary import CellClipError, well_name

_SCREENER = re.compile(
    r"(?:.{0,300}/)?image(?:--L\d+)?(?:--S(?P<slide>\d+))?--U(?P<row>\d+)--V(?P<column>\d+)(?:--[JEO]\d+)*"
    r"--X(?P<x>\d+)--Y(?P<y>\d+)(?:--T(?P<time>\d+))?--Z(?P<plane>\d+)--C(?P<channel>\d+)(?:\.ome)?\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_NAVIGATOR = re.compile(
    r"(?:.{0,300}/)?TileScan \d{1,4}_(?P<well>[A-Z]{1,2}\d{1,2})(?:-(?P<site>\d{1,4}))?(?:_t(?P<time>\d+))?"
    r"(?:_z(?P<plane>\d+))?_ch(?P<channel>\d+)\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_SERIES = re.compile(
    r"(?:.{0,300}/)?(?:Series|Position|Pos|Region) ?(?P<number>\d{1,5})(?:_S\d{1,5})?(?:_t(?P<time>\d+))?"
    r"(?:_z(?P<plane>\d+))?_ch(?P<channel>\d+)\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read well, field, focal plane, time point and channel."""
    if len(path) > 600:
        return None
    if found := _SCREENER.fullmatch(path):
        try:
            well = well_name(int(found["row"]), int(found["column"]))
        except CellClipError:
            return None
        site: int | str = f"X{found['x']}Y{found['y']}"
    elif found := _NAVIGATOR.fullmatch(path):
        well, site = found["well"], int(found["site"] or 1)
    elif found := _SERIES.fullmatch(path):
        well, site = "", int(found["number"])
    else:
        return None
    channel = f"ch{int(found['channel']):02d}"
    return Reading(well, site, (channel,), int(found["plane"] or 0), int(found["time"] or 0), place=str(site))


LAYOUT = named_layout("leica", "Leica LAS X", read_name)
