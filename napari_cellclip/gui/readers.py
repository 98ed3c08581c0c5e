"""napari readers of plates: whatever :func:`napari_cellclip.plates.open_plate` opens, but single images.

The first site is drawn with one layer per stain, and the plate is handed to the session of the viewer, so
that an Explorer shows all its wells.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.types import LayerData


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
    from napari_cellclip.plates import detect_layout

    if detect_layout(path) is None or (Path(path) / "screen.json").is_file():
        return None
    return read_plate


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

    from napari_cellclip.gui.canvas.field_layers import DrawnField, layer_arguments
    from napari_cellclip.gui.state.canvas_view import COMPOSITE, chosen_of
    from napari_cellclip.gui.state.requests import OpenRequest
    from napari_cellclip.gui.work.controller import controller_of
    from napari_cellclip.gui.work.opening import plate_at
    from napari_cellclip.screen.engines.contrast import measure_contrast

    opened = plate_at(OpenRequest(Path(path)))
    plate = opened.plate
    assert plate is not None
    viewer = current_viewer()
    if viewer is not None:
        controller_of(viewer).session.set_plate(plate, opened.platemap)
    site = next((s for s in plate.sites if s.problem is None and s.stains), None)
    if site is None:
        return [(None,)]
    pixels = site.read(site.stains)
    contrast = measure_contrast(plate, sites=2, source=site.source)
    key = f"{plate.name}|{site.source}"
    field = DrawnField(plate.name, site.id, site.stains, pixels, plate.pixel_size, contrast, key)
    layers: list[Any] = []
    for stain, image in zip(site.stains, pixels, strict=True):
        visible = stain in chosen_of(COMPOSITE, site.stains)
        layers.append((image, {**layer_arguments(field, stain), "visible": visible}, "image"))
    return layers
