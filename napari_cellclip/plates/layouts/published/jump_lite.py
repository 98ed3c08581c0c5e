"""JUMP-Lite: a Zarr store with one array [5, Y, X] for each site, named ``SOURCE__BATCH__PLATE__WELL__SITE``.

The compact subset of JUMP (cpg0016) that the Cell Painting Gallery keeps below
``cpg0016-jump/source_all/images/2026_jump_lite_v1.0/images_compressed``, in Zstandard (lossless, Zarr 3) and
JPEG XL (lossy, Zarr 2). Its channels are always AGP, DNA, ER, Mito, RNA, which the arrays themselves do not
say. Its embeddings are read by :mod:`napari_cellclip.screen.imports.embedding_tables`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_cellclip.plates.acquisition import (
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    require_fields,
    shape_for,
)
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.images.zarr_metadata import JPEG_XL, zarr_shape
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.vocabulary import CellClipError, PlateError, normalise_well, parse_well

CHANNELS = ("AGP", "DNA", "ER", "Mito", "RNA")
"""Order along the first axis, as the release documents it."""

LOOKED_AT = 200
"""Entries of a folder that are looked at to tell whether it is such a store."""

MAX_SITES = 1_000_000
"""Most arrays of a store; the whole release has 855,519."""


@dataclass(frozen=True, slots=True)
class SiteName:
    """The parts of an array's name."""

    source: str
    batch: str
    plate: str
    well: str
    site: str

    @classmethod
    def parse(cls, name: str) -> SiteName | None:
        """Read a name, ``None`` if it is no such name."""
        parts = name.split("__")
        if len(parts) != 5 or not all(parts):
            return None
        try:
            return cls(parts[0], parts[1], parts[2], normalise_well(parts[3]), parts[4])
        except CellClipError:
            return None


def detect(path: Path, options: Options) -> Match | None:
    """Find a store by the names of the first few arrays in it."""
    if not path.is_dir():
        return None
    for entry, _ in zip(_entries(path), range(LOOKED_AT), strict=False):
        if SiteName.parse(entry) and any(
            (path / entry / mark).is_file() for mark in (".zarray", "zarr.json")
        ):
            return Match(path, Strength.METADATA)
    return None


def read(path: Path, options: Options) -> Acquisition:
    """Read the sites of one plate from the names of the arrays; no pixels are read.

    Parameters
    ----------
    path : Path
        The store.
    options : Options
        ``name`` chooses the plate: its name, or ``SOURCE__BATCH__PLATE`` where two sources use one name.

    Raises
    ------
    PlateError
        If there are several plates and none is chosen.
    """
    found = {entry: name for entry in _entries(path) if (name := SiteName.parse(entry))}
    plates = dict.fromkeys(f"{n.source}__{n.batch}__{n.plate}" for n in found.values())
    fitting = [p for p in plates if options.name in (None, p, p.rpartition("__")[2])]
    if len(fitting) != 1:
        listed = ", ".join(list(fitting or plates)[:8]) + (", …" if len(fitting or plates) > 8 else "")
        raise PlateError(
            f"{path.name} holds {len(plates)} plates: choose one with name= (--plate-name): {listed}"
            if options.name is None or fitting
            else f"{path.name} has no plate {options.name!r}: it has {listed}"
        )
    fields, problems = [], list[Problem]()
    for entry, name in found.items():
        if f"{name.source}__{name.batch}__{name.plate}" != fitting[0]:
            continue
        array = path / entry
        shape = zarr_shape(array)
        planes, faults = {}, {}
        for number, channel in enumerate(CHANNELS):
            if len(shape) == 3 and shape[0] == len(CHANNELS):
                planes[channel] = (ZarrPlane(array, (number,), entry),)
            else:
                faults[channel] = (
                    f"its array has shape {shape} where five channels were expected: copy it again"
                )
        site = int(name.site) if name.site.isdecimal() else name.site.replace("/", "_")
        fields.append(Field(*parse_well(name.well), name.well, site, planes, faults))
    require_fields(fields, path)
    problems += _told(path, next(iter(e for e in found if e.startswith(fitting[0]))))
    return Acquisition(
        name=clean_name(fitting[0].rpartition("__")[2]),
        path=path,
        layout="jump-lite",
        shape=shape_for([(f.row, f.column) for f in fields]),
        channels=tuple(Channel(name, "order of JUMP-Lite", i) for i, name in enumerate(CHANNELS)),
        fields=tuple(fields),
        problems=tuple(problems),
    )


def _entries(path: Path) -> Iterator[str]:
    """Names of the folders in a store, links and hidden ones left out."""
    with os.scandir(path) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_SITES:
                raise PlateError(f"{path} holds more arrays than JUMP-Lite has: open a store of one plate")
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield entry.name


def _told(path: Path, entry: str) -> list[Problem]:
    """Tell where the order of the channels comes from, and that JPEG XL has lost detail."""
    what = f"the arrays do not name their channels: by the release they are taken for {', '.join(CHANNELS)}"
    told = [Problem(path.name, what)]
    try:
        content = json.loads((path / entry / ".zarray").read_text(encoding="utf-8"))
        compressor = content.get("compressor") or {}
        lossy = compressor.get("id") == JPEG_XL and not compressor.get("lossless")
    except (OSError, ValueError, AttributeError, RecursionError):
        lossy = False
    if lossy:
        what = (
            "the images are JPEG XL, which has lost detail: use zstd.zarr or the gallery's TIFFs if you can"
        )
        told.append(Problem(path.name, what))
    return told


LAYOUT = Layout("jump-lite", detect, read)
