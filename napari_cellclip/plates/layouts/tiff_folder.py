"""A folder of images whose file names hold well, site and channel: TIFF, else PNG, JPEG or JPEG 2000.

Either one file per stain, or one multi-channel TIFF (OME-TIFF, ImageJ) per site. The pattern of the names is
guessed and shown, and can be given instead. Beside TIFF files pictures of other formats are passed over:
they are overviews and figures.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
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
    strip_of,
)
from napari_cellclip.plates.images.picture import LOSSY_SUFFIXES, PICTURE_SUFFIXES, PicturePlane
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.stacks import plane_of, stacked_by_channel
from napari_cellclip.plates.images.tiff import TiffPlane, tiff_axes
from napari_cellclip.plates.images.tiff_metadata import TiffAxes, TiffChannel
from napari_cellclip.plates.layouts.files import files_under, first_files, is_picture, is_tiff, refused_links
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.name_pattern import NamePattern, Parsed, guess_pattern
from napari_cellclip.plates.layouts.named_images import chosen_time, time_remark
from napari_cellclip.vocabulary import PlateError, Stain, parse_well

MAX_TRIES = 20
"""How many files are opened in search of one that says its channels."""

LOOKED_AT = 2000
"""Entries looked at for images before a folder counts as a long one."""


def detect(path: Path, options: Options) -> Match | None:
    """Find images at ``path``; the match is stronger if their names tell wells or stains.

    A folder without images among its first entries is a weak match, as there may be some further down.
    """
    if path.is_file():
        return Match(path, Strength.IMAGES) if is_tiff(path.name) or is_picture(path.name) else None
    names, whole = first_files(path, LOOKED_AT)
    tiffs = [name for name in names if is_tiff(name.rpartition("/")[2])]
    names = tiffs or [name for name in names if is_picture(name.rpartition("/")[2])]
    if not names:
        return None if whole else Match(path, Strength.IMAGES)
    return Match(path, Strength.NAMES if _tell(names[:LOOKED_AT]) else Strength.IMAGES)


def read(path: Path, options: Options) -> Acquisition:
    """Read wells, sites and channels from the names of files.

    No pixels are read. Only where a file holds a whole site is one opened, because its header names the
    channels.

    Parameters
    ----------
    path : Path
        Folder with images at any depth, or one image.
    options : Options
        ``pattern`` gives the way to read the names; ``name`` renames the plate; ``time`` chooses a time point
        where names have them.

    Raises
    ------
    PlateError
        If no pattern fits the names, or the one given is malformed or fits none.
    """
    root = path if path.is_dir() else path.parent
    files, refused = files_under(root) if path.is_dir() else ([path], [])
    tiffs = [f for f in files if is_tiff(f.name)]
    shown = tiffs or [f for f in files if is_picture(f.name)]
    images = {f.relative_to(root).as_posix(): f for f in shown}
    problems = refused_links(refused)
    if not images:
        require_fields([], path)
    pattern = NamePattern.compile(options.pattern) if options.pattern else guess_pattern(list(images))
    parsed = {name: found for name in images if (found := pattern.parse(name))}
    if not parsed:
        example = next(iter(images))
        raise PlateError(
            f"no file name under {root} fits the pattern {pattern.text!r} (a file is called {example!r}): "
            "give another with pattern= (on the command line --pattern), such as '{well}_s{site}_{channel}'"
        )
    parsed = _of_one_plate(parsed, root, options.name)
    problems += _remarks(pattern, images, parsed, given=options.pattern is not None)
    parsed, left = _of_one_time(parsed, options.time)
    problems += left
    per_site = not any(p.channel for p in parsed.values())
    if per_site:
        channels, axes = _channels_inside([images[name] for name in parsed])
    else:
        names = sorted({p.channel for p in parsed.values() if p.channel})
        channels, axes = [Channel(n, "file name", _number(n)) for n in names], None
    problems += _told(axes, list(images.values()))
    fields, known = _fields(parsed, images, channels, per_site)
    require_fields(fields, path)
    if not known:
        problems.append(
            Problem("wells", "the file names name no wells: each field is given a well of its own")
        )
    return Acquisition(
        name=clean_name(options.name) if options.name else plate_name(path),
        path=path,
        layout="tiff-folder",
        shape=shape_for([(f.row, f.column) for f in fields]) if known else (1, len({f.well for f in fields})),
        channels=tuple(channels),
        fields=tuple(fields),
        pixel_size=axes.pixel_size if axes else None,
        problems=tuple(problems),
    )


def _tell(names: list[str]) -> bool:
    """Whether most names of images tell a well, a stain, or both site and channel."""
    pattern = guess_pattern(names)
    parsed = [found for name in names if (found := pattern.parse(name))]
    telling = [p for p in parsed if p.well or (p.site and p.channel) or Stain.recognise(p.channel)]
    return len(telling) * 2 >= len(names)


def _remarks(
    pattern: NamePattern, images: dict[str, Path], parsed: dict[str, Parsed], *, given: bool
) -> list[Problem]:
    remarks = []
    if not given:
        name, found = next(iter(parsed.items()))
        what = (
            f"file names were read as {pattern.text} ({name.rpartition('/')[2]}: {_in_words(found)}); pass "
            "pattern= (--pattern) if that is wrong"
        )
        remarks.append(Problem("file names", what))
    if left := [name for name in images if name not in parsed]:
        some = ", ".join(left[:3]) + (", …" if len(left) > 3 else "")
        remarks.append(
            Problem("file names", f"{len(left)} of {len(images)} images do not fit and are left out: {some}")
        )
    return remarks


def _in_words(found: Parsed) -> str:
    """Write what a name says, as an example for the user to check."""
    parts = [f"well {found.well}" if found.well else "no well"]
    parts += [f"site {found.site}"] if found.site else []
    return ", ".join(parts + ([f"channel {found.channel}"] if found.channel else []))


def _of_one_plate(parsed: dict[str, Parsed], root: Path, wanted: str | None) -> dict[str, Parsed]:
    """Choose a plate where folders hold the same wells; refuse where none is chosen."""
    chosen = {name: found for name, found in parsed.items() if wanted in name.split("/")[:-1]}
    parsed = chosen or parsed
    folders: dict[Parsed, set[str]] = defaultdict(set)
    for name, found in parsed.items():
        if found.well:
            folders[replace(found, rest="")].add(name.rpartition("/")[0] or ".")
    twice = [found for found in folders.values() if len(found) > 1]
    if twice and len(twice) * 2 >= len(folders):
        listed = sorted(set().union(*twice))
        some = ", ".join(listed[:8]) + (", …" if len(listed) > 8 else "")
        raise PlateError(
            f"{root} holds images of the same wells in {len(listed)} folders, as several plates do ({some}): "
            "open one of them, or choose one with name= (--name); if the folders are stains or focal planes, "
            "pass pattern= (--pattern), such as '{channel}/{well}_s{site}'"
        )
    return parsed


def _of_one_time(parsed: dict[str, Parsed], time: int | None) -> tuple[dict[str, Parsed], list[Problem]]:
    """Choose a time point where names have one."""
    times = sorted({found.time for found in parsed.values()})
    if len(times) < 2:
        return parsed, []
    chosen = chosen_time(times, time)
    kept = {name: found for name, found in parsed.items() if found.time == chosen}
    return kept, [time_remark(chosen, times, len(parsed) - len(kept))]


def _told(axes: TiffAxes | None, images: list[Path]) -> list[Problem]:
    """Tell how focal planes and time points inside of files are read, and which formats lose detail."""
    remarks = []
    if axes and axes.depth > 1:
        what = f"the {axes.depth} focal planes of each channel are combined by maximum projection"
        remarks.append(Problem("focal planes", what))
    if axes and axes.times > 1:
        remarks.append(Problem("time points", f"the first of {axes.times} time points of each file is read"))
    if lossy := sum(path.suffix.lower() in LOSSY_SUFFIXES for path in images):
        what = f"{lossy} images are JPEG files, which have lost detail: use the originals if you have them"
        remarks.append(Problem("images", what))
    return remarks


def _first_readable(paths: list[Path]) -> tuple[Path, TiffAxes]:
    """Find the first of a few files that is not damaged, so that one bad file does not close the plate."""
    errors = []
    for path in paths[:MAX_TRIES]:
        try:
            if path.suffix.lower() in PICTURE_SUFFIXES:
                PicturePlane(path).header()
                return path, TiffAxes()
            return path, tiff_axes(path)
        except PlateError as error:
            errors.append(error)
    raise errors[0]


def _channels_inside(paths: list[Path]) -> tuple[list[Channel], TiffAxes]:
    """Read the channels of multi-channel TIFFs from their metadata."""
    path, axes = _first_readable(paths)
    if axes.rgb:
        raise PlateError(
            f"{path.name} is an RGB picture, not a measurement: export each stain as 16-bit grey levels"
        )
    described: list[TiffChannel | None] = [*axes.names] or [None] * axes.channels
    names = [d.name.strip() if d else "" for d in described]
    channels = []
    for number, (metadata, name) in enumerate(zip(described, names, strict=True)):
        unique = bool(name) and names.count(name) == 1
        channel = Channel(
            name=name if unique else f"channel {number}" + f" {name}" * bool(name),
            source="TIFF metadata channel name" if name else "page of the TIFF",
            number=number,
        )
        if metadata:
            channel = replace(
                channel,
                excitation=metadata.excitation,
                emission=metadata.emission,
                unstained=metadata.unstained,
            )
        channels.append(channel)
    return channels, axes


def _fields(
    parsed: dict[str, Parsed], images: dict[str, Path], channels: list[Channel], per_site: bool
) -> tuple[list[Field], bool]:
    # Fields of several folders that only differ by folder are told apart by their plate part.
    known = all(p.well for p in parsed.values())
    grouped: dict[tuple[str, int | str], list[tuple[Path, Parsed]]] = defaultdict(list)
    for name, found in parsed.items():
        if known:
            grouped[found.well, found.site or 1].append((images[name], found))
        else:
            grouped[found.rest or "field", found.site or 1].append((images[name], found))
    if not known:
        names = {rest: f"field{i + 1}" for i, rest in enumerate(dict.fromkeys(rest for rest, _ in grouped))}
        grouped = defaultdict(list, {(names[rest], site): v for (rest, site), v in grouped.items()})
    places = {} if known else strip_of([well for well, _ in grouped])
    fields = []
    for (well, site), entries in grouped.items():
        row, column = parse_well(well) if known else places[well]
        planes, faults = _planes(entries, channels, per_site)
        fields.append(Field(row, column, well, site, planes, faults, known=known))
    return fields, known


def _planes(
    entries: list[tuple[Path, Parsed]], channels: list[Channel], per_site: bool
) -> tuple[dict[str, tuple[Plane, ...]], dict[str, str]]:
    if per_site:
        paths = [path for path, _ in entries]
        together: dict[str, tuple[Plane, ...]] = {
            c.name: (_inside(paths[0], c.number, len(channels)),) for c in channels
        }
        files = " and ".join(p.name for p in paths)
        fault = f"there is more than one file for this site: {files}; remove all but one"
        return together, {c.name: fault for c in channels} if len(paths) > 1 else {}
    stacks: dict[str, dict[int, list[Plane]]] = defaultdict(lambda: defaultdict(list))
    for path, found in entries:
        stacks[found.channel][found.plane].append(plane_of(path))
    return stacked_by_channel(stacks)


def _inside(path: Path, channel: int | None, channels: int) -> Plane:
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return PicturePlane(path)
    return TiffPlane(path, channel, channels)


def _number(name: str) -> int | None:
    digits = name.lstrip("chwCHW")
    return int(digits) if digits.isdecimal() else None


LAYOUT = Layout(
    "tiff-folder",
    detect,
    read,
    Strength.NAMES,
    reads_patterns=True,
)
