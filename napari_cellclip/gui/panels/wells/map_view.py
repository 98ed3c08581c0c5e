"""A map of wells by id: dots, pictures when zoomed in, a picture of their density where there are many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import qtpy.QtCore  # noqa: F401  pyqtgraph takes the binding that is loaded already
from pyqtgraph import GraphicsLayoutWidget, ImageItem, ScatterPlotItem, mkBrush, mkPen
from qtpy.QtCore import QEvent, QRectF, Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QToolTip, QWidget
from scipy.spatial import cKDTree
from superqt.utils import qthrottled

from napari_cellclip.explore.maps.spread import remove_overlaps
from napari_cellclip.gui.panels.drawing.dense_picture import dense_picture
from napari_cellclip.gui.panels.drawing.lasso_box import LassoBox
from napari_cellclip.gui.panels.drawing.map_names import MapNames, Name
from napari_cellclip.gui.panels.drawing.map_pictures import MapPictures
from napari_cellclip.gui.panels.drawing.picking import inside
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.state.selection import Mode

POINTS_AT_MOST = 20_000
"""Points that are drawn one by one; of more, a picture of their density is drawn."""
MARKED_AT_MOST = 2_000
"""Rings and coloured dots that are drawn one by one over the density; more are part of its picture."""
SPREAD_AT_MOST = 3_000
"""Points that are moved apart on the screen."""
AVOIDED = 2_000
"""Points that names keep away from, taken evenly from all."""
SMALLEST, LARGEST = 3.0, 11.0
"""Diameters of a dot in pixels; between them, by how many there are."""
FILLED, SHARE = 0.5, 0.1
"""Share of a map, and of the view, that dots may take when moved apart; with more, a map is a packed disc."""
PADDING = 0.08
"""Share of the range of the points that is left free beside them."""
RING = 14
"""How much larger than a picture is the frame of the well on the canvas, in pixels."""
MARK_ABOVE = 17
"""How far above its diamond the name of a reference stands, in pixels."""
REACH = 14
"""How near the pointer has to be to a point, in pixels."""


def dot_size(n: int, area: float) -> float:
    """Diameter of dots such that all of them fill about a tenth of the view, in pixels."""
    return float(np.clip(np.sqrt(SHARE * area / max(n, 1)), SMALLEST, LARGEST))


def distance_apart(spots: np.ndarray, area: float, size: float) -> float:
    """Distance to which dots at these places are moved apart, in pixels; less where all have no space."""
    extent = float(np.prod(np.ptp(spots, axis=0))) if len(spots) else 0.0
    return float(min(size + 1, np.sqrt(max(FILLED * extent, SHARE * area) / max(len(spots), 1))))


class _Dots(ScatterPlotItem):
    """Points that leave clicks to the map, which knows the nearest one."""

    def mouseClickEvent(self, event: Any) -> None:
        event.ignore()


class MapView(GraphicsLayoutWidget):
    """Points with ids, coloured; says what was outlined, clicked, opened.

    Parameters
    ----------
    tooltip : callable
        Rich text for an id.
    help_text : str
        Tooltip beside the points.
    picture : callable
        Picture of an id with a side in pixels, or ``None`` where there is none.

    Attributes
    ----------
    ids : list of str
        Of the points.
    xy : ndarray (n, 2)
        Their places on the map.
    shown_at : ndarray (n, 2)
        Where they are drawn: moved apart where they would cover each other at this zoom, as far as there is
        room for it.
    """

    picked = Signal(object, str)
    opened = Signal(str)

    def __init__(
        self,
        tooltip: Callable[[str], str],
        help_text: str = "",
        picture: Callable[[str, int], QPixmap | None] = lambda _id, _side: None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._tooltip, self._help = tooltip, help_text
        self.ids: list[str] = []
        self.xy = self.shown_at = np.zeros((0, 2))
        self._row_of: dict[str, int] = {}
        self._tree: cKDTree | None = None
        self._rgb = np.zeros((0, 3), np.uint8)
        self._bright = self._outlined = np.zeros(0, bool)
        self._selected = np.zeros(0, np.intp)
        self._shown: str | None = None
        self._size = LARGEST
        self._look: tuple[float, int] = (0.0, 0)
        self._fitted = False
        self._spread_for: tuple[float, ...] = ()
        self._marked: dict[str, list[int]] = {}
        self._cluster_names: list[Name] = []
        self.box = LassoBox()
        self.addItem(self.box)
        self.density_item = ImageItem(axisOrder="row-major")
        self.scatter = _Dots(pxMode=True)
        self.rings = _Dots(pxMode=True, brush=None)
        self.shown_ring = _Dots(pxMode=True, brush=None)
        self.marks = _Dots(pxMode=True, size=17, symbol="d", brush=None)
        for level, item in enumerate(
            (self.density_item, self.scatter, self.rings, self.shown_ring, self.marks)
        ):
            item.setZValue(level)
            self.box.addItem(item, ignoreBounds=True)
        self.pictures = MapPictures(self.box, picture)
        self.names = MapNames(self.box)
        # Every step of the wheel or of a drag moves the range: what follows from it is made anew less often.
        self._settle_soon = qthrottled(self.settle, timeout=60, parent=self)
        self.box.sigRangeChanged.connect(self._range_changed)
        self.box.lassoed.connect(self._lassoed)
        self.box.clicked.connect(self._clicked)
        self.box.double_clicked.connect(self._double_clicked)
        self.setMinimumSize(160, 120)
        self.setAccessibleName("Map")
        self.follow_theme()

    @property
    def dense(self) -> bool:
        """Whether a density picture stands for the points."""
        return len(self.ids) > POINTS_AT_MOST

    # ------------------------------------------------------------------ what is drawn

    def follow_theme(self) -> None:
        """Take background and line colours from napari's theme."""
        tone = tones(self)
        self.setBackground(tone.background)
        self.box.outline.setPen(mkPen(tone.text, width=1.5))
        self._ring_pen = mkPen(tone.text, width=2)
        self._shown_pen = mkPen(tone.shown, width=3)
        self._outline_pen = mkPen(tone.text, width=1)
        self._mark_pen = mkPen(tone.text, width=1.5)

    def set_points(self, ids: list[str], xy: np.ndarray) -> None:
        """Place points; the view is fitted when the places are new."""
        xy = np.asarray(xy, dtype=float)
        if ids == self.ids and xy.shape == self.xy.shape and np.array_equal(xy, self.xy):
            return
        self.ids, self.xy, self.shown_at, self._tree = ids, xy, xy, None
        self._spread_for, self._look = (), (0.0, 0)
        self._row_of = {identifier: i for i, identifier in enumerate(ids)}
        self._rgb, self._bright = np.full((len(ids), 3), 128, np.uint8), np.zeros(len(ids), bool)
        self._outlined, self._selected = self._bright, np.zeros(0, np.intp)
        self._marked = {}
        self.pictures.forget()
        self.fit()

    def fit(self) -> None:
        """Show all points."""
        self._fitted = self.isVisible()
        # Again: points or pictures that are moved apart at the edge need more room than their own places.
        for moved in (False, True, True):
            places = self.shown_at if moved else self.xy
            if len(places):
                low, high = places.min(axis=0), places.max(axis=0)
                span = np.maximum(high - low, 1e-6)
                margin = self._margin() if moved else PADDING
                self.box.setRange(QRectF(low[0], low[1], span[0], span[1]), padding=margin)
            self.settle()

    def _margin(self) -> float:
        """Share of the range to leave free beside it: half a picture, where pictures are drawn."""
        side, shorter = self.pictures.side + RING, min(self.box.width(), self.box.height())
        if not self.pictures.side or shorter <= side:
            return PADDING
        return max(PADDING, float(side / 2 / (shorter - side)))

    def set_colours(self, rgb: np.ndarray, bright: np.ndarray, outlined: np.ndarray | None = None) -> None:
        """Colour the points.

        Parameters
        ----------
        rgb : ndarray
            uint8 ``[n, 3]``.
        bright : ndarray of bool
            Points to be drawn over the others and larger.
        outlined : ndarray of bool, optional
            Points whose colour is too near to the background to be seen without an outline.
        """
        self._rgb, self._bright = rgb, bright
        self._outlined = np.zeros(len(rgb), bool) if outlined is None else outlined
        self._draw_points()
        self._draw_pictures()

    def set_rings(self, ids: frozenset[str], shown: str | None) -> None:
        """Ring the selected points, and the one on the canvas."""
        rows = [self._row_of[i] for i in ids if i in self._row_of]
        before, self._selected = self._selected, np.array(sorted(rows), np.intp)
        self._shown = shown
        if self.dense and max(len(before), len(rows)) > MARKED_AT_MOST:
            self._draw_points()
        self._draw_rings()

    def show_pictures(self, on: bool) -> None:
        """Draw pictures in place of points as soon as they have room, or never."""
        if self.pictures.enabled != on:
            self.pictures.enabled = on
            self.settle()

    def set_names(self, names: list[Name]) -> None:
        """Write names at places of the map, the first ones if not all fit."""
        self._cluster_names = names
        self._write_names()

    def set_marks(self, marks: dict[str, tuple[str, ...]]) -> None:
        """Draw diamonds around points: ids by the name that is written beside the middle one of each."""
        self._marked = {
            name: [self._row_of[i] for i in ids if i in self._row_of] for name, ids in marks.items()
        }
        self._draw_marks()
        self._write_names()

    def _range_changed(self, *_: object) -> None:
        self._settle_soon()

    def settle(self) -> None:
        """Make anew what depends on the zoom: places of dots, density, pictures and names."""
        if self.closed or not self.isVisible():
            return  # closed: the scene is empty; hidden: showEvent does it
        view = self.box.viewRect()
        pixel = np.array(self.box.viewPixelSize())
        area = (view.width() / pixel[0]) * (view.height() / pixel[1])
        size = dot_size(len(self.ids), area)
        self.pictures.choose(self.xy, view, area)
        moved = False
        if len(self.xy) <= SPREAD_AT_MOST:  # of a million places even the division takes a frame
            spots = self.xy / pixel
            side = self.pictures.side
            apart = side * 1.15 if side else distance_apart(spots, area, size)
            if moved := self._spread_for != (*pixel, apart):
                self.shown_at = remove_overlaps(spots, apart) * pixel
                self._spread_for, self._tree = (*pixel, apart), None
        if moved or self.dense or (size, self.pictures.side) != self._look:
            self._size, self._look = size, (size, self.pictures.side)
            self._draw_points()
            self._draw_rings()
            self._draw_marks()
        self._draw_pictures()
        self._write_names()

    def _draw_points(self) -> None:
        bright = self._bright
        if self.dense:
            self._draw_density()
            rows = np.flatnonzero(bright)
            order = rows if len(rows) <= MARKED_AT_MOST else rows[:0]
        else:
            self.density_item.clear()
            order = np.argsort(bright, kind="stable")  # what matches is drawn last, on top
        # One brush and pen per colour, shared: pyqtgraph is slow with one of each for each point.
        colours, which = np.unique(self._rgb[order] // 8 * 8, axis=0, return_inverse=True)
        brushes = [mkBrush(*(int(v) for v in c)) for c in colours]
        pens = (mkPen(None), self._outline_pen)
        self.scatter.setData(
            x=self.shown_at[order, 0],
            y=self.shown_at[order, 1],
            brush=[brushes[i] for i in np.ravel(which)],
            pen=[pens[int(needed)] for needed in self._outlined[order]],
            size=np.where(bright[order], self._size + 2, self._size),
        )

    def _draw_density(self) -> None:
        view, (width, height) = self.box.viewRect(), self.box.viewPixelSize()
        tone = tones(self)
        columns, rows = max(1, round(view.width() / width)), max(1, round(view.height() / height))
        bright, selected = self._bright, self._selected
        picture = dense_picture(
            self.xy,
            (view.left(), view.top(), view.width(), view.height()),
            (columns, rows),
            grey=np.array([tone.between(0.75 * s).getRgb()[:3] for s in np.linspace(0, 1, 256)], np.uint8),
            rgb=self._rgb,
            bright=bright if np.count_nonzero(bright) > MARKED_AT_MOST else np.zeros_like(bright),
            selected=selected if len(selected) > MARKED_AT_MOST else selected[:0],
            ring=tone.text.getRgb()[:3],  # type: ignore[arg-type]
        )
        self.density_item.setImage(picture, levels=(0, 255))
        self.density_item.setRect(view)

    def _draw_pictures(self) -> None:
        self.pictures.draw(self.ids, self.shown_at, self._rgb)

    def _draw_rings(self) -> None:
        selected = self._selected
        if self.dense and len(selected) > MARKED_AT_MOST:
            selected = selected[:0]
        around = self.pictures.side
        look = {"symbol": "s", "size": around + 8} if around else {"symbol": "o", "size": self._size + 6}
        self.rings.setData(*self.shown_at[selected].T, pen=self._ring_pen, brush=None, **look)
        shown = [self._row_of[self._shown]] if self._shown in self._row_of else []
        self.shown_ring.setData(*self.shown_at[shown].T, pen=self._shown_pen, brush=None, **look)

    def _draw_marks(self) -> None:
        rows = [i for at in self._marked.values() for i in at]
        self.marks.setData(*self.shown_at[rows].T, pen=self._mark_pen, brush=None)

    def _write_names(self) -> None:
        names = list(self._cluster_names)
        height = self.box.viewPixelSize()[1]
        for name, at in self._marked.items():
            if at:
                places = self.shown_at[at]
                middle = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]
                names.append((float(middle[0]), float(middle[1]) + MARK_ABOVE * height, name))
        self.names.write(names, tones(self))
        taken = self.shown_at[:: max(1, len(self.xy) // AVOIDED)]
        if self.pictures.side:  # a picture covers more than its middle: corners and edges count, too
            steps = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 5)] * 2), axis=-1).reshape(-1, 1, 2)
            taken = (taken + steps * self.pictures.side * np.array(self.box.viewPixelSize())).reshape(-1, 2)
        self.names.place(taken)

    # ------------------------------------------------------------------ what is picked

    def nearest(self, x: float, y: float) -> str | None:
        """Id of the point nearest to a place on the map, if it is near on the screen."""
        if not len(self.xy):
            return None
        if self._tree is None:
            self._tree = cKDTree(self.shown_at)
        _, index = self._tree.query((x, y))
        pixel = self.box.viewPixelSize()
        away = np.hypot((self.shown_at[index, 0] - x) / pixel[0], (self.shown_at[index, 1] - y) / pixel[1])
        return self.ids[index] if away <= max(REACH, self.pictures.side / 2) else None

    def _lassoed(self, polygon: np.ndarray, mode: str) -> None:
        chosen = np.flatnonzero(inside(polygon, self.shown_at))
        self.picked.emit([self.ids[i] for i in chosen], mode)

    def _clicked(self, at: tuple[float, float], mode: str) -> None:
        hit = self.nearest(*at)
        if hit is not None or mode == Mode.REPLACE:
            self.picked.emit([hit] if hit else [], mode)

    def _double_clicked(self, at: tuple[float, float]) -> None:
        if (hit := self.nearest(*at)) is not None:
            self.opened.emit(hit)

    # ------------------------------------------------------------------ Qt events

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if hasattr(self, "names"):
            self._settle_soon()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._fitted:
            self.settle()
        else:
            self.fit()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() == Qt.Key.Key_Home:
            self.fit()
        elif event.key() == Qt.Key.Key_Escape:
            self.picked.emit([], Mode.REPLACE)
        elif event.key() == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.picked.emit(list(self.ids), Mode.REPLACE)
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            at = self.box.mapSceneToView(self.mapToScene(event.pos()))
            hit = self.nearest(at.x(), at.y())
            QToolTip.showText(event.globalPos(), self._tooltip(hit) if hit is not None else self._help, self)
            return True
        return super().viewportEvent(event)
