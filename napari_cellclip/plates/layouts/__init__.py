"""Layouts of plates on disk, one file each, in the order in which a path is tried.

To add a layout: write ``layouts/NAME.py`` with two functions ``detect`` and ``read`` and, at its end, a
``LAYOUT = Layout(...)`` that names them (the interface is described in
:mod:`napari_cellclip.plates.layouts.layout`, ``gen5.py`` is a short example), and add ``NAME.LAYOUT`` to the
list below. The earlier of two layouts goes first where files speak for both equally strongly. Then give it a
row in the table of ``docs/formats.md`` and a test on a made folder in ``tests/plates/layouts/``.
"""

from __future__ import annotations

from napari_cellclip.plates.layouts import gen5, load_data, npz, ome_zarr, phenix, tiff_folder, zarr_table
from napari_cellclip.plates.layouts.layout import Layout

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        ome_zarr.LAYOUT,
        zarr_table.LAYOUT,
        phenix.LAYOUT,
        load_data.LAYOUT,
        gen5.LAYOUT,
        npz.LAYOUT,
        tiff_folder.LAYOUT,
    )
}
"""Layouts by name."""

__all__ = ["LAYOUTS"]
