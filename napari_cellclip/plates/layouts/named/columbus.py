"""PerkinElmer Columbus and Opera exports: ``001002-3-001001002.tif``.

The name holds row and column of the well, the field, and three numbers of three digits. The last is the
channel; the others, which are 1 in most plates, are read as focal plane and time point.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout
from napari_cellclip.vocabulary import CellClipError, well_name

_NAME = re.compile(
    r"(?:.{0,200}/)?(?P<row>\d{3})(?P<column>\d{3})-(?P<site>\d{1,4})-(?P<plane>\d{3})(?P<time>\d{3})"
    r"(?P<channel>\d{3})\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read well, field, focal plane, time point and channel."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    try:
        well = well_name(int(found["row"]) - 1, int(found["column"]) - 1)
    except CellClipError:
        return None
    site, channel, plane, time = (int(found[key]) for key in ("site", "channel", "plane", "time"))
    return Reading(well, site, (f"ch{channel}",), plane, time)


LAYOUT = named_layout("columbus", "Columbus", read_name)
