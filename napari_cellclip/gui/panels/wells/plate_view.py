"""A plate of any format, drawn; knows ids and colours, and nothing of sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QPainter, QPen
from qtpy.QtWidgets import QGraphicsItem, QGraphicsScene, QGraphicsView, QRubberBand, QToolTip, QWidget

from napari_cellclip.gui.panels.theme import SHOWN, tones
from napari_cellclip.gui.state.selection import Mode
from napari_cellclip.vocabulary import row_letters

UNIT = 20.0
GAP = 1.2


@dataclass(frozen=True)
class WellMark:
    """How one well is drawn.

    Attributes
    ----------
    id : str
        Well id.
    row, column : int
        0-based place.
    rgb : tuple of int or None
        Fill; ``None`` draws the outline alone (imaged, no value yet).
    control : str
        ``"negcon"``, ``"poscon"``, ``"empty"`` or nothing.
    """

    id: str
    row: int
    column: int
    rgb: tuple[int, int, int] | None = None
    control: str = ""


def mode_of(modifiers: Qt.KeyboardModifier) -> Mode:
    """What Shift, Alt and Ctrl mean in every view: add, subtract, intersect."""
    if modifiers & Qt.KeyboardModifier.AltModifier:
        return Mode.SUBTRACT
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return Mode.ADD
    if modifiers & Qt.KeyboardModifier.ControlModifier:
        return Mode.INTERSECT
    return Mode.REPLACE


class _WellItem(QGraphicsItem):
    def __init__(self, mark: WellMark | None, row: int, column: int, view: PlateView) -> None:
        super().__init__()
        self.mark, self.row, self.column = mark, row, column
        self._view = view
        self.setPos(column * UNIT, row * UNIT)

    def boundingRect(self) -> QRectF:
        return QRectF(0, 0, UNIT, UNIT)

    def paint(self, painter: QPainter, *_: Any) -> None:
        tone = self._view.tone
        box = QRectF(GAP, GAP, UNIT - 2 * GAP, UNIT - 2 * GAP)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.mark is None:
            painter.setBrush(QBrush(tone.between(0.22), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(box, 3, 3)
            return
        if self.mark.rgb is None:
            painter.setBrush(tone.between(0.13))
            painter.setPen(QPen(tone.between(0.4), 0.8))
            painter.drawRoundedRect(box.adjusted(0.4, 0.4, -0.4, -0.4), 3, 3)
            fill = tone.background
        else:
            fill = QColor(*self.mark.rgb)
            painter.setBrush(fill)
            painter.drawRoundedRect(box, 3, 3)
        self._paint_control(painter, fill)
        self._paint_rings(painter, box)

    def _paint_control(self, painter: QPainter, fill: QColor) -> None:
        assert self.mark is not None
        if not self.mark.control:
            return
        dark_ink = fill.lightnessF() > 0.55
        painter.setPen(QPen(QColor("black") if dark_ink else QColor("white"), 1.6))
        middle, arm = UNIT / 2, UNIT * 0.17
        if self.mark.control == "empty":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QRectF(middle - arm, middle - arm, 2 * arm, 2 * arm))
            return
        painter.drawLine(QPointF(middle - arm, middle), QPointF(middle + arm, middle))
        if self.mark.control == "poscon":
            painter.drawLine(QPointF(middle, middle - arm), QPointF(middle, middle + arm))

    def _paint_rings(self, painter: QPainter, box: QRectF) -> None:
        assert self.mark is not None
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.mark.id in self._view.selected:
            painter.setPen(QPen(self._view.tone.text, 2.2))
            painter.drawRoundedRect(box, 3, 3)
        if self.mark.id == self._view.shown:
            painter.setPen(QPen(QColor(SHOWN), 2.6))
            painter.drawRoundedRect(box, 3, 3)
        if self.mark.id == self._view.current and self._view.hasFocus():
            painter.setPen(QPen(self._view.tone.text, 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(box.adjusted(2.5, 2.5, -2.5, -2.5), 2, 2)


class _Strip(QGraphicsItem):
    """Letters, numbers, and the medians of rows and columns around the wells."""

    def __init__(self, view: PlateView) -> None:
        super().__init__()
        self._view = view

    def boundingRect(self) -> QRectF:
        return self._view.plate_rectangle()

    def paint(self, painter: QPainter, *_: Any) -> None:
        view = self._view
        rows, columns = view.shape
        every = 1 if columns <= 24 else 2
        font = painter.font()
        font.setPixelSize(round(UNIT * 0.5 * every))
        painter.setFont(font)
        painter.setPen(view.tone.between(0.75))
        middle = Qt.AlignmentFlag.AlignCenter
        for row in range(0, rows, every):
            box = QRectF(-1.3 * UNIT * every, row * UNIT, 1.3 * UNIT * every, UNIT * every)
            painter.drawText(box, middle, row_letters(row))
        for column in range(0, columns, every):
            box = QRectF(column * UNIT, -UNIT * every, UNIT * every, UNIT * every)
            painter.drawText(box, middle, str(column + 1))
        painter.setPen(Qt.PenStyle.NoPen)
        for row, rgb in enumerate(view.row_colours):
            if rgb is not None:
                painter.setBrush(QColor(*rgb))
                painter.drawRect(
                    QRectF((columns + 0.35) * UNIT, row * UNIT + GAP, 0.5 * UNIT, UNIT - 2 * GAP)
                )
        for column, rgb in enumerate(view.column_colours):
            if rgb is not None:
                painter.setBrush(QColor(*rgb))
                painter.drawRect(
                    QRectF(column * UNIT + GAP, (rows + 0.35) * UNIT, UNIT - 2 * GAP, 0.5 * UNIT)
                )


class PlateView(QGraphicsView):
    """Draws wells and says what the user picked.

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
        self.shape = (8, 12)
        self.selected: frozenset[str] = frozenset()
        self.shown: str | None = None
        self.current: str | None = None
        self.row_colours: list[tuple[int, int, int] | None] = []
        self.column_colours: list[tuple[int, int, int] | None] = []
        self.tone = tones(self)
        self._tooltip = tooltip
        self._items: dict[tuple[int, int], _WellItem] = {}
        self._band: QRubberBand | None = None
        self._pressed: QPoint | None = None
        self.setScene(QGraphicsScene(self))
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setMinimumSize(180, 120)
        self.setAccessibleName("Plate")

    def sizeHint(self) -> QSize:
        return QSize(520, 360)

    def plate_rectangle(self) -> QRectF:
        """Scene rectangle of wells, labels and medians."""
        rows, columns = self.shape
        every = 1 if columns <= 24 else 2
        left, top, rest = 1.3 * UNIT * every, 1.05 * UNIT * every, UNIT
        return QRectF(-left, -top, columns * UNIT + left + rest, rows * UNIT + top + rest)

    def set_wells(self, marks: list[WellMark], shape: tuple[int, int]) -> None:
        """Draw these wells on a plate of this shape; the other places are hatched."""
        by_place = {(m.row, m.column): m for m in marks if 0 <= m.row < shape[0] and 0 <= m.column < shape[1]}
        if shape != self.shape or not self._items:
            self.shape = shape
            self.scene().clear()
            self._items = {
                (row, column): _WellItem(None, row, column, self)
                for row in range(shape[0])
                for column in range(shape[1])
            }
            for item in self._items.values():
                self.scene().addItem(item)
            self.scene().addItem(_Strip(self))
            self.scene().setSceneRect(self.plate_rectangle())
            self._fit()
        for place, item in self._items.items():
            item.mark = by_place.get(place)
        self.viewport().update()

    def set_medians(self, rows: np.ndarray | None, columns: np.ndarray | None) -> None:
        """Colours of the row and column medians, uint8 ``[n, 3]``, or ``None`` to leave them out."""

        def listed(colours: np.ndarray | None) -> list[tuple[int, int, int] | None]:
            return [] if colours is None else [tuple(int(v) for v in c) for c in colours]  # type: ignore[misc]

        self.row_colours, self.column_colours = listed(rows), listed(columns)
        self.viewport().update()

    def position_of(self, identifier: str) -> QPoint:
        """Middle of a well in viewport coordinates."""
        item = next(i for i in self._items.values() if i.mark is not None and i.mark.id == identifier)
        return self.mapFromScene(item.sceneBoundingRect().center())

    def well_at(self, position: QPoint) -> str | None:
        """Id of the well at a viewport position."""
        scene = self.mapToScene(position)
        item = self._items.get((int(scene.y() // UNIT), int(scene.x() // UNIT)))
        return item.mark.id if item is not None and item.mark is not None else None

    # ------------------------------------------------------------------ Qt events

    def _fit(self) -> None:
        self.fitInView(self.plate_rectangle(), Qt.AspectRatioMode.KeepAspectRatio)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.tone = tones(self)
        self._fit()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.tone = tones(self)
            self.viewport().update()

    def wheelEvent(self, event: Any) -> None:
        event.ignore()  # the whole plate is always in sight

    def mousePressEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()

    def mouseMoveEvent(self, event: Any) -> None:
        if self._pressed is None:
            return
        here = event.position().toPoint()
        if self._band is None and (here - self._pressed).manhattanLength() > 5:
            self._band = QRubberBand(QRubberBand.Shape.Rectangle, self.viewport())
            self._band.show()
        if self._band is not None:
            self._band.setGeometry(QRect(self._pressed, here).normalized())

    def mouseReleaseEvent(self, event: Any) -> None:
        if self._pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        start, self._pressed = self._pressed, None
        mode = mode_of(event.modifiers())
        if self._band is None:
            hit = self.well_at(start)
            self.current = hit or self.current
            self.picked.emit([hit] if hit else [], mode)
            return
        area = self.mapToScene(QRect(start, event.position().toPoint()).normalized()).boundingRect()
        self._band.hide()
        self._band.deleteLater()
        self._band = None
        inside = [
            i.mark.id
            for i in self._items.values()
            if i.mark is not None and area.intersects(i.sceneBoundingRect().adjusted(3, 3, -3, -3))
        ]
        self.picked.emit(inside, mode)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        hit = self.well_at(event.position().toPoint())
        if hit:
            self.opened.emit(hit)

    def viewportEvent(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            hit = self.well_at(event.pos())
            if hit:
                QToolTip.showText(event.globalPos(), self._tooltip(hit), self)
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def keyPressEvent(self, event: Any) -> None:
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        key = event.key()
        if key in steps:
            self._walk(*steps[key], mode_of(event.modifiers()))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current:
            self.opened.emit(self.current)
        elif key == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.picked.emit([i.mark.id for i in self._items.values() if i.mark is not None], Mode.REPLACE)
        elif key == Qt.Key.Key_Escape:
            self.picked.emit([], Mode.REPLACE)
        else:
            super().keyPressEvent(event)

    def _walk(self, down: int, right: int, mode: Mode) -> None:
        places = {i.mark.id: place for place, i in self._items.items() if i.mark is not None}
        if not places:
            return
        row, column = places.get(self.current or "", (-down if down else 0, -right if right else 0))
        if self.current not in places:
            row, column = min(places.values()) if (down, right) > (0, 0) else max(places.values())
            row, column = row - down, column - right
        for _ in range(max(self.shape)):  # step over wells that were not imaged
            row, column = (row + down) % self.shape[0], (column + right) % self.shape[1]
            item = self._items[row, column]
            if item.mark is not None:
                self.current = item.mark.id
                self.picked.emit([self.current], mode)
                return
