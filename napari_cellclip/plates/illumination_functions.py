"""Illumination functions of a plate: those CellProfiler made, or an estimate from the plate's own fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.plates.images.illumination import ROBUST_MINIMUM, Illumination, read_function
from napari_cellclip.plates.layouts.files import files_under
from napari_cellclip.plates.plate import Plate
from napari_cellclip.plates.platemaps.tables import read_columns, read_table
from napari_cellclip.vocabulary import CellClipError, PlateError, Stain
from napari_cellclip.vocabulary.user_folders import from_home

ESTIMATE, LOAD_DATA = "estimate", "load_data"

FIELDS = 128
"""Most fields an estimate is made of, drawn by a seed over the plate."""
FEWEST_FIELDS = 20
"""Below this many, what is estimated is the cells of these fields rather than the lamp."""
GRID = 64
"""Longest side of an estimated function, in blocks of pixels."""
SMOOTH = 1 / 16
"""Width of the Gaussian that smooths an estimate, as a share of the longest side."""


def illumination_of(plate: Plate, source: str | Path, image_root: Path | None = None) -> Illumination | None:
    """Find or estimate the illumination functions of a plate, as a user asks for them.

    Parameters
    ----------
    plate : Plate
        With its stains known.
    source : str or Path
        ``"none"``, ``"estimate"``, ``"load_data"``, or a folder of ``.npy`` files.
    image_root : Path, optional
        Where the ``.npy`` files that a load_data table names are looked for; beside the table if not given.

    Raises
    ------
    PlateError
        If a stain has no function, or fields are too few for an estimate.
    """
    if source == "none":
        return None
    if source == ESTIMATE:
        return estimate_illumination(plate)
    if source == LOAD_DATA:
        return _named_by_load_data(plate, image_root)
    return find_functions(plate, from_home(source))


def find_functions(plate: Plate, folder: Path) -> Illumination:
    """Read the functions of a plate from a folder, by name: ``BR00117035_IllumDNA.npy``.

    A file is that of a stain if its name ends in ``Illum`` and the stain, or its channel's name. Where the
    folder holds those of several plates, the name must begin with that of the plate.

    Raises
    ------
    PlateError
        If a stain has none, or several.
    """
    if not folder.is_dir():
        raise PlateError(f"{folder} is no folder of illumination functions: give a folder of .npy files")
    files = [file for file in files_under(folder)[0] if file.suffix.lower() == ".npy"]
    begins = re.compile(rf"{re.escape(plate.name)}(?![A-Za-z0-9])", re.IGNORECASE)  # P1 is not P10
    own = [file for file in files if begins.match(file.name)] or files
    functions = {}
    for stain, channel in plate.stains.channels.items():
        names = {stain.value.lower(), _plain(channel)}
        found = [file for file in own if _function_of(file.name) in names]
        if len(found) != 1:
            what = f"there are {len(found)}" if found else "there is no file"
            raise PlateError(
                f"{folder}: {what} for {stain} of plate {plate.name}: expected one named like"
                f" {plate.name}_Illum{stain}.npy"
            )
        functions[stain] = read_function(found[0])
    return Illumination(functions, f"functions of {folder.name}")


def estimate_illumination(plate: Plate, *, fields: int = FIELDS, seed: int = 0) -> Illumination:
    """Estimate the illumination of each stain from fields spread over the plate.

    Each field is averaged over blocks and divided by its own median; the median over fields, block by block,
    leaves out cells, which lie somewhere else in each; a Gaussian smooths it, and its robust minimum becomes
    1 (the retrospective correction of Singh et al. 2014, J. Microsc. 256:231, on a coarse grid). The offset
    of a camera is not taken off, so the correction of a dim stain is too weak rather than too strong.

    Parameters
    ----------
    plate : Plate
        Its images as they were acquired; a correction it has already is not applied.
    fields : int
        Most fields to read.
    seed : int
        Of their draw.

    Raises
    ------
    PlateError
        If fewer than :data:`FEWEST_FIELDS` fields can be read.
    """
    raw = plate.with_illumination(None)
    stains = tuple(raw.stains.channels)
    order = np.random.default_rng(seed).permutation(len(raw.sites))
    grids: list[NDArray[np.float32]] = []
    shape: tuple[int, ...] | None = None
    for place in order:
        if len(grids) == fields:
            break
        try:
            pixels = raw.sites[place].read(stains)
        except CellClipError:  # told when the site is encoded
            continue
        shape = shape or pixels.shape
        if pixels.shape == shape:
            grids.append(np.stack([_blocks(image) for image in pixels]))
    if len(grids) < FEWEST_FIELDS:
        raise PlateError(
            f"plate {plate.name} has {len(grids)} fields of one size that can be read: an estimate of the"
            f" illumination takes at least {FEWEST_FIELDS}; give CellProfiler's functions instead"
        )
    middle = np.median(grids, axis=0)
    functions = {stain: _smoothed(grid) for stain, grid in zip(stains, middle, strict=True)}
    return Illumination(functions, f"estimated from {len(grids)} fields", coarse=True)


def _blocks(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Average over blocks, at most `GRID` along the longer side, relative to their median."""
    size = max(1, -(-max(image.shape) // GRID))
    rows = np.arange(0, image.shape[0], size)
    columns = np.arange(0, image.shape[1], size)
    sums = np.add.reduceat(np.add.reduceat(image, rows, axis=0, dtype=np.float64), columns, axis=1)
    area = np.outer(np.diff([*rows, image.shape[0]]), np.diff([*columns, image.shape[1]]))
    means = sums / area
    return np.asarray(means / max(float(np.median(means)), 1.0), np.float32)


def _smoothed(grid: NDArray[np.floating]) -> NDArray[np.float32]:
    from scipy import ndimage  # half a second of imports that opening a screen does not need

    smooth = ndimage.gaussian_filter(grid.astype(np.float64), SMOOTH * max(grid.shape), mode="nearest")
    low = max(float(np.percentile(smooth, ROBUST_MINIMUM)), 1e-6)
    return np.asarray(np.maximum(smooth, low) / low, np.float32)


def _named_by_load_data(plate: Plate, image_root: Path | None) -> Illumination:
    """Read the functions that the plate's load_data table, or the one with illumination beside it, names."""
    table_path = _table_with_illumination(plate.path)
    if table_path is None:
        raise PlateError(
            f"no load_data table at {plate.path} has columns FileName_Illum…: give the functions' folder"
        )
    table = read_table(table_path)
    if "Metadata_Plate" in table.columns and (table["Metadata_Plate"] == plate.name).any():
        table = table[table["Metadata_Plate"] == plate.name]
    root = image_root or table_path.parent
    by_name: dict[str, list[Path]] = {}
    for file in files_under(root)[0]:
        by_name.setdefault(file.name, []).append(file)
    functions = {}
    for stain, channel in plate.stains.channels.items():
        name = _only_name(table_path, stain, _illumination_columns(list(table.columns)), channel, table)
        found = by_name.get(name, [])
        if len(found) != 1:
            what = "more than one file" if found else "no file"
            raise PlateError(f"{root} holds {what} {name}, the illumination function of {stain}")
        plate.need(found[0])
        functions[stain] = read_function(found[0])
    return Illumination(functions, f"functions named by {table_path.name}")


def _only_name(
    path: Path, stain: Stain, columns: Mapping[str, str], channel: str, table: pd.DataFrame
) -> str:
    column = columns.get(_plain(channel)) or columns.get(stain.value.lower())
    values = set() if column is None else set(table[column])
    names = {PurePosixPath(str(value).replace("\\", "/")).name for value in values} - {""}
    if len(names) != 1:
        raise PlateError(
            f"{path.name} names {len(names)} illumination functions of {stain} for this plate: one is needed"
        )
    return names.pop()


def _table_with_illumination(path: Path) -> Path | None:
    folder = path if path.is_dir() else path.parent
    beside = sorted(file for file in folder.iterdir() if file.name.lower().endswith((".csv", ".csv.gz")))
    for table in dict.fromkeys([*([path] if path.is_file() else []), *beside]):
        if _illumination_columns(read_columns(table)):
            return table
    return None


def _illumination_columns(columns: list[str]) -> dict[str, str]:
    """Column of each channel's function, by the channel's name in plain letters."""
    found = {}
    for column in columns:
        if match := re.fullmatch(r"(?:Image_)?FileName_Illum(?P<channel>.+)", column):
            found[_plain(match["channel"])] = column
    return found


def _plain(channel: str) -> str:
    """Name of a channel as functions are named after it: ``OrigDNA`` is ``dna``."""
    return re.sub(r"^orig", "", channel.lower())


def _function_of(name: str) -> str:
    """Channel whose function a file is, in plain letters: ``BR00117035_IllumDNA.npy`` is that of ``dna``."""
    match = re.search(r"illum_?(?P<channel>[^_]+.*)\.npy$", name.lower())
    return _plain(match["channel"]) if match else ""
