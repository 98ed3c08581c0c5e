"""Tables and metadata that describe a part of a plate, for a folder that holds no more than that."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pandas as pd

from napari_cellclip.plates.acquisition import Acquisition, Channel
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.layouts.files import ZARR_MARKS
from napari_cellclip.plates.remote.lazy_planes import RemotePlane


def image_table(acquisition: Acquisition, root: Path) -> str:
    """Write the ``load_data.csv`` of fields each of whose channels is one page of a TIFF.

    Parameters
    ----------
    acquisition : Acquisition
        The fields and channels.
    root : Path
        Folder that the names are relative to.
    """
    rows = []
    for f in acquisition.fields:
        row: dict[str, str] = {
            "Metadata_Plate": acquisition.name,
            "Metadata_Well": f.well if f.known else "",
            "Metadata_Site": str(f.number),
        }
        if acquisition.pixel_size:
            row["Metadata_ImageResolutionX"] = repr(acquisition.pixel_size * 1e-6)
        for channel in acquisition.channels:
            row |= _described(channel)
            for plane in f.planes.get(channel.name, ()):
                inner = plane.inner if isinstance(plane, RemotePlane) else plane
                assert isinstance(inner, TiffPlane)
                name = inner.path.relative_to(root).as_posix()
                row[f"FileName_{channel.name}"] = name.rpartition("/")[2]
                row[f"PathName_{channel.name}"] = name.rpartition("/")[0]
                if inner.channel is not None:
                    row[f"Frame_{channel.name}"] = str(inner.channel)
        rows.append(row)
    return pd.DataFrame(rows).fillna("").to_csv(index=False)


def _described(channel: Channel) -> dict[str, str]:
    """Columns that tell the number, the dye and the wavelengths of a channel."""
    cells = {
        "ChannelID": channel.number,
        "ChannelName": next(iter(channel.aliases), None) if channel.source == "load_data column" else None,
        "MainExcitationWavelength": channel.excitation,
        "MainEmissionWavelength": channel.emission,
    }
    return {f"Metadata_{kind}_{channel.name}": str(cell) for kind, cell in cells.items() if cell is not None}


def zarr_subset(root: Path, acquisition: Acquisition) -> dict[str, str]:
    """Write the metadata of an OME-Zarr plate that lists no more than these fields.

    Returns
    -------
    dict of str to str
        JSON by relative name, for the metadata that change; the others are as they were.
    """
    wells: dict[Path, set[str]] = defaultdict(set)
    for f in acquisition.fields:
        for planes in f.planes.values():
            for plane in planes:
                inner = plane.inner if isinstance(plane, RemotePlane) else plane
                assert isinstance(inner, ZarrPlane)
                relative = inner.path.relative_to(root)
                wells[Path(*relative.parts[:2])].add(relative.parts[2])
    written = {}
    for folder in (Path(), *wells):
        for mark in ZARR_MARKS:
            path = root / folder / mark
            if not path.is_file():
                continue
            content = json.loads(path.read_text(encoding="utf-8"))
            ome = content if mark == ".zattrs" else (content.get("attributes") or {}).get("ome", {})
            if folder == Path() and "plate" in ome:
                ome["plate"]["wells"] = [
                    w for w in ome["plate"].get("wells", ()) if Path(str(w.get("path", ""))) in wells
                ]
            elif "well" in ome:
                images = ome["well"].get("images", ())
                ome["well"]["images"] = [i for i in images if str(i.get("path", "")) in wells[folder]]
            written[(folder / mark).as_posix()] = json.dumps(content)
    return written
