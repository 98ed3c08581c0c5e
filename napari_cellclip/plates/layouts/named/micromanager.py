"""Micro-Manager, single images: ``A1-Site_0/img_channel000_position000_time000000000_z000.tif``.

Folders name well and site where the plate was laid out with the HCS site generator; otherwise there are
positions of the stage and no wells. Version 1.4 writes ``img_000000000_DAPI_000.tif``.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NEW = re.compile(
    r"img_channel(?P<channel>\d{3})_position(?P<position>\d{3,6})_time(?P<time>\d{9})_z(?P<plane>\d{3,6})"
    r"\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_OLD = re.compile(
    r"img_(?P<time>\d{9})_(?P<channel>[^/]{1,100})_(?P<plane>\d{3,6})\.tiff?", re.IGNORECASE | re.ASCII
)
_WELL = re.compile(r"(?:\d+-)?(?P<well>[A-Z]{1,2}\d{1,2})-Site_(?P<site>\d{1,6})", re.IGNORECASE | re.ASCII)


def read_name(path: str) -> Reading | None:
    """Read well and site from the folder, channel, focal plane and time point from the name."""
    folders, _, name = path.rpartition("/")
    if found := _NEW.fullmatch(name):
        channel, position = f"ch{found['channel']}", found["position"]
    elif found := _OLD.fullmatch(name):
        channel, position = found["channel"], "0"
    else:
        return None
    folder = folders.rpartition("/")[2]
    plane, time = int(found["plane"]), int(found["time"])
    if well := _WELL.fullmatch(folder):
        return Reading(well["well"], int(well["site"]), (channel,), plane, time)
    return Reading("", 1, (channel,), plane, time, place=f"{folder} position {position}")


LAYOUT = named_layout("micro-manager", "Micro-Manager", read_name)
