"""One reader per acquisition layout, in the order in which a folder is tried."""

from __future__ import annotations

from napari_cellclip.plates.layouts import load_data, npz, ome_zarr, phenix, tiff_folder, zarr_table

# An instrument's own index says most; a bare pattern of file names says least.
LAYOUTS = {
    "ome-zarr": ome_zarr,
    "zarr-table": zarr_table,
    "phenix": phenix,
    "load_data": load_data,
    "npz": npz,
    "tiff-folder": tiff_folder,
}

__all__ = ["LAYOUTS"]
