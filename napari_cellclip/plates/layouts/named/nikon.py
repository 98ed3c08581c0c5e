"""Nikon NIS-Elements: ``WellA01_PointA01_0000_ChannelDAPI,GFP,TRITC_Seq0000.tif`` and ``seq0000xy01c1.tif``.

JOBS name the well, the point in it (where the job has points), the channel or all channels of the file, and
a running number. An exported sequence has positions of the stage and no wells. ``.nd2`` files have to be
exported first.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?:.{0,200}/)?[^/]{0,100}?Well(?P<well>[A-Z]{1,2}\d{1,2})(?:_Point[^_/]{1,40}_(?P<point>\d{1,6}))?"
    r"_Channel(?P<channels>[^/]{1,100}?)_Seq(?P<number>\d{1,6})(?:_[^/]{0,100})?(?:\.ome)?\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_SEQUENCE = re.compile(
    r"(?:.{0,200}/)?(?P<before>[^/]{0,100}?)(?:t(?P<time>\d{1,6}))?xy(?P<position>\d{1,5})(?:z(?P<plane>\d{1,5}))?"
    r"c(?P<channel>\d{1,2})\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read well, point and channels."""
    if found := _SEQUENCE.fullmatch(path):
        place = f"{found['before']}xy{found['position']}"
        plane, time = int(found["plane"] or 0), int(found["time"] or 1)
        return Reading("", int(found["position"]), (f"c{int(found['channel'])}",), plane, time, place=place)
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    channels = tuple(channel.strip() for channel in found["channels"].split(","))
    if len(set(channels)) < len(channels) or not all(channels):
        return None
    return Reading(found["well"], int(found["point"] or found["number"]), channels)


LAYOUT = named_layout("nikon", "Nikon NIS-Elements", read_name)
