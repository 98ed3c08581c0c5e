"""Layouts of plates on disk, one file each, in the order in which a path is tried.

To add a layout of which the names of files say everything: write ``named/NAME.py`` with a function that
reads a name and ``LAYOUT = named_layout(...)`` (``named/scanr.py`` is a short example). To add another: write
``NAME.py`` in ``microscopes/`` or in ``published/``, with two functions ``detect`` and ``read`` and, at its
end, a ``LAYOUT = Layout(...)`` that names them (the interface is in
:mod:`napari_cellclip.plates.layouts.layout`). Add ``NAME.LAYOUT`` to the list below; the earlier of two
layouts goes first where files speak for both equally strongly. Then give it a row in the table of
``docs/formats.md`` and a test in ``tests/plates/layouts/``, with names as the instrument writes them.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from napari_cellclip.plates.layouts import load_data, ome_zarr, tiff_folder, zarr_table
from napari_cellclip.plates.layouts.layout import Layout
from napari_cellclip.plates.layouts.microscopes import gen5, incell, metaxpress, phenix, yokogawa
from napari_cellclip.plates.layouts.named import (
    cellomics,
    columbus,
    cq1,
    evos,
    incucyte,
    leica,
    micromanager,
    nikon,
    scanr,
    zen,
)
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
        evos.LAYOUT,
        cellomics.LAYOUT,
        columbus.LAYOUT,
        cq1.LAYOUT,
        incucyte.LAYOUT,
        leica.LAYOUT,
        micromanager.LAYOUT,
        nikon.LAYOUT,
        scanr.LAYOUT,
        zen.LAYOUT,
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
