"""Cellomics ArrayScan and CellInsight: ``MFGTMP_140206180002_A01f00d0.TIF``.

The name holds well, field and dye, which both count from 0, and in kinetic assays the time point
(``…i3t001A01f01d2.TIF``). The instrument's own ``.C01`` and ``.DIB`` files have to be exported first.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?:.{0,200}/)?(?:(?:[^/]{0,200}_)?|[^/]{0,200}i3t(?P<time>\d{3}))"
    r"(?P<well>[A-Z]{1,2}\d{2})f(?P<site>\d{2,3})d(?P<dye>\d{1,2})\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def read_name(path: str) -> Reading | None:
    """Read well, field, dye and time point."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    return Reading(
        found["well"], int(found["site"]), (f"d{int(found['dye'])}",), time=int(found["time"] or 1)
    )


LAYOUT = named_layout("cellomics", "Cellomics", read_name)
