"""Good plates of many layouts to be damaged, and all that is asked of a plate."""

from __future__ import annotations

import json
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
import zarr

from napari_cellclip.cli.info import describe, facts
from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.inspection import inspect
from napari_cellclip.vocabulary import STAINS, CellClipError
from tests.plates.layouts import (
    test_incell,
    test_load_data,
    test_metaxpress,
    test_npz,
    test_yokogawa,
    test_zarr,
)
from tests.plates.made_plates import PHENIX_CHANNELS, image, phenix_index


def write_ome_zarr(
    root: Path, version: int = 2, shape: tuple[int, ...] = (5, 6, 8), **options: object
) -> Path:
    """Write an OME-Zarr plate of one well and field."""
    attributes = {
        "": {
            "plate": {
                "name": "P1",
                "rows": [{"name": "B"}],
                "columns": [{"name": "3"}],
                "wells": [{"path": "B/3"}],
            }
        },
        "B/3": {"well": {"images": [{"path": "0"}]}},
        "B/3/0": {
            "multiscales": [
                {
                    "axes": [{"name": n, "unit": "micrometer"} for n in "tczyx"[-len(shape) :]]
                    if len(shape) > 3
                    else [{"name": n, "unit": "micrometer"} for n in "cyx"],
                    "datasets": [
                        {
                            "path": "0",
                            "coordinateTransformations": [{"type": "scale", "scale": [1, 0.6, 0.6]}],
                        }
                    ],
                }
            ],
            "omero": {"channels": [{"label": stain.value} for stain in STAINS]},
        },
    }
    for place, found in attributes.items():
        group = root / place
        group.mkdir(parents=True, exist_ok=True)
        if version == 2:
            (group / ".zgroup").write_text('{"zarr_format": 2}')
            (group / ".zattrs").write_text(json.dumps(found))
        else:
            meta = {
                "zarr_format": 3,
                "node_type": "group",
                "attributes": {"ome": {"version": "0.5", **found}},
            }
            (group / "zarr.json").write_text(json.dumps(meta))
    data = np.arange(np.prod(shape), dtype="uint16").reshape(shape)
    defaults = {"chunks": (1,) * (len(shape) - 2) + shape[-2:], "dtype": "uint16"}
    array = zarr.create_array(root / "B/3/0/0", shape=shape, zarr_format=version, **(defaults | options))  # type: ignore[arg-type]
    array[:] = data
    return root


def write_phenix(folder: Path) -> Path:
    """Write a Phenix plate of two wells."""
    images = folder / "Images"
    images.mkdir(parents=True)
    for well in ((1, 1), (2, 3)):
        for channel in PHENIX_CHANNELS:
            name = f"r{well[0]:02d}c{well[1]:02d}f01p01-ch{channel}sk1fk1fl1.tiff"
            tifffile.imwrite(images / name, image(channel))
    (images / "Index.idx.xml").write_text(
        phenix_index([(1, 1), (2, 3)], 1, PHENIX_CHANNELS), encoding="utf-8-sig"
    )
    return folder


def write_load_data(folder: Path) -> Path:
    """Write a load_data table with its images."""
    test_load_data.write_table(folder, test_load_data.ROWS)
    test_load_data.write_images(folder / "images", test_load_data.ROWS)
    return folder


def write_yokogawa(folder: Path) -> Path:
    """Write a measurement of a CellVoyager."""
    keys = [(c, 1, z, ch) for c in (3, 4) for z in (1, 2) for ch in test_yokogawa.LIGHTS]
    root = test_yokogawa.measurement(folder, [test_yokogawa.record(*key) for key in keys])
    for value, key in enumerate(keys):
        tifffile.imwrite(root / test_yokogawa.name(*key), image(100 * value))
    return root


def write_incell(folder: Path) -> Path:
    """Write images and an ``.xdce`` file of an IN Cell."""
    names = [f"{w}(fld 1 wv {pair}).tif" for w in ("A - 1", "H - 12") for pair in list(test_incell.PAIRS)[:3]]
    root = test_incell.write(folder, *names)
    (root / "P.xdce").write_text(test_incell.XDCE)
    return root


def write_metaxpress(folder: Path) -> Path:
    """Write images and an ``.HTD`` file of MetaXpress."""
    names = [f"TimePoint_1/P_{w}_s{s}_w{c}.TIF" for w in ("B02", "B03") for s in (1, 2) for c in (1, 2)]
    root = test_metaxpress.write(folder, *names)
    (root / "P.HTD").write_bytes(test_metaxpress.HTD.encode("latin-1"))
    return root


def write_npz(folder: Path) -> Path:
    """Write archives of Bray 2017 as the published code has them."""
    test_npz.write_bray(folder, "24277-A01-1", "24277-A02-1")
    return folder


def write_table_plate(folder: Path) -> Path:
    """Write a Zarr array with its two tables."""
    return test_zarr.write_table_plate(folder, "idx,Plate,Well,Site\n1,B,A2,3\n0,B,A1,1\n")


def write_ome_tiff(folder: Path) -> Path:
    """Write OME-TIFF files of five channels."""
    folder.mkdir()
    names = {"axes": "CYX", "Channel": {"Name": [stain.value for stain in STAINS]}}
    for well in ("A01", "B02"):
        pixels = np.stack([image(i) for i in range(5)])
        tifffile.imwrite(folder / f"{well}_s1.ome.tif", pixels, metadata=names, ome=True)
    return folder


def write_png(folder: Path) -> Path:
    """Write PNG files of one stain each."""
    folder.mkdir()
    for stain in STAINS:
        (folder / f"A01_s1_{stain}.png").write_bytes(imagecodecs.png_encode(image(5)))
    return folder


PLATES = {
    "ome-zarr 0.4": lambda folder: write_ome_zarr(folder / "P.zarr", 2),
    "ome-zarr 0.5": lambda folder: write_ome_zarr(folder / "P.zarr", 3),
    "phenix": write_phenix,
    "load_data": write_load_data,
    "yokogawa": write_yokogawa,
    "incell": write_incell,
    "metaxpress": write_metaxpress,
    "npz": write_npz,
    "zarr-table": write_table_plate,
    "ome-tiff": write_ome_tiff,
    "png": write_png,
}


def looked_through(folder: Path) -> str:
    """Do everything with a folder that the program does, and say what came of it.

    Raises
    ------
    Exception
        Of any other kind than :class:`CellClipError`: a defect.
    """
    detect_layout(folder)
    try:
        plate = open_plate(folder)
    except CellClipError:
        return "refused"
    describe(plate, inspect(plate))
    json.dumps(facts(plate))
    assert len({site.id for site in plate.sites}) == len(plate.sites)
    plate.fingerprint()
    came = "read"
    for site in plate.sites[:4]:
        try:
            _ = site.shape
            site.read(list(site.stains) or STAINS)
        except CellClipError:
            came = "a site refused"
    return came
