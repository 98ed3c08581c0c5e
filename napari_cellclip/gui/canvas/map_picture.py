"""The map, or a plate, on the canvas: thumbnails at their places, and the ``wells`` points over them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

import numpy as np
import pandas as pd

from napari_cellclip.gui.canvas.fit import FittedView
from napari_cellclip.gui.canvas.map_mosaic import Mosaic, draw_mosaic, lay_out, lay_out_plate
from napari_cellclip.gui.palette import BLACK, RGB, well_colours
from napari_cellclip.gui.state.selection import Mode
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import shape_of
from napari_cellclip.gui.work.jobs import Jobs

if TYPE_CHECKING:
    from napari.layers import Image, Points

    from napari_cellclip.explore import Projection
    from napari_cellclip.gui.state.view import View

MARK = "cellclip"

MODES = {"alt": Mode.SUBTRACT, "shift": Mode.ADD, "control": Mode.INTERSECT}
"""What a click means with a key held, as in every view."""


class MapPicture:
    """Two layers of a viewer: ``map`` (thumbnails) and ``wells`` (points whose features are the well table).

    The selection of the points and of the session follow each other, by id.

    Parameters
    ----------
    jobs : Jobs
        Makes the picture in a thread; its session says what is drawn.
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly.
    camera : FittedView
        Its camera.
    """

    def __init__(self, jobs: Jobs, viewer: Any, camera: FittedView) -> None:
        self.session, self._jobs, self._camera = jobs.session, jobs, camera
        session = jobs.session
        self._viewer = ref(viewer)
        self._echo = False
        self._points: Points | None = None
        self._image: Image | None = None
        self._placed: tuple[list[str], np.ndarray] = ([], np.zeros((0, 2)))
        self._placing = False
        self._drawn: Projection | str | None = None
        """The map that is on the canvas, or the name of the plate."""
        session.selection.changed.connect(self.on_selection)
        session.wells_changed.connect(self.refresh)
        session.maps_changed.connect(self.on_maps_changed)
        session.screen_changed.connect(self.on_screen_changed)
        session.plate_changed.connect(self.on_screen_changed)
        session.view_changed.connect(self.on_view)
        viewer.events.theme.connect(self.on_theme)

    @property
    def points(self) -> Points | None:
        """The ``wells`` layer, if the user has not removed it."""
        viewer = self._viewer()
        if viewer is None or self._points is None or self._points not in viewer.layers:
            return None
        return self._points

    @property
    def image(self) -> Image | None:
        """The thumbnails, if the user has not removed them."""
        viewer = self._viewer()
        if viewer is None or self._image is None or self._image not in viewer.layers:
            return None
        return self._image

    def show(
        self, places: Literal["map", "plate"] = "map", then: Callable[[], object] = lambda: None
    ) -> None:
        """Lay thumbnails and points on the canvas, then call `then`; a sentence if nothing is encoded yet.

        The picture is made in a thread: previews of a whole plate take a second to read.
        """
        viewer, screen = self._viewer(), self.session.screen
        found = self._of_plate() if places == "plate" else self._of_map()
        if viewer is None or screen is None or found is None:
            self.session.message.emit(Task.MAP, "There are no wells to draw yet: encode a plate first.")
            return
        drawn, ids, laid = found
        scores = self.session.wells["score"].reindex(ids).to_numpy(float)
        upwards = np.argsort(np.nan_to_num(scores, nan=-np.inf), kind="stable")  # the best lie on top

        def done(levels: list[Any]) -> None:
            if self.session.screen is screen:
                self._drawn = drawn
                self._draw(levels, ids, laid)
                then()

        self._jobs.run(
            Task.MAP_PICTURE,
            lambda: draw_mosaic(
                screen, [ids[i] for i in upwards], replace(laid, centres=laid.centres[upwards])
            ),
            done,
            "Laying the wells on the canvas",
        )

    def _of_map(self) -> tuple[Projection, list[str], Mosaic] | None:
        """Find the map looked at, its wells and their places."""
        projection = self.session.maps.get(self.session.view.map_method)
        if projection is None:
            return None
        return projection, [str(i) for i in projection.ids], lay_out(np.asarray(projection.xy, float))

    def _of_plate(self) -> tuple[str, list[str], Mosaic] | None:
        """Find the plate looked at, its encoded wells and their places."""
        table, plate = self.session.wells, self.session.plate
        encoded = table[table["encoded"].to_numpy(bool)]
        names = encoded["plate"].unique().tolist()
        if not names:
            return None
        name = self.session.view.plate if self.session.view.plate in names else str(names[0])
        wells = encoded[encoded["plate"] == name]
        shape = shape_of(wells, plate if plate is not None and plate.name == name else None)
        places = lay_out_plate(wells["row"].to_numpy(int), wells["column"].to_numpy(int), shape)
        return name, [str(i) for i in wells.index], places

    def _draw(self, levels: list[Any], ids: list[str], laid: Mosaic) -> None:
        viewer, screen, drawn = self._viewer(), self.session.screen, self._drawn
        if viewer is None or screen is None or drawn is None:
            return
        scale, sharpest = self._scale(laid.size), self._scale(levels[0].shape[0])
        what = {"plate": drawn} if isinstance(drawn, str) else {"map": drawn.method}
        record = {MARK: {"screen": screen.name, **what}}
        if self.image is None:
            self._image = viewer.add_image(levels, rgb=True, multiscale=True, metadata=record, **sharpest)
        else:
            self.image.data = levels
            self.image.scale = sharpest["scale"]
        self.image.name, self.image.metadata = next(iter(what)), record
        if self.points is None:
            self._points = points = viewer.add_points(
                laid.centres,
                name="wells",
                size=laid.tile + 4,
                symbol="square",
                face_color="transparent",
                border_width=0.08,
                metadata=record,
                features={"id": ids},
                **scale,
            )
            points.selected_data.events.items_changed.connect(self.on_points_selected)
            points.events.data.connect(self.on_points_edited)
            points.mouse_drag_callbacks.append(self.on_mouse_drag)
            points.mouse_double_click_callbacks.append(self.on_double_click)
        self._place(ids, laid.centres)
        self.points.size = laid.tile + 4
        self.points.scale = scale["scale"]
        self.points.metadata = record
        self.image.visible = self.points.visible = True
        self.refresh()
        viewer.layers.selection.active = self.points
        self._camera.fit([self.image])

    def _place(self, ids: list[str], centres: np.ndarray) -> None:
        """Put points and their ids in place together; neither can be edited by hand."""
        points = self.points
        if points is None:
            return
        self._placed, self._placing = (ids, centres), True
        try:
            points.selected_data = set()
            points.data = centres.copy()
            points.features = {"id": ids}
            points.editable = False  # napari makes a layer editable again whenever it gets data
        finally:
            self._placing = False

    def on_points_edited(self, _event: object = None) -> None:
        """Put points back that were deleted, pasted or moved: they stand for wells."""
        if self._placing:
            return
        self._place(*self._placed)
        self.refresh()

    @property
    def ids(self) -> list[str]:
        """Ids of the wells on the layer, in the order of its points."""
        points = self.points
        return (
            [] if points is None or "id" not in points.features else [str(i) for i in points.features["id"]]
        )

    @property
    def seen(self) -> bool:
        """Whether the map is on the canvas now."""
        return any(layer is not None and layer.visible for layer in (self.image, self.points))

    def hide(self) -> bool:
        """Put both layers away; returns whether they were to be seen."""
        seen = False
        for layer in (self.image, self.points):
            if layer is not None:
                seen |= layer.visible
                layer.visible = False
        return seen

    def remove(self) -> None:
        """Take both layers away, as when another screen is open: they show its wells no more."""
        viewer = self._viewer()
        for layer in (self.image, self.points):
            if viewer is not None and layer is not None:
                viewer.layers.remove(layer)
        self._image = self._points = self._drawn = None
        self._placed = ([], np.zeros((0, 2)))

    def on_screen_changed(self) -> None:
        """Take the layers of an earlier screen away."""
        known = set(self.session.wells.index)
        if self.points is not None and not known.issuperset(self.ids):
            self.remove()

    def on_maps_changed(self) -> None:
        """Take the better map where the canvas shows the first one."""
        projection = self.session.maps.get(self.session.view.map_method)
        if isinstance(self._drawn, str):
            return
        if self.points is not None and projection is not self._drawn:
            if projection is not None and self.points.visible:
                self.show()
            else:
                self.hide()

    def refresh(self) -> None:
        """Bring features and colours of the points up to date."""
        points = self.points
        if points is None or self.session.screen is None:
            return
        ids = self.ids
        if not set(ids) <= set(self.session.wells.index):
            self.hide()
            return
        table = self.session.wells.reindex(ids)
        # A fresh table is assigned: napari tells others of features only then.
        points.features = pd.DataFrame({"id": ids, **{c: table[c].to_numpy() for c in table.columns}})
        colours = well_colours(self.session, table.index, self._background())
        points.border_color = np.c_[colours.rgb / 255, np.ones(len(table))]
        self.on_selection(self.session.selection.ids)

    def _background(self) -> RGB:
        """Colour of the canvas, as its theme says."""
        from napari.utils.theme import get_theme

        viewer = self._viewer()
        if viewer is None:
            return BLACK
        red, green, blue = get_theme(viewer.theme).canvas.as_rgb_tuple()[:3]
        return int(red), int(green), int(blue)

    def on_view(self, view: View, before: View) -> None:
        """Recolour; of another plate that is looked at, draw the wells."""
        if isinstance(self._drawn, str) and view.plate != before.plate and self.seen:
            self.show("plate")
        elif not view.colours_like(before):
            self.refresh()

    def on_theme(self, _event: object = None) -> None:
        """Recolour: greys are quiet on the background there is."""
        self.refresh()

    def on_selection(self, ids: frozenset[str]) -> None:
        """Select on the layer what is selected in the session."""
        points = self.points
        if points is None or self._echo:
            return
        self._echo = True
        try:
            points.selected_data = {i for i, identifier in enumerate(self.ids) if identifier in ids}
        finally:
            self._echo = False

    def on_points_selected(self, _event: object = None) -> None:
        """Select in the session what is selected on the layer."""
        points = self.points
        if points is None or self._echo or self._placing:
            return
        self._echo = True
        try:
            ids = self.ids
            self.session.selection.replace(ids[i] for i in points.selected_data if i < len(ids))
        finally:
            self._echo = False

    def on_mouse_drag(self, _layer: Points, event: Any) -> Generator[None, None, None]:
        """Select the well that is clicked, with Shift, Alt and Ctrl as in the other views; a drag pans."""
        yield
        if event.type == "mouse_move":
            return
        if (well := self._well_at(event)) is not None:
            held = {str(getattr(m, "name", m)).lower() for m in event.modifiers}
            mode = next((m for key, m in MODES.items() if key in held), Mode.REPLACE)
            self.session.selection.apply([well], mode)

    def on_double_click(self, _layer: Points, event: Any) -> None:
        """Open the well that is double-clicked."""
        if (well := self._well_at(event)) is not None:
            self.session.show(well)

    def _well_at(self, event: Any) -> str | None:
        points = self.points
        if points is None or not points.visible:
            return None
        found = points.get_value(
            event.position,
            view_direction=event.view_direction,
            dims_displayed=event.dims_displayed,
            world=True,
        )
        return None if found is None else self.ids[int(found)]

    def _scale(self, size: int) -> dict[str, Any]:
        """Draw the map as large as a field, so that one zoom suits both."""
        plate = self.session.plate
        if plate is None or not plate.pixel_size or not plate.sites:
            return {"scale": (1, 1), "units": ("pixel", "pixel")}
        side = plate.sites[0].shape[0] * plate.pixel_size
        return {"scale": (side / size,) * 2, "units": ("um", "um")}
