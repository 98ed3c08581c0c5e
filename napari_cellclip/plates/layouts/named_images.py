"""Gather images that name well, site, channel, focal plane and time point into the fields of a plate."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.plates.acquisition import Field, Problem, clean_name, plate_name
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.stacks import plane_of, stacked_by_channel
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.layouts.files import files_under, first_files, is_tiff, refused_links
from napari_cellclip.vocabulary import CellClipError, PlateError, normalise_well, parse_well

LOOKED_AT = 2000
"""Files whose names are looked at before a folder is given up: a drop must be answered at once."""


def most_are_named_so(folder: Path, *forms: re.Pattern[str]) -> bool:
    """Tell whether at least half of the first TIFF images below a folder have names of one of the forms."""
    names = [path.rpartition("/")[2] for path in first_files(folder, LOOKED_AT)[0]]
    names = [file for file in names if is_tiff(file)]
    fit = sum(any(form.fullmatch(file) for form in forms) for file in names)
    return bool(fit) and fit * 2 >= len(names)


@dataclass(frozen=True, slots=True)
class NamedImage:
    """One file of one plane and what its name says.

    Attributes
    ----------
    file : Path
        The file.
    well : str
        In this package's spelling, ``"B03"``.
    site : int or str
        Number of the site in its well.
    channel : str
        Name of the channel, unique within the plate.
    plane : int
        Number of the focal plane.
    time : int
        Number of the time point.
    page, pages : int or None
        Which channel of how many the plane is in its file, ``None`` for a file of one channel.
    known : bool
        Whether ``well`` is a well of the plate, and not a name of its own.
    """

    file: Path
    well: str
    site: int | str
    channel: str
    plane: int = 0
    time: int = 1
    page: int | None = None
    pages: int | None = None
    known: bool = True


def files_of(root: Path) -> tuple[list[Path], list[Problem]]:
    """List the files under a folder, with a remark for every link that leads out of it."""
    files, refused = files_under(root)
    return files, refused_links(refused)


def named_wells(
    files: Iterable[Path], *forms: re.Pattern[str], well: str = "{well}"
) -> tuple[list[tuple[Path, str, re.Match[str]]], list[Path]]:
    """Read the wells that names of files speak of.

    Parameters
    ----------
    files : iterable of Path
        The files.
    *forms : re.Pattern
        What a name may be, whole; the first form that fits counts.
    well : str
        How the groups of a form make a well, such as ``"{row}{column}"``.

    Returns
    -------
    named : list of (Path, str, re.Match)
        File, well in this package's spelling, and the match.
    strange : list of Path
        Files whose name is another, or speaks of a well that no plate has.
    """
    named, strange = [], []
    for file in files:
        match = next((found for form in forms if (found := form.fullmatch(file.name))), None)
        try:
            if match is None:
                strange.append(file)
            else:
                named.append((file, normalise_well(well.format(**match.groupdict())), match))
        except CellClipError:
            strange.append(file)
    return named, strange


def unread_names(strange: Sequence[Path], whose: str) -> list[Problem]:
    """Tell which images are left out because they are not named as ``whose`` images are."""
    if not strange:
        return []
    some = ", ".join(f.name for f in strange[:3]) + (", …" if len(strange) > 3 else "")
    what = f"{len(strange)} images are not named as {whose} names them and are left out: {some}"
    return [Problem("file names", what)]


def of_one_plate(images: list[NamedImage], root: Path, wanted: str | None) -> tuple[list[NamedImage], str]:
    """Choose a plate where folders hold the same wells, and name it.

    Raises
    ------
    PlateError
        If the same plane lies in several folders, as that of several plates does, and none is chosen.
    """
    name = clean_name(wanted) if wanted else plate_name(root)
    if wanted:
        chosen = [i for i in images if wanted in i.file.relative_to(root).parts[:-1]]
        images = chosen or images
    folders: dict[tuple[str, int | str, str, int, int], set[Path]] = defaultdict(set)
    for i in images:
        folders[i.well, i.site, i.channel, i.plane, i.time].add(i.file.parent)
    if several := next((found for found in folders.values() if len(found) > 1), None):
        listed = ", ".join(sorted(str(f.relative_to(root)) for f in several)[:8])
        raise PlateError(
            f"{root} holds {len(several)} plates ({listed}): open one of them, or choose one with name="
        )
    return images, name


def of_one_time(images: list[NamedImage], time: int | None) -> tuple[list[NamedImage], list[Problem]]:
    """Choose a time point, the first unless one is given, and tell what is left out.

    Raises
    ------
    PlateError
        If there are no images of the time point that is given.
    """
    times = sorted({i.time for i in images})
    chosen = chosen_time(times, time)
    if len(times) < 2:
        return images, []
    left = sum(i.time != chosen for i in images)
    return [i for i in images if i.time == chosen], [time_remark(chosen, times, left)]


def chosen_time(times: Sequence[int], time: int | None) -> int | None:
    """Return the time point to open: the one asked for, else the first.

    Raises
    ------
    PlateError
        If there are no images of the time point asked for.
    """
    if time is not None and time not in times:
        listed = ", ".join(map(str, times[:20])) + (", …" if len(times) > 20 else "")
        raise PlateError(f"there are no images of time point {time}: choose one of {listed}")
    return time if time is not None else min(times, default=None)


def time_remark(chosen: int | None, times: Sequence[int], left_out: int) -> Problem:
    """Tell which of several time points is open, and how many images of others are left out."""
    what = (
        f"time point {chosen} of {len(times)} is open ({left_out} images of the others are left out); "
        "choose another with time= (on the command line --time)"
    )
    return Problem("time points", what)


def fields_of(
    images: Iterable[NamedImage],
    promised: Iterable[tuple[str, int | str]] = (),
    positions: Mapping[tuple[str, int | str], tuple[float, float]] | None = None,
    faults: Mapping[tuple[str, int | str], Mapping[str, str]] | None = None,
    places: Mapping[str, tuple[int, int]] | None = None,
) -> list[Field]:
    """Gather the images of each field.

    Parameters
    ----------
    images : iterable of NamedImage
        All of one plate and time point.
    promised : iterable of tuple
        Well and site of fields the instrument says it imaged; listed also where they have no image.
    positions : mapping, optional
        Stage position (y, x) in micrometres by well and site.
    faults : mapping, optional
        Why channels cannot be read, by well and site.
    places : mapping, optional
        Where fields lie whose well is not known, by the name they were given.
    """
    sites: dict[tuple[str, int | str], dict[str, dict[int, list[Plane]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for i in images:
        plane = plane_of(i.file) if i.page is None else TiffPlane(i.file, i.page, i.pages)
        sites[i.well, i.site][i.channel][i.plane].append(plane)
    for key in (*promised, *(faults or {})):
        sites.setdefault(key, defaultdict(lambda: defaultdict(list)))
    fields = []
    for (well, site), stacks in sites.items():
        planes: dict[str, tuple[Plane, ...]]
        planes, doubled = stacked_by_channel(stacks)
        told = {**(faults or {}).get((well, site), {}), **doubled}
        position = (positions or {}).get((well, site))
        place = (places or {}).get(well)
        row, column = place or parse_well(well)
        known = place is None
        fields.append(Field(row, column, well, site, planes, told, known=known, position=position))
    return fields
