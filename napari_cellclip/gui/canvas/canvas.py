"""The canvas: fields of the well that is shown, and the map of thumbnails with its ``wells`` points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_cellclip.gui.canvas.canvas_bar import CanvasBar
from napari_cellclip.gui.canvas.canvas_keys import CanvasKeys
from napari_cellclip.gui.canvas.captions import caption_of, channels_caption, unreadable_caption
from napari_cellclip.gui.canvas.display_contrast import DisplayContrast
from napari_cellclip.gui.canvas.field_layers import DrawnField, FieldLayers
from napari_cellclip.gui.canvas.field_reading import ReadFields, read_fields
from napari_cellclip.gui.canvas.fit import FittedView
from napari_cellclip.gui.canvas.heat_layer import HeatLayer
from napari_cellclip.gui.canvas.map_picture import MapPicture
from napari_cellclip.gui.canvas.matched_wells import wells_beside
from napari_cellclip.gui.canvas.unmapped_channels import ReadChannels, draw_channels, read_channels
from napari_cellclip.gui.state.canvas_view import CanvasState
from napari_cellclip.gui.state.requests import MapPictureRequest, Request, VersusRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_cellclip.plates import Plate, Site
    from napari_cellclip.vocabulary import Stain

NO_CONTROL = "Plate {plate} has no imaged negative control to stand beside {well}: load its plate map first."


A_FRAME = 50
"""Milliseconds in which something is painted before what comes next."""


class Canvas:
    """Shows on a viewer what its session says is shown.

    Picture and label belong together: both change when the pixels arrive, and not before.

    Parameters
    ----------
    jobs : Jobs
        Reads fields in threads; its session says which site is shown.
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly: sessions and canvases die with their viewer.
    """

    drawn = Signal()
    """Other fields are on the canvas, or none."""

    def __init__(self, jobs: Jobs, viewer: Any) -> None:
        self.session, self._jobs = jobs.session, jobs
        self._viewer = ref(viewer)
        self.view = jobs.session.canvas
        self.fields = FieldLayers(viewer, self.view)
        self._contrast = DisplayContrast()
        self._drawn: tuple[Plate, ReadFields | ReadChannels] | None = None
        self._unreadable: str | None = None
        self._keys = CanvasKeys(self.session, self.view)
        self._grid: dict[str, Any] | None = None
        self._barred = False
        self._rest: QTimer | None = None
        self._unseen: QTimer | None = None
        self.camera = FittedView(viewer)
        self.map = MapPicture(jobs, viewer, self.camera)
        self.heat = HeatLayer(jobs.session, viewer)
        self.handlers: dict[type[Request], Callable[[Jobs, Any], None]] = {
            MapPictureRequest: self.on_map_requested,
            VersusRequest: self.on_versus_requested,
        }
        self.session.shown_changed.connect(self.on_shown)
        self.session.plate_changed.connect(self.on_plate_changed)
        self.session.screen_changed.connect(self.on_screen_changed)
        self.session.wells_changed.connect(self.write_labels)
        self.view.changed.connect(self.on_view_changed)

    @property
    def viewer(self) -> Any:
        """The viewer, or ``None`` once it is gone."""
        return self._viewer()

    def layer(self, stain: Stain) -> Image | None:
        """Our layer of a stain of the well that is shown, whatever the user calls it now."""
        return self.fields.of().get(stain)

    # ------------------------------------------------------------------ what is asked of it

    def on_shown(self, site_id: str | None) -> None:
        """Read a site in a thread and draw it; a site asked for meanwhile takes its place."""
        plate = self.session.plate
        if plate is None or self.viewer is None or site_id is None:
            return
        site, screen, state = plate.site(site_id), self.session.screen, self.view.state
        beside = self._beside(site) if state.arranged == "versus" and plate.stains.channels else []
        self._jobs.cancel(Task.MAP_PICTURE)

        def read() -> ReadFields | ReadChannels:
            if not plate.stains.channels:
                return read_channels(plate, site)
            return read_fields(plate, site, beside, state.arranged == "mosaic", self._contrast, screen)

        def done(read: ReadFields | ReadChannels) -> None:
            if self.session.plate is plate:
                self._drawn, self._unreadable = (plate, read), None
                self._draw()

        def failed(message: str) -> None:
            if self.session.plate is plate:
                self._blacken(site)
            self.session.message.emit(Task.FIELD, message)

        self._jobs.run(Task.FIELD, read, done, f"Reading {site.well}", failed)

    def on_view_changed(self, before: CanvasState, now: CanvasState) -> None:
        """Follow the bar and the keys: what is in memory is drawn at once, the rest is read."""
        if (before.arranged, before.beside, before.count) != (now.arranged, now.beside, now.count):
            self.on_shown(self.session.shown)
            return
        if before.contrast != now.contrast:
            self._draw()
        self.fields.follow_view()

    def on_versus_requested(self, _jobs: Jobs, request: VersusRequest) -> None:
        """Draw wells beside each other: those named, or the first of them and its matched control."""
        first, *others = request.wells
        if self.session.shown_well != first:
            self.view.look(arranged="field")  # so that only one thing is read
            self.session.show(first)
        self.view.look(arranged="versus", beside=tuple(others), count=4 if len(others) > 1 else 2)

    def on_map_requested(self, _jobs: Jobs, request: MapPictureRequest) -> None:
        """Lay the map, or the plate, on the canvas and put the fields away."""
        if self.viewer is not None:
            self._jobs.cancel(Task.FIELD)
            self.map.show(request.places, then=self._put_fields_away)

    def on_plate_changed(self) -> None:
        """Clear the canvas if another plate, or the same one with other stains, is open now."""
        drawn = self._drawn[0] if self._drawn is not None else None
        if drawn is not None and drawn is self.session.plate:
            self.write_labels()
            return
        self._jobs.cancel(Task.FIELD)
        self._contrast.forget()
        self.clear()
        if self.session.plate is not None and self.session.plate.stains.channels:
            self._dock_bar()  # while the first field is being read: then the canvas has its size

    def on_screen_changed(self) -> None:
        """Clear the canvas of a plate that is not open any more."""
        if self._drawn is not None and self._drawn[0] is not self.session.plate:
            self._jobs.cancel(Task.FIELD)
            self.clear()

    def clear(self) -> None:
        """Take fields and label off the canvas."""
        self._drawn = self._unreadable = None
        if self.viewer is not None:
            self._grid_off()
            self.fields.remove()
            self.viewer.canvas.overlays.text.visible = False
            self.viewer.canvas.overlays.scale_bar.visible = False
        self.drawn.emit()

    # ------------------------------------------------------------------ drawing

    def _draw(self) -> None:
        viewer = self.viewer
        if viewer is None or self._drawn is None:
            return
        plate, read = self._drawn
        if isinstance(read, ReadChannels):
            self._draw_channels(plate, read)
            return
        if read.panels[0].site.well_id != self.session.shown_well:
            return
        versus = len(read.panels) > 1
        hidden_by_map = self.map.hide()
        own = self.view.state.contrast == "well"
        contrast = read.own_contrast if own else read.plate_contrast
        first = read.panels[0].site
        key = first.id if own else f"{plate.name}|{first.source}"
        drawn = [
            DrawnField(
                plate.name,
                panel.site.id,
                read.stains,
                panel.pixels,
                plate.pixel_size * panel.step if plate.pixel_size else None,
                contrast,
                key,
            )
            for panel in read.panels
        ]
        if not versus:
            self._grid_off()
        shapes = {layer.data.shape for layer in self.fields.there().values()}
        fresh = self.fields.draw(drawn, self._keys.bind)
        self.write_labels()
        if versus:
            self._grid_on(self.fields.arrange(len(drawn)), (1, 2) if len(drawn) == 2 else (2, 2))
        elif self.heat.layer is not None:
            self.heat.layer.visible = self.view.state.arranged == "field"
        if fresh or hidden_by_map or shapes != {field.pixels.shape[1:] for field in drawn}:
            self.camera.fit(list(self.fields.there().values()))
        self._keys.bind(viewer)
        self._dock_bar()
        self.drawn.emit()
        if self._rest is not None and isalive(self._rest):
            self._rest.start(A_FRAME)
        else:  # no window, or its bar is closed
            self.fields.complete()

    def _draw_channels(self, plate: Plate, read: ReadChannels) -> None:
        """Draw the channels of a plate without stains beside each other."""
        viewer = self.viewer
        if read.site.well_id != self.session.shown_well:
            return
        self.map.hide()
        layers = draw_channels(viewer, plate, read)
        across = int(np.sqrt(len(layers)))  # the canvas beside the Explorer is higher than wide
        self._grid_on(1, (-(-len(layers) // across), across))
        self.write_labels()
        self.camera.fit(layers)
        self._keys.bind(viewer)
        self.drawn.emit()

    def _dock_bar(self) -> None:
        """Put the bar above the canvas with the first plate; a bar that is closed stays closed."""
        window = getattr(self.viewer, "window", None)
        if window is not None and not self._barred:
            self._barred = True
            bar = CanvasBar(self.session, self.view, self.fields, self.drawn)
            dock = window.add_dock_widget(bar, name="Canvas", area="top", add_vertical_stretch=False)
            dock.setTitleBarWidget(QWidget(dock))  # napari's is taller than the bar; see the Window menu
            dock.setFixedHeight(bar.sizeHint().height() + 6)
            self._rest, self._unseen = QTimer(dock), QTimer(dock)  # they end with the window
            for timer, slot in ((self._rest, self.fields.complete), (self._unseen, self._end_unseen)):
                timer.setSingleShot(True)
                timer.timeout.connect(slot)
            self._draw_label_unseen(self._unseen)

    def _grid_on(self, stride: int, shape: tuple[int, int]) -> None:
        """Draw so many layers at a time in a view each, rows by columns; napari links their cameras."""
        viewer = self.viewer
        if self.heat.layer is not None:
            self.heat.layer.visible = False
        grid = viewer.canvas.grid
        if self._grid is None:
            self._grid = {name: getattr(grid, name) for name in ("stride", "shape", "spacing", "enabled")}
        grid.stride, grid.shape, grid.spacing = -stride, shape, 2
        grid.enabled = True

    def _grid_off(self) -> None:
        if self._grid is not None:
            grid = self.viewer.canvas.grid
            grid.enabled = self._grid.pop("enabled")
            for name, value in self._grid.items():
                setattr(grid, name, value)
            self._grid = None

    def _blacken(self, site: Site) -> None:
        """Leave no picture of another field under the name of one that cannot be read."""
        self._drawn, self._unreadable = None, site.id
        if self.viewer is not None:
            self._grid_off()
            self.map.hide()
            self.fields.blacken()
            self.write_labels()

    def _put_fields_away(self) -> None:
        self._grid_off()
        self.fields.put_away()
        if self.heat.layer is not None:
            self.heat.layer.visible = False
        self.viewer.canvas.overlays.text.visible = False
        self.viewer.canvas.overlays.scale_bar.visible = False  # distances on a map are not micrometres

    def _beside(self, site: Site) -> list[str]:
        state = self.view.state
        wells = wells_beside(self.session.wells, site.well_id, state.beside, state.count)[1:]
        if not wells:
            text = NO_CONTROL.format(plate=site.id.split("/")[0], well=site.well)
            self.session.message.emit(Task.FIELD, text)
        return wells

    # ------------------------------------------------------------------ labels

    def _draw_label_unseen(self, end: QTimer) -> None:
        """Have the letters of the first label made while its field is being read: each takes napari 5 ms."""
        plate, label = self.session.plate, self.viewer.canvas.overlays.text
        if plate is not None and plate.wells and not label.visible:
            label.text, label.opacity = f"{plate.wells[0].name} · site 1\n{plate.name}", 0
            label.visible = True
            end.start(A_FRAME)

    def _end_unseen(self) -> None:
        """Leave the label as it was before its letters were made."""
        label = self.viewer.canvas.overlays.text if self.viewer is not None else None
        if label is not None and label.opacity == 0:
            label.visible, label.opacity = False, 1

    def write_labels(self) -> None:
        """Write plate, well, site, treatment and score of what is drawn now."""
        viewer = self.viewer
        if viewer is None or (self._drawn is None and self._unreadable is None):
            return
        if self.map.seen:
            return
        self._end_unseen()
        text, bar = viewer.canvas.overlays.text, viewer.canvas.overlays.scale_bar
        captions: list[str] = []
        if self._unreadable is not None:
            text.text = unreadable_caption(self._unreadable)
        elif self._drawn is not None and isinstance(self._drawn[1], ReadChannels):
            text.text = channels_caption(self._drawn[1])
        elif self._drawn is not None:
            captions = [caption_of(panel, self.session.wells) for panel in self._drawn[1].panels]
            text.text = "" if len(captions) > 1 else captions[0]
        self.fields.caption(dict(enumerate(captions)) if len(captions) > 1 else {})
        text.font_size, text.position = 10, "top_left"
        text.visible = bool(text.text)
        bar.visible = self.session.plate is not None and self.session.plate.pixel_size is not None
