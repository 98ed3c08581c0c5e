"""OME-Zarr high-content plates, versions 0.4 (Zarr 2) and 0.5 (Zarr 3).

The metadata are small JSON files and are read as such: opening a plate costs one read per well and image.
Every image's own channels and axes are honoured, as wells of one plate need not be alike.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_cellclip.plates.acquisition import (
    MAX_CHANNELS,
    Acquisition,
    Channel,
    Field,
    Problem,
    clean_name,
    plate_name,
    require_fields,
    shape_for,
    site_number,
)
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.images.zarr_metadata import zarr_shape
from napari_cellclip.plates.layouts.files import ZARR_MARKS, folders_in, inside
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.layouts.ome_metadata import attributes_of, dictionaries
from napari_cellclip.vocabulary import (
    PLATE_SHAPES,
    CellClipError,
    normalise_well,
    parse_well,
    well_name,
)

_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6, "angstrom": 1e-4}


@dataclass(slots=True)
class _Found:
    """What the images of a plate turn out to hold, and the time point that is opened, from 1."""

    time: int
    channels: dict[str, Channel] = field(default_factory=dict)
    sizes: Counter[float] = field(default_factory=Counter)
    depth: int = 1
    times: int = 1
    acquisitions: set[str] = field(default_factory=set)
    derived: Counter[str] = field(default_factory=Counter)

    def told(self) -> list[Problem]:
        """Tell how focal planes and time points are read."""
        remarks = []
        if self.depth > 1:
            what = f"up to {self.depth} focal planes of a channel are combined by maximum projection"
            remarks.append(Problem("focal planes", what))
        if self.times > 1:
            what = f"time point {self.time} of {self.times} is open; choose another with time= (--time)"
            remarks.append(Problem("time points", what))
        if len(self.acquisitions) > 1:
            listed = ", ".join(sorted(self.acquisitions)[:8])
            what = (
                f"sites come from {len(self.acquisitions)} acquisitions ({listed}), and each image is a site"
            )
            remarks.append(Problem("acquisitions", f"{what}: the same place may have been imaged twice"))
        for ending, count in self.derived.items():
            what = f"{count} images _{ending} were computed from another of their well and are left out"
            remarks.append(Problem("images", what))
        return remarks


def detect(path: Path, options: Options) -> Match | None:
    """Find the group of an OME-Zarr plate that ``path`` is, holds or describes."""
    if path.is_file():
        return detect(path.parent, options) if path.name in ZARR_MARKS else None
    if "plate" in attributes_of(path):
        return Match(path, Strength.METADATA)
    inner = [f for f in folders_in(path) if "plate" in attributes_of(f)]
    if options.name and len(inner) > 1:
        inner = [f for f in inner if plate_name(f) == options.name] or inner
    if len(inner) > 1:
        names = ", ".join(f.name for f in inner[:8])
        refusal = f"{path} holds {len(inner)} plates ({names}): open one of them"
        return Match(path, Strength.METADATA, refusal)
    return Match(inner[0], Strength.METADATA) if inner else None


def read(root: Path, options: Options) -> Acquisition:
    """Read wells, fields and channels of an OME-Zarr plate; no pixels are read.

    Parameters
    ----------
    root : Path
        The plate's group.
    options : Options
        ``name`` renames the plate; ``time`` chooses a time point, counted from 1.

    Raises
    ------
    PlateError
        If the plate's metadata list no image that can be used.
    """
    plate = attributes_of(root)["plate"]
    problems: list[Problem] = []
    found = _Found(time=options.time or 1)
    fields: list[Field] = []
    listed: set[tuple[int, int]] = set()
    for entry in dictionaries(plate, "wells"):
        text = str(entry.get("path", ""))
        folder = inside(root, text)
        position = _position(entry, plate)
        if folder is None or position is None:
            problems.append(
                Problem(text or "well", "leads out of the plate's folder or is no well; it is left out")
            )
            continue
        if position in listed:
            problems.append(Problem(text, "the plate lists this well twice; the second is left out"))
            continue
        listed.add(position)
        fields += _well(folder, text, position, found, problems)
    require_fields(fields, root)
    problems += found.told()
    named = str(plate.get("name") or "") or plate_name(root)
    return Acquisition(
        name=clean_name(options.name or named),
        path=root,
        layout="ome-zarr",
        shape=_shape(plate, [(f.row, f.column) for f in fields]),
        channels=tuple(found.channels.values()),
        fields=tuple(fields),
        pixel_size=found.sizes.most_common(1)[0][0] if found.sizes else None,
        problems=tuple(problems),
    )


def _well(
    folder: Path,
    text: str,
    position: tuple[int, int],
    found: _Found,
    problems: list[Problem],
) -> list[Field]:
    name = well_name(*position)
    images = dictionaries(attributes_of(folder).get("well", {}), "images")
    if not images:
        problems.append(
            Problem(name, f"the well's group {text} is missing or lists no images; copy it again")
        )
    fields: list[Field] = []
    for image in images:
        path = str(image.get("path", ""))
        label = f"{text}/{path}"
        group = inside(folder, path)
        if group is None:
            problems.append(Problem(label, "leads out of the plate's folder and was not followed"))
            continue
        if ending := _derived(path, images):
            found.derived[ending] += 1
            continue
        if "acquisition" in image:
            found.acquisitions.add(str(image["acquisition"])[:20])
        number = site_number(path)
        if number in {f.number for f in fields}:
            problems.append(Problem(label, "the well lists this image twice; the second is left out"))
            continue
        planes, fault = _planes(group, label, found)
        if fault:
            problems.append(Problem(label, fault))
        # A field that cannot be read stays listed, so that nobody believes it was never there.
        fields.append(Field(*position, name, number, planes))
    return fields


def _derived(path: str, images: list[dict[str, Any]]) -> str:
    """Name what an image was made by, if it is of another image of its well: 0_illum_corr beside 0."""
    first, _, ending = path.partition("_")
    of_another = ending and not ending.isdecimal() and first.isdecimal()
    return ending if of_another and any(str(i.get("path")) == first for i in images) else ""


def _planes(group: Path, label: str, found: _Found) -> tuple[dict[str, tuple[ZarrPlane, ...]], str]:
    attributes = attributes_of(group)
    scales = dictionaries(attributes, "multiscales")
    datasets = dictionaries(scales[0], "datasets") if scales else []
    array = inside(group, str(datasets[0].get("path", ""))) if datasets else None
    if array is None:
        return {}, "has no multiscales metadata that can be followed; copy the image again"
    named = scales[0].get("axes")
    axes = (
        [str(a.get("name") if isinstance(a, dict) else a).lower() for a in named or []]
        if isinstance(named, list)
        else []
    )
    shape = zarr_shape(array)
    if not shape:
        return {}, f"its array {array.name} is missing or damaged; copy the image again"
    axes = axes or ["t", "c", "z", "y", "x"][-len(shape) :]
    if len(axes) != len(shape) or axes[-2:] != ["y", "x"]:
        return {}, f"its axes {axes} do not fit an array of shape {shape}"
    if size := _pixel_size(scales[0], datasets[0]):
        found.sizes[size] += 1
    extent = dict(zip(axes, shape, strict=True))
    if len(extent) < len(axes) or 0 in shape or extent.get("c", 1) > MAX_CHANNELS:
        return {}, f"its array claims the shape {shape} along {axes}: its metadata are damaged"
    if found.time > extent.get("t", 1):
        return {}, f"it has no time point {found.time}, only {extent.get('t', 1)}"
    found.depth = max(found.depth, extent.get("z", 1))
    found.times = max(found.times, extent.get("t", 1))
    planes: dict[str, tuple[ZarrPlane, ...]] = {}
    for number, channel in enumerate(_channels(attributes, extent.get("c", 1))):
        found.channels.setdefault(channel.name, channel)
        index = tuple({"c": number, "t": found.time - 1}.get(axis) for axis in axes[:-2])
        planes[channel.name] = (ZarrPlane(array, index, label),)
    return planes, ""


def _channels(attributes: dict[str, Any], count: int) -> list[Channel]:
    described = dictionaries(attributes.get("omero") or {}, "channels")
    labels = [str(c.get("label") or c.get("name") or c.get("wavelength_id") or "").strip() for c in described]
    labels = (labels + [""] * count)[:count]
    return [
        Channel(label, "OME-Zarr omero channel label", number)
        if label and labels.count(label) == 1
        else Channel(f"channel {number}" + f" {label}" * bool(label), "OME-Zarr channel index", number)
        for number, label in enumerate(labels)
    ]


def _pixel_size(scale: dict[str, Any], dataset: dict[str, Any]) -> float | None:
    size = 1.0
    found = False
    for transform in [
        *dictionaries(dataset, "coordinateTransformations"),
        *dictionaries(scale, "coordinateTransformations"),
    ]:
        factors = transform.get("scale")
        if transform.get("type") == "scale" and isinstance(factors, list) and factors:
            factor = factors[-1]
            size *= factor if isinstance(factor, int | float) and abs(factor) < 1e9 else math.nan
            found = True
    axes = scale.get("axes")
    unit = axes[-1].get("unit") if isinstance(axes, list) and axes and isinstance(axes[-1], dict) else None
    # A scale without a unit is in pixels; one beyond a nanometre and a metre is of no microscope.
    pixel = size * _MICROMETRES.get(str(unit), math.nan) if found else math.nan
    return round(pixel, 9) if 1e-3 <= pixel <= 1e6 else None


def _position(entry: dict[str, Any], plate: dict[str, Any]) -> tuple[int, int] | None:
    """Well position from the well's path; from row and column index where the path is no well name."""
    try:
        return parse_well(normalise_well(str(entry.get("path", "")).replace("/", "")))
    except CellClipError:
        row, column = entry.get("rowIndex"), entry.get("columnIndex")
        if isinstance(row, int) and isinstance(column, int) and 0 <= row < 32 and 0 <= column < 48:
            return row, column
        return None


def _shape(plate: dict[str, Any], positions: list[tuple[int, int]]) -> tuple[int, int]:
    """Size of the plate: as many rows and columns as it lists where that is a standard plate."""
    listed = len(dictionaries(plate, "rows")), len(dictionaries(plate, "columns"))
    holds_all = all(row < listed[0] and column < listed[1] for row, column in positions)
    return listed if listed in PLATE_SHAPES.values() and holds_all else shape_for(positions)


LAYOUT = Layout("ome-zarr", detect, read)
