"""EVOS plate scans: ``scan_Plate_R_p00_0_B02f00d0.TIF``.

The name holds the copy (R as acquired, D as displayed, M merged; with a T before it for tiled areas), time
point, focal plane (in stacks), grid, well, field and channel.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?:.{0,200}/)?[^/]{1,200}_T?(?P<kind>[RDM])\d?_p(?P<time>\d{1,5})_(?:z(?P<plane>\d{1,5})_)?\d{1,3}_"
    r"(?P<well>[A-Z]{1,2}\d{2})f(?P<site>\d{2,3})d(?P<channel>\d{1,2})\.(?:tiff?|png|jpe?g)",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read copy, time point, focal plane, well, field and channel."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    return Reading(
        found["well"],
        int(found["site"]),
        (f"d{int(found['channel'])}",),
        int(found["plane"] or 0),
        int(found["time"]),
        kind=found["kind"].upper(),
    )


LAYOUT = named_layout("evos", "EVOS", read_name, {"R": "raw", "D": "displayed", "M": "merged"})
