"""BioTek Gen5 exports of Cytation and Lionheart readers: ``D6_01_2_3_GFP 469,525_001.tif``.

The name holds the well (with a region of interest, ``A1ROI2``), the step of the procedure that took the
image, the channel's number, the number of the image in its well (with a focal plane, ``3Z0``), the channel
with its wavelengths or without, and the number of the read in a time series. Steps below 0 are images that
Gen5 computed (``Stitched[GFP 469,525]``). Older versions write the same in another order,
``A1_1Z0_DAPI_1_001_.tif``. Files lie in one folder, or in one for each well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.layouts.files import is_tiff
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    chosen_time,
    fields_of,
    files_of,
    most_are_named_so,
    named_wells,
    time_remark,
    unread_names,
)
from napari_cellclip.vocabulary import PlateError

_NAME = re.compile(
    r"(?P<well>[A-Z]{1,2}\d{1,2})(?:ROI(?P<roi>\d{1,6}))?_(?P<step>-?\d{1,4})_(?P<index>\d{1,4})_"
    r"(?P<image>\d{1,6})(?:Z(?P<plane>\d{1,6}))?_(?P<channel>.{1,200})_(?P<read>\d{3,6})\.tiff?",
    re.IGNORECASE | re.ASCII,
)
# As older versions write it: A1_1Z0_DAPI_1_001_.tif, A1_1_Stitched[AandB_Phase Contrast]_1_001_-1.tif
_OLD_NAME = re.compile(
    r"(?P<well>[A-Z]{1,2}\d{1,2})_(?P<image>\d{1,6})(?:Z(?P<plane>\d{1,6}))?_(?P<channel>.{1,200})_"
    r"(?P<index>\d{1,4})_(?P<read>\d{3,6})_(?P<step>-?\d{1,4})?\.tiff?",
    re.IGNORECASE | re.ASCII,
)
_COMPUTED = re.compile(r"\w+\[(.*)\]")
_WAVELENGTHS = re.compile(r"\s*(\d{3}),\s?(\d{3})$")


@dataclass(frozen=True, slots=True)
class Gen5Image:
    """One file and the parts of its name; channel without what Gen5 computed, ``roi`` 0 for none."""

    file: Path
    well: str
    roi: int
    step: int
    index: int
    number: int
    plane: int
    channel: str
    read: int

    @property
    def site(self) -> int | str:
        """Number of the site in its well, with the region of interest where there is one."""
        return f"ROI{self.roi}-{self.number}" if self.roi else self.number


def detect(path: Path, options: Options) -> Match | None:
    """Find a folder in which most TIFF images have such names."""
    named_so = path.is_dir() and most_are_named_so(path, _NAME, _OLD_NAME)
    return Match(path, Strength.NAMES) if named_so else None


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, sites and channels from the names of files; no image is opened.

    Parameters
    ----------
    path : Path
        Folder with images at any depth.
    options : Options
        ``name`` chooses among the folders of several plates, else it renames the plate; ``time`` chooses a
        read of a time series.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen.
    """
    files, problems = files_of(path)
    images, strange = parse_names(f for f in files if is_tiff(f.name))
    problems += unread_names(strange, "Gen5")
    images, name = _of_one_plate(images, path, options.name)
    images, left_out = _of_one_read(images, options.time)
    problems += left_out
    channels, channel_of = _channels(images)
    fields = _fields(images, channel_of)
    require_fields(fields, path)
    return Acquisition(
        name=name,
        path=path,
        layout="gen5",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(channels),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def parse_names(files: Iterable[Path]) -> tuple[list[Gen5Image], list[Path]]:
    """Read the names of files, and list those of which that is not possible."""
    images = []
    named, strange = named_wells(files, _NAME, _OLD_NAME)
    for file, well, match in named:
        parts = match.groupdict()
        numbers = {
            key: int(parts.get(key) or 0) for key in ("roi", "step", "index", "image", "plane", "read")
        }
        channel = match["channel"]
        while computed := _COMPUTED.fullmatch(channel):
            channel = computed[1]
        images.append(
            Gen5Image(
                file,
                well,
                numbers["roi"],
                numbers["step"],
                numbers["index"],
                numbers["image"],
                numbers["plane"],
                channel.strip(),
                numbers["read"],
            )
        )
    return images, strange


def _of_one_plate(images: list[Gen5Image], root: Path, wanted: str | None) -> tuple[list[Gen5Image], str]:
    """Refuse folders that hold the same file names, as those of several plates do, unless one is chosen."""
    name = clean_name(wanted) if wanted else plate_name(root)
    if wanted:
        chosen = [i for i in images if wanted in i.file.relative_to(root).parts[:-1]]
        images = chosen or images
    folders: dict[str, set[Path]] = defaultdict(set)
    for image in images:
        folders[image.file.name].add(image.file.parent)
    if several := next((found for found in folders.values() if len(found) > 1), None):
        listed = ", ".join(sorted(str(f.relative_to(root)) for f in several)[:8])
        raise PlateError(
            f"{root} holds {len(several)} plates ({listed}): open one of them, or choose one with name="
        )
    return images, name


def _of_one_read(images: list[Gen5Image], time: int | None) -> tuple[list[Gen5Image], list[Problem]]:
    """Leave out other time points, computed images beside originals, and steps that repeat a channel."""
    problems = []
    reads = sorted({image.read for image in images})
    chosen = chosen_time(reads, time)
    if others := [i for i in images if i.read != chosen]:
        images = [i for i in images if i.read == chosen]
        problems.append(time_remark(chosen, reads, len(others)))
    originals = [i for i in images if i.step >= 0]
    if originals and len(originals) < len(images):
        what = f"{len(images) - len(originals)} stitched or otherwise computed images are left out"
        problems.append(Problem("file names", what))
        images = originals
    taken: dict[str, int] = {}
    for image in sorted(images, key=lambda i: (abs(i.step), i.index)):
        taken.setdefault(image.channel, image.step)
    if repeated := [i for i in images if taken[i.channel] != i.step]:
        images = [i for i in images if taken[i.channel] == i.step]
        steps = ", ".join(f"{step:02d}" for step in sorted({i.step for i in repeated}))
        what = f"{len(repeated)} images of step {steps} are left out: an earlier step took the same channels"
        problems.append(Problem("steps of the procedure", what))
    return images, problems


def _channels(images: list[Gen5Image]) -> tuple[list[Channel], dict[tuple[str, int], str]]:
    """Make the channels, in the order of steps and numbers, and the unique name of each name and number."""
    seen = sorted({(i.step, i.index, i.channel) for i in images})
    names = [name for _, _, name in seen]
    short = [_WAVELENGTHS.sub("", name) for name in names]
    channels, channel_of = [], {}
    for (_, index, name), alias in zip(seen, short, strict=True):
        unique = name if names.count(name) == 1 else f"{name} {index}"
        waves = _WAVELENGTHS.search(name)
        channels.append(
            Channel(
                name=unique,
                source="file name",
                number=index if len({s for s, _, _ in seen}) == 1 else None,
                aliases=(alias,) if alias and short.count(alias) == 1 else (),
                excitation=float(waves[1]) if waves else None,
                emission=float(waves[2]) if waves else None,
            )
        )
        channel_of[name, index] = unique
    return channels, channel_of


def _fields(images: list[Gen5Image], channel_of: dict[tuple[str, int], str]) -> list[Field]:
    return fields_of(
        NamedImage(i.file, i.well, i.site, channel_of[i.channel, i.index], i.plane) for i in images
    )


LAYOUT = Layout("gen5", detect, read, Strength.NAMES)
