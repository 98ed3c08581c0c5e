"""napari readers of plates: a folder, a load_data.csv, a ``.zarr`` plate.

The first site is drawn with one layer per stain, and the plate is handed to the session of the viewer, so
that an Explorer shows all its wells.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.types import LayerData

LOOKED_AT = 200
"""Directory entries looked at before a folder is given up: a reader must decide at once."""

_PHENIX = re.compile(r"r\d+c\d+f\d+p\d+-ch\d+.*\.tiff?$", re.IGNORECASE)
_INDEX = {"index.idx.xml", "index.xml", "load_data.csv", "load_data.csv.gz", "simulated.json"}


def _looks_like_plate(path: Path) -> bool:
    if path.is_file():
        return "load_data" in path.name.lower() and path.name.lower().endswith((".csv", ".csv.gz"))
    if not path.is_dir():
        return False
    if path.suffix.lower() == ".zarr":
        metadata = [path / name for name in (".zattrs", "zarr.json")]
        return any(f.is_file() and '"plate"' in f.read_text(errors="replace")[:1_000_000] for f in metadata)
    for folder in (path, path / "Images"):
        if folder.is_dir():
            names = [entry.name for entry in islice(folder.iterdir(), LOOKED_AT)]
            if any(n.lower() in _INDEX or _PHENIX.match(n) for n in names):
                return True
    return False


def get_plate_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Say whether a path looks like a plate; quick, and never raises.

    Parameters
    ----------
    path : str or list of str
        What the user opened; a stack of paths is left to other readers.

    Returns
    -------
    callable or None
    """
    if not isinstance(path, str):
        return None
    try:
        return read_plate if _looks_like_plate(Path(path)) else None
    except OSError:
        return None


def read_plate(path: str) -> list[LayerData]:
    """Open a plate and return its first readable site as five image layers, named by stain.

    Returns
    -------
    list of layer data
        ``[(None,)]`` if the plate opens but holds no site that can be drawn: the Explorer says why.

    Raises
    ------
    CellClipError
        If it is no plate after all; napari shows the sentence.
    """
    from napari import current_viewer

    from napari_cellclip.gui.controller import controller_of, open_any
    from napari_cellclip.gui.layers import layer_arguments, measure_contrast

    opened = open_any(Path(path), None)
    plate = opened.plate
    assert plate is not None
    viewer = current_viewer()
    if viewer is not None:
        controller_of(viewer).session.set_plate(plate, opened.platemap)
    site = next((s for s in plate.sites if s.problem is None and s.stains), None)
    if site is None:
        return [(None,)]
    contrast = measure_contrast(plate, sites=2)
    layers: list[Any] = []
    for stain, image in zip(site.stains, site.read(site.stains), strict=True):
        layers.append((image, layer_arguments(plate, site, stain, contrast), "image"))
    return layers
