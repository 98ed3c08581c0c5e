"""Layouts of plates on disk, one file each, in the order in which a path is tried.

To add a layout: write ``NAME.py`` here, in ``microscopes/`` or in ``published/``, with two functions
``detect`` and ``read`` and, at its end, a ``LAYOUT = Layout(...)`` that names them (the interface is in
:mod:`napari_cellclip.plates.layouts.layout`, ``microscopes/incucyte.py`` is a short example, and
``named_images.py`` has what layouts of named files share), and add ``NAME.LAYOUT`` to the list below. The
earlier of two layouts goes first where files speak for both equally strongly. Then give it a row in the table
of ``docs/formats.md`` and a test on a made folder in ``tests/plates/layouts/``.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from napari_cellclip.plates.layouts import load_data, ome_zarr, tiff_folder, zarr_table
from napari_cellclip.plates.layouts.layout import Layout
from napari_cellclip.plates.layouts.microscopes import gen5, incell, incucyte, metaxpress, phenix, yokogawa
from napari_cellclip.plates.layouts.published import bray, jump_lite, npz, rxrx

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        ome_zarr.LAYOUT,
        zarr_table.LAYOUT,
        jump_lite.LAYOUT,
        phenix.LAYOUT,
        yokogawa.LAYOUT,
        incell.LAYOUT,
        bray.LAYOUT,
        metaxpress.LAYOUT,
        load_data.LAYOUT,
        gen5.LAYOUT,
        incucyte.LAYOUT,
        npz.LAYOUT,
        rxrx.LAYOUT,
        tiff_folder.LAYOUT,
    )
}
"""Layouts by name."""


def opens_as_plate(name: str) -> bool:
    """Tell whether a file of that name is one by which a plate is opened, and not a plate map.

    Examples
    --------
    >>> opens_as_plate("load_data_with_illum.csv"), opens_as_plate("platemap.csv")
    (True, False)
    """
    lower = name.lower()
    return any(fnmatchcase(lower, pattern) for layout in LAYOUTS.values() for pattern in layout.files)


__all__ = ["LAYOUTS", "opens_as_plate"]
