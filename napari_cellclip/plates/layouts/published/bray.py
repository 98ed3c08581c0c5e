"""Bray 2017 (doi:10.1093/gigascience/giw014): a folder or a zip archive for each stain of a plate.

``24277-ERSyto/`` or ``24277-ERSyto.zip`` holds the images of one stain, named as MetaXpress names them:
``cdp2bioactives_a01_s1_w2GUID.tif``. The stain is taken from the folder, never from the number of the
wavelength. Archives are not unpacked: an image is read from them when it is asked for.
"""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.layouts.files import (
    MAX_FILES,
    files_in,
    files_under,
    folders_in,
    is_tiff,
    refused_links,
)
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.vocabulary import CellClipError, PlateError, normalise_well, parse_well

_STAINS = ("Hoechst", "ERSyto", "ERSytoBleed", "Ph_golgi", "Mito")
_PART = re.compile(rf"(?P<plate>[^/]{{1,100}})-(?P<stain>{'|'.join(_STAINS)})(?:\.zip)?")
_NAME = re.compile(
    r"(?:[^/]{0,200}?_)??(?P<well>[A-Z]{1,2}\d{1,2})_s(?P<site>\d{1,4})(?:_w\d[0-9A-F-]{0,40})?\.tiff?",
    re.IGNORECASE | re.ASCII,
)


def detect(path: Path, options: Options) -> Match | None:
    """Find folders or archives of at least two stains of a plate."""
    if not path.is_dir():
        return None
    plates = _plates(path)
    if not plates and len(below := [f for f in folders_in(path) if _plates(f)]) == 1:
        return detect(below[0], options)
    if options.name in plates:
        return Match(path, Strength.METADATA)
    if len(plates) > 1:
        listed = ", ".join(list(plates)[:8]) + (", …" if len(plates) > 8 else "")
        refusal = f"{path} holds {len(plates)} plates: choose one with name= ({listed})"
        return Match(path, Strength.METADATA, refusal)
    return Match(path, Strength.METADATA) if plates else None


def read(path: Path, options: Options) -> Acquisition:
    """Read the wells and sites of every stain; of archives the list of files is read.

    Parameters
    ----------
    path : Path
        Folder of the folders or archives.
    options : Options
        ``name`` chooses a plate, else it renames the only one.

    Raises
    ------
    PlateError
        If there is no image of a plate.
    """
    plates = _plates(path)
    plate = options.name if options.name in plates else next(iter(plates))
    problems: list[Problem] = []
    sites: dict[tuple[str, int], dict[str, list[Plane]]] = defaultdict(lambda: defaultdict(list))
    strange = 0
    for stain, part in plates[plate].items():
        try:
            for name, plane in _planes_in(part, problems):
                match = _NAME.fullmatch(name)
                try:
                    key = (normalise_well(match["well"]), int(match["site"])) if match else None
                except CellClipError:
                    key = None
                if key is None:
                    strange += 1
                else:
                    sites[key][stain].append(plane)
        except PlateError as error:
            problems.append(Problem(part.name, str(error)))
    if strange:
        problems.append(Problem("file names", f"{strange} images name no well and site and are left out"))
    fields = []
    for (well, site), found in sites.items():
        planes = {stain: (images[0],) for stain, images in found.items()}
        faults = {
            stain: f"there are {len(images)} files of {stain} for this site; remove all but one"
            for stain, images in found.items()
            if len(images) > 1
        }
        fields.append(Field(*parse_well(well), well, site, planes, faults))
    require_fields(fields, path)
    return Acquisition(
        name=clean_name(options.name or plate),
        path=path,
        layout="bray",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(Channel(stain, "folder name") for stain in _STAINS if stain in plates[plate]),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def _plates(folder: Path) -> dict[str, dict[str, Path]]:
    """Folder or archive of each stain, by plate; a folder goes before an archive of the same name."""
    plates: dict[str, dict[str, Path]] = defaultdict(dict)
    archives = [f for f in files_in(folder)[0] if f.suffix == ".zip"]
    for part in (*archives, *folders_in(folder)):
        if match := _PART.fullmatch(part.name):
            plates[match["plate"]][match["stain"]] = part
    return {plate: parts for plate, parts in sorted(plates.items()) if len(parts) > 1}


def _planes_in(part: Path, problems: list[Problem]) -> Iterator[tuple[str, Plane]]:
    """File names and planes of the images in a folder or archive."""
    if part.is_dir():
        files, refused = files_under(part)
        problems += refused_links(refused)
        yield from ((f.name, TiffPlane(f)) for f in files if is_tiff(f.name))
        return
    try:
        with zipfile.ZipFile(part) as packed:
            names = packed.namelist()
    except (OSError, zipfile.BadZipFile, UnicodeError, NotImplementedError) as error:
        raise PlateError(f"is damaged or no zip archive ({error}): copy it again") from None
    if len(names) > MAX_FILES:
        raise PlateError(f"lists more than {MAX_FILES:,} files and is left out")
    for member in names:
        name = PurePosixPath(member).name
        if is_tiff(name):
            yield name, TiffPlane(part, member=member)


LAYOUT = Layout("bray", detect, read)
