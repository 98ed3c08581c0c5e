"""MetaXpress exports and databases (ImageXpress): ``PLATE_B02_s1_w1GUID.tif`` with an ``.HTD`` file.

The name holds plate, well, site (unless there is one a well), wavelength (unless there is one) and, in a
database, an identifier. Time points lie in folders ``TimePoint_1``, focal planes in ``ZStep_1`` and so on,
their projection in ``ZStep_0``; other exports have both in the name (``t1_A01_s1_w1_z1.tif``). The names of
the wavelengths are in the ``.HTD`` file only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Problem,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.layouts.files import files_in, first_files, folders_in, is_picture, is_tiff
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.microscopes.htd import Htd, read_htd
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    fields_of,
    files_of,
    named_wells,
    of_one_plate,
    of_one_time,
    unread_names,
)
from napari_cellclip.vocabulary import PLATE_SHAPES, PlateError

LOOKED_AT = 2000
"""Entries looked at for images of such names."""

_GUID = r"[0-9A-F]{8}-(?:[0-9A-F]{4}-){3}[0-9A-F]{12}"
_NAME = re.compile(
    r"(?:t(?P<time>\d{1,5})_|[^/]{0,200}?_)??(?P<well>[A-Z]{1,2}\d{1,2})(?:_s(?P<site>\d{1,4}))?(?:_w(?P<wave>\d{1,2}))?"
    rf"(?P<guid>{_GUID})?(?:_z(?P<plane>\d{{1,5}}))?(?:_t(?P<last>\d{{1,5}}))?\.(?:tiff?|png)",
    re.IGNORECASE | re.ASCII,
)
_STEP = re.compile(r"(TimePoint|ZStep)_(\d{1,5})", re.IGNORECASE | re.ASCII)


def detect(path: Path, options: Options) -> Match | None:
    """Find an ``.HTD`` file beside images of such names, names with identifiers, steps in names or folders.

    Without any of these such names are common to many programs, and are left to the folder of images.
    """
    if path.is_file():
        return detect(path.parent, options) if path.suffix.lower() == ".htd" else None
    names = [n for n in first_files(path, LOOKED_AT)[0] if _is_image(n.rpartition("/")[2])]
    fit = [n for n in names if _NAME.fullmatch(n.rpartition("/")[2])]
    if not fit or len(fit) * 2 < len(names):
        return None
    if _htd_files(path):
        return Match(path, Strength.METADATA)
    below = [child for child in folders_in(path) if _htd_files(child)]
    if below and not files_in(path)[0]:
        below = [child for child in below if child.name == options.name] or below
        listed = ", ".join(child.name for child in below[:8])
        refusal = f"{path} holds {len(below)} plates ({listed}): open one of them, or choose one with name="
        return Match(below[0], Strength.METADATA, refusal if len(below) > 1 else "")
    told = [n for n in fit if _steps(Path(n)) or _tells(n.rpartition("/")[2])]
    return Match(path, Strength.NAMES) if len(told) * 2 >= len(fit) else None


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, sites, wavelengths, focal planes and time points; no image is opened.

    Parameters
    ----------
    path : Path
        Folder of a plate.
    options : Options
        ``name`` chooses among the folders of several plates, else it renames the plate; ``time`` chooses a
        time point.

    Raises
    ------
    PlateError
        If several plates lie in the folder and none is chosen, or the time point has no images.
    """
    files, problems = files_of(path)
    images, strange = parse_names((f for f in files if _is_image(f.name)), path)
    problems += unread_names(strange, "MetaXpress")
    images, name = of_one_plate(images, path, options.name)
    images, left = of_one_time(images, options.time)
    images, projected = _projections(images)
    problems += left + projected
    htd, remark = _htd(path)
    problems += [*remark, *_unseen(images, htd)]
    fields = fields_of(images, htd.promised if htd else ())
    require_fields([f for f in fields if f.planes], path)
    return Acquisition(
        name=name,
        path=path,
        layout="metaxpress",
        shape=_shape(htd, [(f.row, f.column) for f in fields]),
        channels=tuple(_channels(images, htd)),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def parse_names(files: Iterable[Path], root: Path) -> tuple[list[NamedImage], list[Path]]:
    """Read the names of files, and list those of which that is not possible.

    The channel is called ``w1`` and so on; the focal plane is -1 where a file lies in no ``ZStep`` folder.
    """
    images = []
    named, strange = named_wells(files, _NAME)
    for file, well, match in named:
        steps = _steps(file.relative_to(root))
        plane = int(match["plane"]) if match["plane"] else steps.get("zstep", -1)
        time = int(match["time"] or match["last"] or steps.get("timepoint", 1))
        wave = f"w{int(match['wave'] or 1)}"
        images.append(NamedImage(file, well, int(match["site"] or 1), wave, plane, time))
    return images, strange


def _is_image(name: str) -> bool:
    return is_tiff(name) or is_picture(name)


def _tells(name: str) -> bool:
    """Whether a name has an identifier, a focal plane or a time point."""
    match = _NAME.fullmatch(name)
    return match is not None and any(match[key] for key in ("guid", "plane", "time", "last"))


def _steps(path: Path) -> dict[str, int]:
    """Time point and focal plane by the names of the folders."""
    found = (_STEP.fullmatch(part) for part in path.parts[:-1])
    return {m[1].lower(): int(m[2]) for m in found if m}


def _projections(images: list[NamedImage]) -> tuple[list[NamedImage], list[Problem]]:
    """Take the projection the microscope computed where there is one beside the focal planes."""
    projected = {(i.well, i.site, i.channel) for i in images if i.plane <= 0}
    kept = [i for i in images if i.plane <= 0 or (i.well, i.site, i.channel) not in projected]
    if left := len(images) - len(kept):
        what = f"the projections in ZStep_0 are used, and {left} images of single focal planes are left out"
        return kept, [Problem("focal planes", what)]
    return images, []


def _htd_files(folder: Path) -> list[Path]:
    """HTD files at a folder, or in the folders of its time points and focal planes."""
    steps = [f for f in folders_in(folder) if _STEP.fullmatch(f.name)]
    for place in (folder, *steps):
        if found := [f for f in files_in(place, folder)[0] if f.suffix.lower() == ".htd"]:
            return found
    return []


def _htd(folder: Path) -> tuple[Htd | None, list[Problem]]:
    files = _htd_files(folder)
    if len(files) == 1:
        try:
            return read_htd(files[0]), []
        except PlateError as error:
            what = f"{error}; the plate was opened by its file names alone"
            return None, [Problem(files[0].name, what)]
    why = "several .HTD files lie" if files else "no .HTD file lies"
    what = f"{why} beside the images, so the names of the wavelengths are not known"
    return None, [Problem(folder.name, what)]


def _channels(images: list[NamedImage], htd: Htd | None) -> list[Channel]:
    codes = sorted({i.channel for i in images}, key=lambda code: int(code[1:]))
    names = [htd.waves.get(int(code[1:]), "") if htd else "" for code in codes]
    return [
        Channel(
            code,
            f"{'HTD' if name else 'file'} name",
            int(code[1:]),
            aliases=(name,) if name and names.count(name) == 1 else (),
        )
        for code, name in zip(codes, names, strict=True)
    ]


def _unseen(images: list[NamedImage], htd: Htd | None) -> list[Problem]:
    """Name the wavelengths that the HTD file lists and of which there is no image."""
    seen = {i.channel for i in images}
    unseen = {code: name for n, name in (htd.waves if htd else {}).items() if (code := f"w{n}") not in seen}
    return [
        Problem(c, f"the HTD file lists {name!r}, but there is no image of it") for c, name in unseen.items()
    ]


def _shape(htd: Htd | None, held: list[tuple[int, int]]) -> tuple[int, int]:
    if htd and htd.shape and htd.shape in PLATE_SHAPES.values():
        rows, columns = htd.shape
        if all(row < rows and column < columns for row, column in held):
            return rows, columns
    return shape_for(held)


LAYOUT = Layout("metaxpress", detect, read, files=("*.htd",))
