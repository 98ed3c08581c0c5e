"""Incucyte exports: ``PLATE_Green_B2_1_2023y05m01d_12h30m.tif``, or ``…_00d02h00m.tif``.

The name holds well, field and time; the channel (phase, green, orange, red, NIR) is a word of the name or of
the folder. In the instrument's own archive images are called ``B3-1-C2.tif`` and lie in folders of month,
day, time and vessel (``2207/19/1110/262``). An Incucyte has no filters for five stains: most plates can be
looked at and not encoded.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?P<before>[^/]{0,200}?_)??(?P<well>[A-Z]{1,2}\d{1,2})_(?P<site>\d{1,4})_"
    r"(?P<stamp>\d{2,3}d\d{2}h\d{2}m|\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m)(?P<after>_[^/]{0,100})?\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_ARCHIVE = re.compile(
    r"(?:.{0,200}/)?(?P<month>\d{4})/(?P<day>\d{2})/(?P<time>\d{4})/\d{1,6}/"
    r"(?P<well>[A-Z]{1,2}\d{1,2})-(?P<site>\d{1,4})-(?P<channel>Ph|C\d)\.tiff?",
    re.ASCII,
)
_CHANNELS = ("phase", "brightfield", "green", "orange", "red", "nir")


def read_name(path: str) -> Reading | None:
    """Read well, field, channel and time."""
    if found := _ARCHIVE.fullmatch(path):
        channel = {"Ph": "Phase"}.get(found["channel"], found["channel"])
        stamp = tuple(int(found[key]) for key in ("month", "day", "time"))
        return Reading(found["well"], int(found["site"]), (channel,), stamp=stamp)
    *folders, name = path.split("/")
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    texts = [found["before"] or "", found["after"] or "", *reversed(folders)]
    channel = next((word for text in texts if (word := _channel(text))), "image")
    # Years, months, days, hours and minutes have as many digits in every name of a plate.
    stamp = tuple(int(digits) for digits in re.findall(r"\d+", found["stamp"]))
    return Reading(found["well"], int(found["site"]), (channel,), stamp=stamp)


def _channel(text: str) -> str:
    """Word of a text that names a channel, the last where several do."""
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)]
    found = [w for w in words if w in _CHANNELS]
    return {"nir": "NIR"}.get(found[-1], found[-1].capitalize()) if found else ""


LAYOUT = named_layout("incucyte", "Incucyte", read_name)
