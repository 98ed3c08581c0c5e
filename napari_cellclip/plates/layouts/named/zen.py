"""Zeiss ZEN image exports: ``A1-Image Export-01_s1c2m001_ORG.tif``.

The letters before ``_ORG`` are dimensions: scene, channel, time point, focal plane, tile. A scene is a well
or a position as the experiment was set up, so only a well at the beginning of the name counts as one.
``.czi`` files have to be converted first.
"""

from __future__ import annotations

import re

from napari_cellclip.plates.layouts.named_layout import Reading, named_layout

_NAME = re.compile(
    r"(?P<before>[^/]{1,150})_(?P<dimensions>(?:[sctzm]\d{1,5}){1,5})_ORG\.tiff?", re.IGNORECASE | re.ASCII
)
_WELL = re.compile(r"([A-Z]{1,2}\d{1,2})(?:[-_ ].*)?", re.ASCII)


def read_name(path: str) -> Reading | None:
    """Read scene, channel, focal plane, time point and tile, and the well where the name begins with one."""
    folders, _, name = path.rpartition("/")
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    numbers = {
        key.lower(): int(n) for key, n in re.findall(r"([a-z])(\d+)", found["dimensions"], re.IGNORECASE)
    }
    scene, tile = numbers.get("s", 1), numbers.get("m")
    well = _WELL.fullmatch(found["before"])
    site: int | str = scene if tile is None else (f"{scene}-{tile}" if well else tile)
    return Reading(
        well[1] if well else "",
        site if well else tile or 1,
        (f"c{numbers.get('c', 1)}",),
        numbers.get("z", 0),
        numbers.get("t", 1),
        place=f"{folders}/{found['before']} scene {scene:05d}".lstrip("/"),
    )


LAYOUT = named_layout("zen", "Zeiss ZEN", read_name)
