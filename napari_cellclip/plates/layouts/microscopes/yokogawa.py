"""Yokogawa CV7000 and CV8000: ``PLATE_B03_T0001F001L01A01Z01C01.tif`` with ``.mlf .mrf .mes .wpi``.

``MeasurementData.mlf`` lists the images with their wells, fields, focal planes and stage positions,
``MeasurementDetail.mrf`` has the size of plate and pixels, the ``.mes`` file names and wavelengths of the
channels. Without the first the names of the files say the same, but for the positions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.layouts.files import files_in, folders_in, refused_links
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.microscopes.yokogawa_files import (
    ChannelSetting,
    Detail,
    Record,
    read_channels,
    read_detail,
    read_records,
)
from napari_cellclip.plates.layouts.named_images import (
    NamedImage,
    chosen_time,
    fields_of,
    named_wells,
    of_one_time,
    time_remark,
)
from napari_cellclip.vocabulary import PLATE_SHAPES, CellClipError, PlateError, well_name

LIST = "measurementdata.mlf"
DETAIL = "measurementdetail.mrf"

_NAME = re.compile(
    r"(?:[^/]{0,200}?_)??(?P<well>[A-Z]{1,2}\d{1,2})_T(?P<time>\d{1,5})F(?P<field>\d{1,5})L\d{1,3}A\d{1,3}"
    r"Z(?P<plane>\d{1,5})C(?P<channel>\d{1,3})\.(?:tiff?|png)",
    re.IGNORECASE | re.ASCII,
)


def detect(path: Path, options: Options) -> Match | None:
    """Find the folder of a measurement that ``path`` is, holds or describes."""
    if path.is_file():
        known = path.suffix.lower() in (".mlf", ".mrf", ".mes", ".wpi")
        return detect(path.parent, options) if known else None
    if strength := _strength(path):
        return Match(path, strength)
    children = folders_in(path)
    found = {f: strength for f in children if (strength := _strength(f))}
    if not found:  # a measurement lies in a folder of its run
        found = {f: strength for c in children for f in folders_in(c) if (strength := _strength(f))}
    if options.name and len(found) > 1:
        found = {f: s for f, s in found.items() if f.name == options.name} or found
    if not found:
        return None
    first = next(iter(found))
    if len(found) > 1:
        names = ", ".join(f.name for f in list(found)[:8])
        refusal = f"{path} holds {len(found)} measurements ({names}): open one of them"
        return Match(path, found[first], refusal)
    return Match(first, found[first])


def read(folder: Path, options: Options) -> Acquisition:
    """Read wells, fields and channels of a measurement; no image is opened.

    Parameters
    ----------
    folder : Path
        Folder of the images.
    options : Options
        ``name`` renames the plate; ``time`` chooses a time point.

    Raises
    ------
    PlateError
        If there are no images, or none of the time point.
    """
    files, refused = files_in(folder)
    problems = refused_links(refused)
    by_name = {f.name: f for f in files}
    by_kind = {f.name.lower(): f for f in files}
    detail, settings = Detail(), {}
    records: list[Record] | None = None
    try:
        detail = read_detail(by_kind[DETAIL]) if DETAIL in by_kind else detail
    except PlateError as error:
        problems.append(Problem(folder.name, f"{error}; the size of its pixels is not known"))
    try:
        records = list(read_records(by_kind[LIST])) if LIST in by_kind else None
    except PlateError as error:
        what = f"{error}; the plate was opened by its file names alone"
        problems.append(Problem(folder.name, what))
    mes = [f for f in files if f.suffix.lower() == ".mes"]
    mes = [f for f in mes if f.name == detail.settings] or mes
    try:
        settings = read_channels(mes[0]) if len(mes) == 1 else {}
    except PlateError as error:
        problems.append(Problem(folder.name, f"{error}; the names of its channels are not known"))
    if not mes:
        problems.append(
            Problem(folder.name, "no .mes file, which names the channels, lies beside the images")
        )
    faults: dict[tuple[str, int | str], dict[str, str]] = {}
    positions: dict[tuple[str, int | str], tuple[float, float]] = {}
    if records is None:
        images, left = of_one_time(parse_names(files), options.time)
        problems += left
    else:
        times = sorted({r.time for r in records})
        time = chosen_time(times, options.time)
        if len(times) > 1:
            problems.append(time_remark(time, times, sum(r.time != time for r in records)))
        of_time = [r for r in records if r.time == time]
        images, told = _images(of_time, by_name, positions, faults)
        problems += told
    channels = _channels({i.channel for i in images} | {c for f in faults.values() for c in f}, settings)
    fields = fields_of(images, positions=positions, faults=faults)
    require_fields([f for f in fields if f.planes], folder)
    return Acquisition(
        name=clean_name(options.name or detail.name or plate_name(folder)),
        path=folder,
        layout="yokogawa",
        shape=_shape(detail, [(f.row, f.column) for f in fields]),
        channels=tuple(channels),
        fields=tuple(fields),
        pixel_size=detail.pixel_size,
        problems=tuple(problems),
    )


def parse_names(files: Iterable[Path]) -> list[NamedImage]:
    """Read the names of files; those of correction images (``DC_…``, ``SC_…``) and others are passed over."""
    images = []
    for file, well, match in named_wells(files, _NAME)[0]:
        site, plane, time = (int(match[key]) for key in ("field", "plane", "time"))
        images.append(NamedImage(file, well, site, _code(int(match["channel"])), plane, time))
    return images


def _strength(folder: Path) -> Strength | None:
    names = [f.name for f in files_in(folder)[0]]
    if any(name.lower() == LIST for name in names):
        return Strength.METADATA
    return Strength.NAMES if any(_NAME.fullmatch(n) for n in names) else None


def _images(
    records: Iterable[Record],
    by_name: dict[str, Path],
    positions: dict[tuple[str, int | str], tuple[float, float]],
    faults: dict[tuple[str, int | str], dict[str, str]],
) -> tuple[list[NamedImage], list[Problem]]:
    """Find the images of the records, and note the positions of fields and what is missing."""
    images, failed, outside = [], 0, 0
    for r in records:
        try:
            key = well_name(r.row - 1, r.column - 1), r.field
        except CellClipError:
            outside += 1
            continue
        code = _code(r.channel)
        if r.failed:
            failed += 1
            faults.setdefault(key, {})[code] = "the instrument recorded an error instead of an image"
        elif r.file not in by_name:
            faults.setdefault(key, {})[code] = f"{r.file} is missing: copy it from the instrument again"
        else:
            images.append(NamedImage(by_name[r.file], *key, code, r.plane, r.time))
        if r.position is not None:
            positions.setdefault(key, r.position)
    problems = []
    if failed:
        problems.append(Problem("images", f"the instrument recorded an error instead of {failed} images"))
    if outside:
        problems.append(Problem("wells", f"{outside} images of wells that no plate has are left out"))
    return images, problems


def _channels(codes: set[str], settings: dict[int, ChannelSetting]) -> list[Channel]:
    channels = []
    targets = [s.target for s in settings.values()]
    for code in sorted(codes):
        number = int(code[1:])
        setting = settings.get(number, ChannelSetting())
        named = setting.target and targets.count(setting.target) == 1
        channels.append(
            Channel(
                code,
                "measurement setting" if number in settings else "file name",
                number,
                aliases=(setting.target,) if named else (),
                excitation=setting.excitation,
                emission=setting.emission,
                unstained=setting.unstained,
            )
        )
    return channels


def _code(number: int) -> str:
    return f"C{number:02d}"


def _shape(detail: Detail, held: list[tuple[int, int]]) -> tuple[int, int]:
    if detail.shape in PLATE_SHAPES.values() and detail.shape:
        rows, columns = detail.shape
        if all(row < rows and column < columns for row, column in held):
            return rows, columns
    return shape_for(held)


LAYOUT = Layout("yokogawa", detect, read, files=("*.mlf", "*.mrf", "*.mes", "*.wpi"))
