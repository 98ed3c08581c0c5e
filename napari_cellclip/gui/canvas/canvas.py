"""The canvas: the five stains of a well, and the map of thumbnails with its ``wells`` points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.utils import Colormap

from napari_cellclip.gui.canvas.heat_layer import HeatLayer
from napari_cellclip.gui.canvas.map_picture import MapPicture
from napari_cellclip.gui.state.requests import MapPictureRequest, Request
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.screen.engines.contrast import Contrast, measure_contrast
from napari_cellclip.vocabulary import STAINS, CellClipError, Stain

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_cellclip.plates import Plate, Site

KEYS = {"Left": ("well", -1), "Right": ("well", 1), "Up": ("site", -1), "Down": ("site", 1)}
MARK = "cellclip"

HEADROOM = 2.0
"""Five stains added at full brightness are white wherever they overlap; at half, their colours stay apart."""


def stain_colormap(stain: Stain) -> Colormap:
    """Black to the stain's colour, for additive blending."""
    rgb = [int(stain.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return Colormap([[0, 0, 0, 1], [*rgb, 1]], name=f"cellclip-{stain.value}")


def layer_arguments(plate: Plate, site: Site, stain: Stain, contrast: Contrast) -> dict[str, Any]:
    """How a stain of a site is drawn: arguments of napari's ``add_image``."""
    pixel = plate.pixel_size
    arguments: dict[str, Any] = {
        "name": stain.value,
        "colormap": stain_colormap(stain),
        "blending": "additive",
        "scale": (pixel, pixel) if pixel else (1, 1),
        "units": ("um", "um") if pixel else ("pixel", "pixel"),
        "metadata": {MARK: {"plate": plate.name, "site": site.id, "stain": stain.value}},
    }
    if stain in contrast:
        low, high = contrast[stain]
        arguments["contrast_limits"] = (low, low + HEADROOM * (high - low))
    return arguments


class Canvas:
    """Shows on a viewer what its session says is shown.

    Parameters
    ----------
    jobs : Jobs
        Reads fields in threads; its session says which site is shown.
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly: sessions and canvases die with their viewer.
    """

    def __init__(self, jobs: Jobs, viewer: Any) -> None:
        self.session, self._jobs = jobs.session, jobs
        self._viewer = ref(viewer)
        self._contrast: dict[str, Contrast] = {}
        self._keys_bound = False
        self.map = MapPicture(jobs, viewer)
        self.heat = HeatLayer(jobs.session, viewer)
        self.handlers: dict[type[Request], Callable[[Jobs, Any], None]] = {
            MapPictureRequest: self.on_map_requested
        }
        self.session.shown_changed.connect(self.on_shown)
        self.session.plate_changed.connect(self.on_plate_changed)

    @property
    def viewer(self) -> Any:
        """The viewer, or ``None`` once it is gone."""
        return self._viewer()

    def layer(self, stain: Stain) -> Image | None:
        """Our layer of a stain, whatever the user calls it now."""
        if self.viewer is None:
            return None
        for layer in self.viewer.layers:
            if layer.metadata.get(MARK, {}).get("stain") == stain.value:
                return layer
        return None

    def on_shown(self, site_id: str) -> None:
        """Read a site in a thread and draw it; a site asked for meanwhile takes its place."""
        plate = self.session.plate
        if plate is None or self.viewer is None:
            return
        site, screen = plate.site(site_id), self.session.screen
        known = self._contrast.get(plate.name)
        self._jobs.cancel(Task.MAP_PICTURE)
        self._label(site)

        def contrast_of_plate() -> Contrast:
            if known is not None:
                return known
            if screen is not None and plate.name in screen.plates:
                return screen.contrast(plate.name)
            return measure_contrast(plate)

        def read() -> tuple[np.ndarray, Contrast]:
            if not site.stains:
                raise CellClipError(
                    f"The stains of plate {plate.name} are not known: assign them under Set-up."
                )
            return site.read(site.stains), contrast_of_plate()

        def done(result: tuple[np.ndarray, Contrast]) -> None:
            pixels, contrast = result
            self._contrast[plate.name] = contrast
            self._draw(plate, site, pixels, contrast)

        self._jobs.run(Task.FIELD, read, done, f"Reading {site.well}")

    def on_plate_changed(self) -> None:
        """Forget the contrast, since the mapping may have changed, and drop a field that is being read."""
        self._jobs.cancel(Task.FIELD)
        self._contrast = {}

    def on_map_requested(self, _jobs: Jobs, _request: MapPictureRequest) -> None:
        """Lay the map on the canvas and put the stains away."""
        if self.viewer is not None:
            self._jobs.cancel(Task.FIELD)
            self.map.show(then=self._put_stains_away)

    def _put_stains_away(self) -> None:
        for stain in STAINS:
            if (layer := self.layer(stain)) is not None:
                layer.visible = False
        if self.heat.layer is not None:
            self.heat.layer.visible = False
        self.viewer.canvas.overlays.text.visible = False
        self.viewer.canvas.overlays.scale_bar.visible = False  # distances on a map are not micrometres

    def _draw(self, plate: Plate, site: Site, pixels: np.ndarray, contrast: Contrast) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        fresh, hidden_by_map = [], self.map.hide()
        for stain, image in zip(site.stains, pixels, strict=True):
            arguments = layer_arguments(plate, site, stain, contrast)
            layer = self.layer(stain)
            if layer is not None and layer.metadata[MARK]["plate"] != plate.name:
                viewer.layers.remove(layer)
                layer = None
            if layer is None:
                fresh.append(viewer.add_image(image, **arguments))
            else:
                layer.data = image
                layer.metadata = arguments["metadata"]
                if hidden_by_map:
                    layer.visible = True
        for stain in STAINS:
            if stain not in site.stains and (layer := self.layer(stain)) is not None:
                viewer.layers.remove(layer)
        if fresh or hidden_by_map:
            viewer.fit_to_view(layers=[x for s in STAINS if (x := self.layer(s)) is not None])
        self._bind_keys()

    def _label(self, site: Site) -> None:
        """Write well, site and treatment into the corner of the canvas."""
        table = self.session.wells
        label = f"{site.well} · site {site.number}"
        if site.well_id in table.index:
            row = table.loc[site.well_id]
            label += f"\n{row['treatment'] or 'no treatment known'}"
            if np.isfinite(row["score"]):
                label += f"\nscore {row['score']:.1f}"
        text = self.viewer.canvas.overlays.text
        text.text = label
        text.font_size = 12
        text.position = "top_left"
        text.visible = True
        scale_bar = self.viewer.canvas.overlays.scale_bar
        scale_bar.visible = self.session.plate is not None and self.session.plate.pixel_size is not None

    def _bind_keys(self) -> None:
        if self._keys_bound:
            return
        session = ref(self.session)
        for key, (what, step) in KEYS.items():

            def move(_viewer: Any, what: str = what, step: int = step) -> None:
                if (alive := session()) is not None:
                    (alive.step_well if what == "well" else alive.step_site)(step)

            move.__doc__ = f"CellCLIP: show the {'next' if step > 0 else 'previous'} {what}."
            self.viewer.bind_key(key, move, overwrite=True)
        self._keys_bound = True
