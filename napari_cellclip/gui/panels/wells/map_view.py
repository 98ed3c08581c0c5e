"""A scatter of points by id with a lasso; density instead of points beyond a number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import qtpy.QtCore  # noqa: F401  pyqtgraph takes the binding that is loaded already
from pyqtgraph import (
    GraphicsLayoutWidget,
    ImageItem,
    PlotCurveItem,
    ScatterPlotItem,
    TextItem,
    ViewBox,
    mkBrush,
    mkPen,
)
from qtpy.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from qtpy.QtWidgets import QToolTip, QWidget
from scipy.spatial import cKDTree
from skimage.measure import points_in_poly
from superqt.utils import qthrottled

from napari_cellclip.gui.panels.theme import SHOWN, tones
from napari_cellclip.gui.panels.wells.plate_view import mode_of
from napari_cellclip.gui.state.selection import Mode

POINTS_AT_MOST = 20_000
DENSITY_BINS = 512
MARK_ABOVE = 17
"""How far above its diamond the name of a reference stands, in pixels."""
REACH = 14
"""How near the pointer has to be to a point, in pixels."""


def inside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points lie in a polygon: boolean ``[n]``; the bounding box is tried first."""
    within = np.zeros(len(points), bool)
    if len(polygon) < 3 or len(points) == 0:
        return within
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    if len(near):
        within[near] = points_in_poly(points[near], polygon)
    return within


def density(points: np.ndarray, bins: int = DENSITY_BINS) -> tuple[np.ndarray, QRectF]:
    """Logarithm of the points per pixel, float ``[bins, bins]`` (x, y), and the rectangle it covers."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.maximum(high - low, 1e-9)
    place = np.minimum(((points - low) / span * bins).astype(int), bins - 1)
    counts = np.bincount(place[:, 0] * bins + place[:, 1], minlength=bins * bins).reshape(bins, bins)
    return np.log1p(counts), QRectF(low[0], low[1], span[0], span[1])


class _LassoBox(ViewBox):
    """Left drag draws a lasso or, in pan mode, moves the map; middle drag always moves it."""

    lassoed = Signal(object, str)
    clicked = Signal(object, str)
    double_clicked = Signal(object)

    def __init__(self) -> None:
        super().__init__(lockAspect=True, enableMenu=False)
        self.panning = False
        self._path: list[QPointF] = []
        self.outline = PlotCurveItem()
        self.addItem(self.outline, ignoreBounds=True)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        if self.panning or event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        if event.isStart():
            self._path = [self.mapToView(event.buttonDownPos())]
        self._path.append(self.mapToView(event.pos()))
        xy = np.array([(p.x(), p.y()) for p in self._path])
        if event.isFinish():
            self._path = []
            self.outline.setData([], [])
            self.lassoed.emit(xy, mode_of(event.modifiers()))
        else:
            closed = np.vstack([xy, xy[:1]])
            self.outline.setData(closed[:, 0], closed[:, 1])

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        at = self.mapToView(event.pos())
        if event.double():
            self.double_clicked.emit((at.x(), at.y()))
        else:
            self.clicked.emit((at.x(), at.y()), mode_of(event.modifiers()))


class _Dots(ScatterPlotItem):
    """Points that leave clicks to the map, which knows the nearest one."""

    def mouseClickEvent(self, event: Any) -> None:
        event.ignore()


class MapView(GraphicsLayoutWidget):
    """Points with ids, coloured; says what was lassoed, clicked, opened.

    Parameters
    ----------
    tooltip : callable
        Rich text for an id.
    help_text : str
        Tooltip beside the points.
    """

    picked = Signal(object, str)
    opened = Signal(str)

    def __init__(
        self, tooltip: Callable[[str], str], help_text: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._tooltip, self._help = tooltip, help_text
        self.ids: list[str] = []
        self.xy = np.zeros((0, 2))
        self._tree: cKDTree | None = None
        self._bright = np.zeros(0, bool)
        self.box = _LassoBox()
        self.addItem(self.box)
        self.density_item = ImageItem()
        self.scatter = _Dots(pxMode=True, size=9)
        self.rings = _Dots(pxMode=True, size=14, brush=None)
        for item in (self.density_item, self.scatter, self.rings):
            self.box.addItem(item)
        self.marks = _Dots(pxMode=True, size=17, symbol="d", brush=None)
        self.marks.setZValue(5)
        self.box.addItem(self.marks)
        self._mark_names: list[tuple[float, float, str]] = []
        self._cluster_names: list[tuple[float, float, str]] = []
        self._labels: list[TextItem] = []
        # Every step of the wheel or of a drag moves the range: names are placed anew at most every 50 ms.
        self._place_labels_soon = qthrottled(self._place_labels, timeout=50, parent=self)
        self.box.sigRangeChanged.connect(self._place_labels_soon)
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

    def follow_theme(self) -> None:
        """Take background and line colours from napari's theme."""
        tone = tones(self)
        self.setBackground(tone.background)
        self.box.outline.setPen(mkPen(tone.text, width=1.5))
        self._ring_pen = mkPen(tone.text, width=2)
        self._mark_pen = mkPen(tone.text, width=1.5)

    def set_points(self, ids: list[str], xy: np.ndarray) -> None:
        """Place points; the view is fitted when the places are new."""
        xy = np.asarray(xy, dtype=float)
        moved = ids != self.ids or xy.shape != self.xy.shape or not np.array_equal(xy, self.xy)
        self.ids, self.xy = ids, xy
        self._tree = cKDTree(xy) if len(xy) else None
        if moved and len(xy):
            low, high = xy.min(axis=0), xy.max(axis=0)
            span = np.maximum(high - low, 1e-6)
            self.box.setRange(QRectF(low[0], low[1], span[0], span[1]), padding=0.08)

    def set_colours(self, rgb: np.ndarray, bright: np.ndarray) -> None:
        """Colour the points.

        Parameters
        ----------
        rgb : ndarray
            uint8 ``[n, 3]``.
        bright : ndarray of bool
            Points to be drawn over the others and larger; beyond :data:`POINTS_AT_MOST` points only these
            (at most that many) are drawn, over a density picture of all.
        """
        self._bright = bright
        if not self.ids:
            self.scatter.clear()
            self.density_item.clear()
            return
        if self.dense:
            counts, rectangle = density(self.xy)
            tone = tones(self)
            steps = np.linspace(0, 1, 256)
            table = np.array([tone.between(0.75 * s).getRgb()[:3] for s in steps], np.uint8)
            self.density_item.setImage(counts, lut=table, levels=(0, float(counts.max())))
            self.density_item.setRect(rectangle)
            order = np.flatnonzero(bright)[:POINTS_AT_MOST]
        else:
            self.density_item.clear()
            order = np.argsort(bright, kind="stable")  # what matches is drawn last, on top
        # One brush per colour, shared: pyqtgraph is slow with a brush for each point.
        colours, which = np.unique(rgb[order] // 8 * 8, axis=0, return_inverse=True)
        brushes = [mkBrush(*(int(v) for v in c)) for c in colours]
        self.scatter.setData(
            x=self.xy[order, 0],
            y=self.xy[order, 1],
            brush=[brushes[i] for i in np.ravel(which)],
            pen=None,
            size=np.where(bright[order], 11, 8),
        )

    def set_rings(self, ids: frozenset[str], shown: str | None) -> None:
        """Ring the selected points, and the one on the canvas."""
        place = [i for i, identifier in enumerate(self.ids) if identifier in ids or identifier == shown]
        pens = [mkPen(SHOWN, width=3) if self.ids[i] == shown else self._ring_pen for i in place]
        self.rings.setData(x=self.xy[place, 0], y=self.xy[place, 1], pen=pens, brush=None)

    def set_names(self, names: list[tuple[float, float, str]]) -> None:
        """Write names at places of the map, the first ones if not all fit."""
        self._cluster_names = names
        self._write_names()

    def set_marks(self, marks: dict[str, tuple[str, ...]]) -> None:
        """Draw diamonds around points: ids by the name that is written beside the middle one of each."""
        place = {identifier: i for i, identifier in enumerate(self.ids)}
        found = {name: [place[i] for i in ids if i in place] for name, ids in marks.items()}
        rows = [i for at in found.values() for i in at]
        self.marks.setData(x=self.xy[rows, 0], y=self.xy[rows, 1], pen=self._mark_pen, brush=None)
        self._mark_names = []
        for name, at in found.items():
            if at:
                middle = self.xy[at][np.argmin(((self.xy[at] - self.xy[at].mean(axis=0)) ** 2).sum(axis=1))]
                self._mark_names.append((float(middle[0]), float(middle[1]), name))
        self._write_names()

    def _write_names(self) -> None:
        names = [*self._cluster_names, *self._mark_names]
        for label in self._labels:
            self.box.removeItem(label)
        tone = tones(self)
        fill = tone.background
        fill.setAlphaF(0.8)
        self._labels = [
            TextItem(name, color=tone.text, anchor=(0.5, 0.5), fill=mkBrush(fill)) for _, _, name in names
        ]
        for label in self._labels:
            label.setZValue(10)
            self.box.addItem(label, ignoreBounds=True)
        self._place_labels()

    def _place_labels(self, *_: object) -> None:
        """Move names so that none covers another, as they are seen now."""
        if not self._labels:
            return
        from napari_cellclip.explore.maps.label_placement import place_labels

        width, height = self.box.viewPixelSize()
        anchors = [(x, y) for x, y, _ in self._cluster_names]
        anchors += [(x, y + MARK_ABOVE * height) for x, y, _ in self._mark_names]
        boxes = [label.boundingRect() for label in self._labels]
        (left, right), (bottom, top) = self.box.viewRange()
        placed = place_labels(
            anchors,
            [(box.width() * width, box.height() * height) for box in boxes],
            bounds=(left, bottom, right, top),
        )
        for label, (x, y) in zip(self._labels, placed, strict=True):
            label.setVisible(bool(np.isfinite(x)))
            if np.isfinite(x):
                label.setPos(float(x), float(y))

    def nearest(self, x: float, y: float) -> str | None:
        """Id of the point nearest to a place on the map, if it is near on the screen."""
        if self._tree is None:
            return None
        _, index = self._tree.query((x, y))
        pixel = self.box.viewPixelSize()
        away = np.hypot((self.xy[index, 0] - x) / pixel[0], (self.xy[index, 1] - y) / pixel[1])
        return self.ids[index] if away <= REACH else None

    def _lassoed(self, polygon: np.ndarray, mode: str) -> None:
        chosen = np.flatnonzero(inside(polygon, self.xy))
        self.picked.emit([self.ids[i] for i in chosen], mode)

    def _clicked(self, at: tuple[float, float], mode: str) -> None:
        hit = self.nearest(*at)
        if hit is not None or mode == Mode.REPLACE:
            self.picked.emit([hit] if hit else [], mode)

    def _double_clicked(self, at: tuple[float, float]) -> None:
        if (hit := self.nearest(*at)) is not None:
            self.opened.emit(hit)

    def viewportEvent(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            at = self.box.mapSceneToView(self.mapToScene(event.pos()))
            hit = self.nearest(at.x(), at.y())
            QToolTip.showText(event.globalPos(), self._tooltip(hit) if hit is not None else self._help, self)
            return True
        return super().viewportEvent(event)
