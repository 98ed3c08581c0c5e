"""Find the layout that the files at a path speak for, and read the plate in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition, Problem
from napari_cellclip.plates.layouts import LAYOUTS
from napari_cellclip.plates.layouts.files import files_in, folders_in, is_picture, is_tiff, is_zarr
from napari_cellclip.plates.layouts.foreign_formats import foreign_format
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.ome_metadata import why_no_plate
from napari_cellclip.vocabulary import PlateError, PlateMapError

LOOKED_INTO = 50
"""How many folders directly in a folder are looked into in search of plates."""

LEVELS = 3
"""How many levels of folders are looked into in search of plates."""

# What lies beside the images of one plate, whose names alone do not make it another plate.
_BESIDE = frozenset({"load_data", "npz", "tiff-folder"})


def read_plate(path: Path, layout: str | None, options: Options) -> Acquisition:
    """Read the plate at a path, in the layout that is named or that its files speak for most strongly.

    Raises
    ------
    PlateError
        If nothing at ``path`` can be opened as a plate, or plates of several instruments lie below it.
    """
    if layout is not None:
        tried = [LAYOUTS[layout]]
    else:
        tried = [known for known in LAYOUTS.values() if known.reads_patterns or not options.pattern]
    found = find_layout(path, tried, options)
    below: dict[Path, str] = {}
    if layout is None and not options.pattern and _may_lie_below(path, found):
        below = plates_below(path, options)
        named = [folder for folder in below if folder.name == options.name]
        weak = found is None or found[1].strength == Strength.IMAGES
        mixed = len(set(below.values()) - _BESIDE) > 1
        if (weak or mixed) and len(opened := named or list(below)) == 1:
            return read_plate(opened[0], None, replace(options, name=None) if named else options)
        if (weak and below) or mixed:
            raise PlateError(_several(path, below))
    if found is None and layout is not None:
        raise PlateError(f"{path} is not laid out as {layout!r}: leave layout= out to have it found out")
    if found is None:
        raise PlateError(_no_plate(path))
    if found[1].refusal:
        raise PlateError(found[1].refusal)
    try:
        acquisition = found[0].read(found[1].path, options)
    except PlateMapError as error:  # the tables of some layouts are read as plate maps are
        raise PlateError(str(error)) from error
    left = [] if found[0].name in _BESIDE else [f for f, of in below.items() if of == "tiff-folder"]
    what = f"holds images that are not named as a {found[0].name} plate's and are left out: "
    what += "open the folder by itself"
    told = [Problem(folder.relative_to(path).as_posix(), what) for folder in left]
    return replace(acquisition, problems=(*acquisition.problems, *told))


def find_layout(path: Path, layouts: Iterable[Layout], options: Options) -> tuple[Layout, Match] | None:
    """Find the layout that the files speak for most strongly; among equals the first in order."""
    best: tuple[Layout, Match] | None = None
    for layout in layouts:
        if best is not None and layout.strongest <= best[1].strength:
            continue  # a folder can be long, and need not be searched once more
        match = layout.detect(path, options)
        if match is not None and (best is None or match.strength > best[1].strength):
            best = layout, match
    return best


def plates_below(path: Path, options: Options, levels: int = LEVELS) -> dict[Path, str]:
    """Find the folders below a folder that hold plates, each with the name of its layout.

    A folder that holds several plates of one layout counts as one. Quick: no image is opened, and no more
    than `LOOKED_INTO` folders of a level are looked into.
    """
    below: dict[Path, str] = {}
    for folder in folders_in(path)[:LOOKED_INTO]:
        found = find_layout(folder, LAYOUTS.values(), options)
        if found is not None and found[1].strength > Strength.IMAGES:
            below[folder] = found[0].name
        elif levels > 1 and not is_zarr(folder):
            below |= plates_below(folder, options, levels - 1)
    return below


def _may_lie_below(path: Path, found: tuple[Layout, Match] | None) -> bool:
    """Whether plates of several instruments may lie below: in a folder without images or metadata."""
    if not path.is_dir() or is_zarr(path):
        return False
    if found is not None and found[1] == Match(path, Strength.METADATA):  # described here, and not refused
        return False
    return not any(is_tiff(f.name) or is_picture(f.name) for f in files_in(path)[0])


def _several(path: Path, below: dict[Path, str]) -> str:
    shown = [f"{folder.relative_to(path).as_posix()} ({layout})" for folder, layout in below.items()]
    listed = ", ".join(shown[:8]) + (", …" if len(shown) > 8 else "")
    return f"{path} holds plates in {len(below)} folders: {listed}; open one of these folders"


def _no_plate(path: Path) -> str:
    if path.is_dir() and not any(path.iterdir()):
        return f"{path} is empty: check that this is the folder with the images in it"
    if told := why_no_plate(path) or foreign_format(path):
        return told
    return (
        f"{path} holds no plate that can be read: expected TIFF, PNG, JPEG or JPEG 2000 images, an "
        "OME-Zarr plate or a load_data.csv in it; docs/formats.md has the layouts that are read"
    )
