"""Plates of any format, drawn; knows ids and colours, and nothing of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QRect, QRectF, QSize, QSizeF, Qt, Signal
from qtpy.QtGui import QPainter, QPixmap
from qtpy.QtWidgets import QGraphicsScene, QGraphicsView, QRubberBand, QToolTip, QWidget

from napari_cellclip.gui.panels.drawing.picking import mode_of
from napari_cellclip.gui.panels.drawing.plate_drawing import (
    UNIT,
    Placed,
    PlateDrawing,
    RingsItem,
    WellMark,
    WellsItem,
    arrange,
)
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.state.selection import Mode

LEAST = (12 * UNIT, 8 * UNIT)
"""Least part of the scene that is in sight."""

ZOOM, LARGEST_ZOOM = 1.25, 16.0
"""Zoom of one step of the wheel, and the farthest."""

STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class PlateView(QGraphicsView):
    """Draws the wells of one or several plates and says what the user picked.

    Parameters
    ----------
    tooltip : callable
        Rich text for a well id.
    parent : QWidget, optional
        Qt parent.
    """

    picked = Signal(object, str)
    opened = Signal(str)

    def __init__(self, tooltip: Callable[[str], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.placed: list[Placed] = []
        self.area = QRectF()
        self.selected: frozenset[str] = frozenset()
        self.shown: str | None = None
        self.current: str | None = None
        self.pictures: Callable[[str, int], QPixmap | None] | None = None
        self.tone = tones(self)
        self._tooltip = tooltip
        self._drawings: list[PlateDrawing] = [PlateDrawing("", (8, 12))]
        self._pictured = False
        self._fitted: tuple[QRectF, QSize] | None = None
        self._places: dict[str, tuple[int, int, int]] = {}
        self._at: dict[tuple[int, int, int], str] = {}
        self._band: QRubberBand | None = None
        self._pressed: QPoint | None = None
        self._held: QPoint | None = None
        self._zoom = 1.0
        self.setScene(QGraphicsScene(self))
        self._wells, self._rings = WellsItem(self), RingsItem(self)
        self.scene().addItem(self._wells)
        self.scene().addItem(self._rings)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setMinimumSize(180, 120)
        self.setAccessibleName("Plate")
        self._arrange()

    def sizeHint(self) -> QSize:
        return QSize(520, 360)

    # ------------------------------------------------------------------ what is drawn

    def set_plates(self, drawings: list[PlateDrawing]) -> None:
        """Draw these plates; their wells can be told apart by id. What is drawn already stays as it is."""
        pictures = self.pictures is not None or self._pictured
        self._pictured = self.pictures is not None
        if pictures or drawings != self._drawings:
            self._drawings = drawings
            self._arrange()

    def set_rings(self, selected: frozenset[str], shown: str | None) -> None:
        """Ring the selected wells, and the one on the canvas."""
        self.selected, self.shown = selected, shown
        self._rings.update()

    @property
    def marks(self) -> list[WellMark]:
        """The wells that are drawn, of all plates."""
        return [mark for placed in self.placed for mark in placed.drawing.marks]

    def position_of(self, identifier: str) -> QPoint:
        """Middle of a well in viewport coordinates; raises ``KeyError`` for a well that is not drawn."""
        number, row, column = self._places[identifier]
        return self.mapFromScene(self.placed[number].box(row, column).center())

    def header_position(self, plate: int = 0, row: int | None = None, column: int | None = None) -> QPoint:
        """Middle of a row's letter, a column's number or, without both, of the corner."""
        box = self.placed[plate].box(-1 if row is None else row, -1 if column is None else column)
        return self.mapFromScene(box.center())

    def box_of(self, identifier: str | None) -> QRectF | None:
        """Place of a well on the scene; ``None`` if it is not drawn."""
        found = self._places.get(identifier) if identifier is not None else None
        return self.placed[found[0]].box(*found[1:]) if found is not None else None

    def well_at(self, position: QPoint) -> str | None:
        """Id of the well at a viewport position."""
        scene = self.mapToScene(position)
        for number, placed in enumerate(self.placed):
            if placed.area.contains(scene):
                return self._at.get((number, *placed.place(scene)))
        return None

    def header_at(self, position: QPoint) -> list[str] | None:
        """Ids of the wells that a header stands for: a row, a column or, in the corner, all of a plate.

        ``None`` beside the headers. A letter that stands for two rows selects the nearer one.
        """
        scene = self.mapToScene(position)
        for placed in self.placed:
            drawing = placed.drawing
            row, column = placed.place(scene)
            margin = 2 * placed.every
            inside = row < drawing.shape[0] and column < drawing.shape[1] and (row < 0 or column < 0)
            if placed.area.contains(scene) and inside and row >= -margin:
                return [
                    mark.id
                    for mark in drawing.marks
                    if (row < 0 or mark.row == row) and (column < 0 or mark.column == column)
                ]
        return None

    # ------------------------------------------------------------------ Qt events

    def _arrange(self) -> None:
        size = self.viewport().size()
        self.placed = arrange(self._drawings, QSizeF(size))
        self._places = {
            mark.id: (number, mark.row, mark.column)
            for number, placed in enumerate(self.placed)
            for mark in placed.drawing.marks
        }
        self._at = {place: identifier for identifier, place in self._places.items()}
        area = QRectF()
        for placed in self.placed:
            area = area.united(placed.area)
        # A plate of a well or two is not drawn as large as the window.
        wide, high = max(0.0, LEAST[0] - area.width()) / 2, max(0.0, LEAST[1] - area.height()) / 2
        area = area.adjusted(-wide, -high, wide, high)
        if area != self.area:
            for item in (self._wells, self._rings):
                item.prepareGeometryChange()
            self.area = area
            self.setSceneRect(area)
        if self._fitted != (area, size):  # fitting anew has all repainted once more than needed
            self._fitted = area, size
            self._fit()
        self._wells.update()
        self._rings.update()

    def _fit(self) -> None:
        self._zoom = 1.0
        self._wells.keep_picture(True)
        self.fitInView(self.area, Qt.AspectRatioMode.KeepAspectRatio)

    def zoom_to(self, zoom: float, at: QPoint) -> None:
        """Draw the plates so much larger than fits, what is at a place of the view staying there; 1 fits."""
        zoom = min(zoom, LARGEST_ZOOM)
        if zoom <= 1:
            self._fit()
            return
        there = self.mapToScene(at)
        self._wells.keep_picture(False)
        self.scale(zoom / self._zoom, zoom / self._zoom)
        self._zoom = zoom
        self._scroll(self.mapFromScene(there) - at)

    def _scroll(self, by: QPoint) -> None:
        for bar, step in ((self.horizontalScrollBar(), by.x()), (self.verticalScrollBar(), by.y())):
            bar.setValue(bar.value() + step)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.tone = tones(self)
        self._arrange()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.tone = tones(self)
            self._wells.update()

    def focusInEvent(self, event: Any) -> None:
        super().focusInEvent(event)
        self._rings.update()

    def focusOutEvent(self, event: Any) -> None:
        super().focusOutEvent(event)
        self._rings.update()

    def wheelEvent(self, event: Any) -> None:
        self.zoom_to(self._zoom * ZOOM ** (event.angleDelta().y() / 120), event.position().toPoint())
        event.accept()

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()
        elif event.button() == Qt.MouseButton.MiddleButton:
            self._held = event.position().toPoint()

    def mouseMoveEvent(self, event: Any) -> None:
        here = event.position().toPoint()
        if self._held is not None:
            self._scroll(self._held - here)
            self._held = here
        if self._pressed is None:
            return
        if self._band is None and (here - self._pressed).manhattanLength() > 5:
            self._band = QRubberBand(QRubberBand.Shape.Rectangle, self.viewport())
            self._band.show()
        if self._band is not None:
            self._band.setGeometry(QRect(self._pressed, here).normalized())

    def mouseReleaseEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._held = None
        if self._pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        start, self._pressed = self._pressed, None
        mode = mode_of(event.modifiers())
        if self._band is None:
            hit = self.well_at(start)
            self.current = hit or self.current
            of_header = self.header_at(start) if hit is None else None
            self.picked.emit([hit] if hit else of_header or [], mode)
            return
        area = self.mapToScene(QRect(start, event.position().toPoint()).normalized()).boundingRect()
        self._band.hide()
        self._band.deleteLater()
        self._band = None
        self.picked.emit(list(self._inside(area)), mode)

    def _inside(self, area: QRectF) -> Iterable[str]:
        for identifier in self._places:
            box = self.box_of(identifier)
            if box is not None and area.intersects(box.adjusted(3, 3, -3, -3)):
                yield identifier

    def mouseDoubleClickEvent(self, event: Any) -> None:
        hit = self.well_at(event.position().toPoint())
        if hit:
            self.opened.emit(hit)

    def viewportEvent(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            hit = self.well_at(event.pos())
            if hit:
                QToolTip.showText(event.globalPos(), self._tooltip(hit), self)
            elif self.header_at(event.pos()) is not None:
                QToolTip.showText(event.globalPos(), "Click selects the row, the column or the plate", self)
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: Any) -> None:
        key = event.key()
        if key in STEPS:
            self._walk(*STEPS[key], mode_of(event.modifiers()))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current:
            self.opened.emit(self.current)
        elif key == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.picked.emit(list(self._places), Mode.REPLACE)
        elif key == Qt.Key.Key_Home:
            self._fit()
        elif key == Qt.Key.Key_Escape:
            self.picked.emit([], Mode.REPLACE)
        else:
            super().keyPressEvent(event)

    def _walk(self, down: int, right: int, mode: Mode) -> None:
        """Step to the next well of the plate in a direction, over those that were not imaged."""
        if not self._places:
            return
        if self.current in self._places:
            number, row, column = self._places[self.current]
            row, column = row + down, column + right
        else:
            first = (down, right) > (0, 0)
            number, row, column = min(self._at) if first else max(self._at)
        shape = self.placed[number].drawing.shape
        for _ in range(max(shape)):
            row, column = int(np.mod(row, shape[0])), int(np.mod(column, shape[1]))
            if (found := self._at.get((number, row, column))) is not None:
                self.current = found
                self.ensureVisible(self.box_of(found))
                self.picked.emit([found], mode)
                return
            row, column = row + down, column + right
