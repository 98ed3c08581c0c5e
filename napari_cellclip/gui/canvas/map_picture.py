"""The map on the canvas: every well's thumbnail at its place, and the ``wells`` points over them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from napari_cellclip.gui.palette import BLACK, RGB, well_colours
from napari_cellclip.gui.state.selection import Mode
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari.layers import Image, Points

    from napari_cellclip.explore import Projection
    from napari_cellclip.screen import Screen

MARK = "cellclip"
SMALLEST, LARGEST = 1400, 4096
"""Sides of the picture in pixels: 4096 is what every graphics card takes as one texture."""

THUMBNAIL = 72

MODES = {"alt": Mode.SUBTRACT, "shift": Mode.ADD, "control": Mode.INTERSECT}
"""What a click means with a key held, as in every view."""


def picture_size(xy: np.ndarray, tile: int = THUMBNAIL) -> int:
    """Side of a picture in which typical neighbours just touch, within what a texture can be."""
    if len(xy) < 2:
        return SMALLEST
    span = float(max((xy.max(axis=0) - xy.min(axis=0)).max(), 1e-9))
    nearest = cKDTree(xy).query(xy, k=2)[0][:, 1]
    apart = max(float(np.median(nearest)) / span, 1e-6)
    return int(np.clip(tile / apart + 2 * tile, SMALLEST, LARGEST))


def places(xy: np.ndarray, size: int, tile: int = THUMBNAIL) -> np.ndarray:
    """Put map coordinates into a picture, keeping their proportions.

    Parameters
    ----------
    xy : ndarray
        Map coordinates ``[n, 2]``, x to the right and y up.
    size, tile : int
        Side of the picture and of a thumbnail in pixels.

    Returns
    -------
    ndarray
        Row and column of each thumbnail's centre, float ``[n, 2]``.
    """
    if len(xy) == 0:
        return np.zeros((0, 2))
    low, high = xy.min(axis=0), xy.max(axis=0)
    span = float(max((high - low).max(), 1e-9))
    scaled = (xy - (low + high) / 2) / span * (size - 2 * tile) + size / 2
    return np.stack([size - scaled[:, 1], scaled[:, 0]], axis=1)


def mosaic(screen: Screen, ids: list[str], centres: np.ndarray, size: int) -> np.ndarray:
    """Picture with each well's thumbnail at its place, later ones on top, RGBA uint8 ``[size, size, 4]``."""
    picture = np.zeros((size, size, 4), np.uint8)
    for identifier, (row, column) in zip(ids, centres, strict=True):
        try:
            thumbnail = fitted(screen.preview(identifier), THUMBNAIL)
        except CellClipError:  # no site of this well was readable: its frame alone is drawn
            continue
        height, width = thumbnail.shape[:2]
        top = int(np.clip(row - height / 2, 0, size - height))
        left = int(np.clip(column - width / 2, 0, size - width))
        picture[top : top + height, left : left + width, :3] = thumbnail
        picture[top : top + height, left : left + width, 3] = 255
    return picture


def fitted(image: np.ndarray, side: int) -> np.ndarray:
    """Thin out or repeat the pixels of an RGB image so that its longer side is ``side``."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    rows = np.minimum((np.arange(max(1, round(height * factor))) / factor).astype(int), height - 1)
    columns = np.minimum((np.arange(max(1, round(width * factor))) / factor).astype(int), width - 1)
    return image[rows][:, columns]


class MapPicture:
    """Two layers of a viewer: ``map`` (thumbnails) and ``wells`` (points whose features are the well table).

    The selection of the points and of the session follow each other, by id.

    Parameters
    ----------
    jobs : Jobs
        Makes the picture in a thread; its session says what is drawn.
    viewer : napari.Viewer or napari.components.ViewerModel
        Held weakly.
    """

    def __init__(self, jobs: Jobs, viewer: Any) -> None:
        self.session, self._jobs = jobs.session, jobs
        session = jobs.session
        self._viewer = ref(viewer)
        self._echo = False
        self._points: Points | None = None
        self._image: Image | None = None
        self._placed: tuple[list[str], np.ndarray] = ([], np.zeros((0, 2)))
        self._placing = False
        self._projection: Projection | None = None
        session.selection.changed.connect(self.on_selection)
        session.wells_changed.connect(self.refresh)
        session.maps_changed.connect(self.on_maps_changed)
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

    def show(self, then: Callable[[], object] = lambda: None) -> None:
        """Lay thumbnails and points on the canvas, then call `then`; a sentence if there is no map yet.

        The picture is made in a thread: previews of a whole plate take a second to read.
        """
        viewer, screen = self._viewer(), self.session.screen
        projection = self.session.maps.get(self.session.view.map_method)
        if viewer is None or screen is None or projection is None:
            self.session.message.emit(Task.MAP, "There is no map yet: encode a plate first.")
            return
        ids = [str(i) for i in projection.ids]
        xy = np.asarray(projection.xy, float)
        size = picture_size(xy)
        centres = places(xy, size)
        scores = self.session.wells["score"].reindex(ids).to_numpy(float)
        upwards = np.argsort(np.nan_to_num(scores, nan=-np.inf), kind="stable")  # the best lie on top

        def done(picture: np.ndarray) -> None:
            if self.session.screen is screen:
                self._projection = projection
                self._draw(picture, ids, centres)
                then()

        self._jobs.run(
            Task.MAP_PICTURE,
            lambda: mosaic(screen, [ids[i] for i in upwards], centres[upwards], size),
            done,
            "Laying the wells on the canvas",
        )

    def _draw(self, picture: np.ndarray, ids: list[str], centres: np.ndarray) -> None:
        viewer, screen, projection = self._viewer(), self.session.screen, self._projection
        if viewer is None or screen is None or projection is None:
            return
        scale = self._scale(len(picture))
        record = {MARK: {"screen": screen.name, "map": projection.method}}
        if self.image is None:
            self._image = viewer.add_image(picture, name="map", rgb=True, metadata=record, **scale)
        else:
            self.image.data = picture
            self.image.scale = scale["scale"]
        if self.points is None:
            self._points = points = viewer.add_points(
                centres,
                name="wells",
                size=THUMBNAIL + 8,
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
        self._place(ids, centres)
        self.points.scale = scale["scale"]
        self.points.metadata = record
        self.image.visible = self.points.visible = True
        self.refresh()
        viewer.layers.selection.active = self.points
        viewer.fit_to_view(layers=[self.image])

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

    def on_maps_changed(self) -> None:
        """Take the better map where the canvas shows the first one."""
        projection = self.session.maps.get(self.session.view.map_method)
        if self.points is not None and projection is not self._projection:
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
        colours = well_colours(self.session, table, self._background())
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

    def on_view(self, _view: object) -> None:
        """Recolour."""
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
