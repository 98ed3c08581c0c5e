"""Write a plate as OME-Zarr (HCS, version 0.5)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary import STAINS, parse_well, row_letters

VERSION = "0.5"


def write_site(folder: Path, well: str, site: int, pixels: NDArray[np.uint16], pixel_size: float) -> None:
    """Write one field, full resolution and one half of it: ``folder/B/3/0``."""
    import zarr  # takes a second, and most plates are written as TIFF

    row, column = parse_well(well)
    group = zarr.open_group(
        str(folder / row_letters(row) / str(column + 1) / str(site - 1)), mode="w", zarr_format=3
    )
    half = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    half = half.reshape(len(STAINS), half.shape[1] // 2, 2, half.shape[2] // 2, 2).mean((2, 4))
    datasets = []
    for level, image in enumerate((pixels, np.rint(half).astype(np.uint16))):
        array = group.create_array(
            str(level), shape=image.shape, chunks=(1, *image.shape[1:]), dtype=image.dtype
        )
        array[...] = image
        scale = [1.0, pixel_size * 2**level, pixel_size * 2**level]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    channels = [{"label": str(stain), "color": stain.colour[1:], "active": True} for stain in STAINS]
    metadata: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [{"name": f"{well} {site}", "axes": axes, "datasets": datasets}],
        "omero": {"channels": channels},
    }
    group.attrs["ome"] = metadata


def write_index(folder: Path, name: str, shape: tuple[int, int], wells: Iterable[str], sites: int) -> None:
    """Write the plate's and the wells' metadata."""
    import zarr  # as above

    places = [parse_well(well) for well in wells]
    plate = zarr.open_group(str(folder), mode="a", zarr_format=3)
    plate.attrs["ome"] = {
        "version": VERSION,
        "plate": {
            "name": name,
            "columns": [{"name": str(column + 1)} for column in range(shape[1])],
            "rows": [{"name": row_letters(row)} for row in range(shape[0])],
            "wells": [
                {"path": f"{row_letters(row)}/{column + 1}", "rowIndex": row, "columnIndex": column}
                for row, column in places
            ],
            "field_count": sites,
        },
    }
    for row, column in places:
        well = zarr.open_group(str(folder / row_letters(row) / str(column + 1)), mode="a", zarr_format=3)
        images = [{"path": str(site)} for site in range(sites)]
        well.attrs["ome"] = {"version": VERSION, "well": {"images": images}}
