"""Olympus ScanR: ``A1--W00001--P00001--Z00000--T00000--DAPI.tif``.

The name holds the well and its number, position in the well, focal plane, time point and channel. Slides of
spotted cells have a number and no well.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?:.{0,200}/)?(?P<well>[A-Z]{1,2}\d{1,2})?--W(?P<number>\d{5})--P(?P<site>\d{5})--Z(?P<plane>\d{5})"
    r"--T(?P<time>\d{5})--(?P<channel>[^/]{1,100})\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read well, position, focal plane, time point and channel."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    return Reading(
        found["well"] or "",
        int(found["site"]),
        (found["channel"],),
        int(found["plane"]),
        int(found["time"]),
        place=f"W{found['number']}",
    )


LAYOUT = named_layout("scanr", "ScanR", read_name)
