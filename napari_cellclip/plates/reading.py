"""Find the layout that the files at a path speak for, and read the plate in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition
from napari_cellclip.plates.layouts import LAYOUTS
from napari_cellclip.plates.layouts.foreign_formats import foreign_format
from napari_cellclip.plates.layouts.layout import Layout, Match, Options
from napari_cellclip.vocabulary import PlateError, PlateMapError


def read_plate(path: Path, layout: str | None, options: Options) -> Acquisition:
    """Read the plate at a path, in the layout that is named or that its files speak for most strongly.

    Raises
    ------
    PlateError
        If nothing at ``path`` can be opened as a plate.
    """
    if layout is not None:
        tried = [LAYOUTS[layout]]
    else:
        tried = [known for known in LAYOUTS.values() if known.reads_patterns or not options.pattern]
    found = find_layout(path, tried, options)
    if found is None and layout is not None:
        raise PlateError(f"{path} is not laid out as {layout!r}: leave layout= out to have it found out")
    if found is None:
        raise PlateError(_no_plate(path))
    if found[1].refusal:
        raise PlateError(found[1].refusal)
    try:
        return found[0].read(found[1].path, options)
    except PlateMapError as error:  # the tables of some layouts are read as plate maps are
        raise PlateError(str(error)) from error


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


def _no_plate(path: Path) -> str:
    if path.is_dir() and not any(path.iterdir()):
        return f"{path} is empty: check that this is the folder with the images in it"
    if foreign := foreign_format(path):
        return foreign
    return (
        f"{path} holds no plate that can be read: expected TIFF, PNG, JPEG or JPEG 2000 images, an "
        "OME-Zarr plate or a load_data.csv in it; docs/formats.md has the layouts that are read"
    )
