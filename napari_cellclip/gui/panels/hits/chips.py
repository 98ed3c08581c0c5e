"""Wells as chips: small pictures in a line, never tinted by the selection."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from qtpy.QtCore import QEvent, QModelIndex, QObject, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QToolTip, QWidget

from napari_cellclip.gui.panels.hits.hits_model import CURVE_ROLE, ID_ROLE, WELLS_ROLE, HitsModel
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import SMALL, Thumbnails
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.well_filter import name_and_dose

CHIP = SMALL
"""Side of a picture in a line, in pixels."""
GAP = 3
BUDGET_MS = 8
"""Pictures are made between frames, so long at a time."""


class LazyPictures(QObject):
    """Makes pictures of wells a few at a time, so that a view never waits for them.

    Parameters
    ----------
    thumbnails : Thumbnails
        Where they are made and kept.
    view : QWidget
        Drawn again when there are new ones.
    """

    def __init__(self, thumbnails: Thumbnails, view: QWidget) -> None:
        super().__init__(view)
        self._thumbnails, self._view = thumbnails, view
        self._wanted: dict[tuple[str, int], None] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._make)

    def get(self, well: str, side: int) -> QPixmap | None:
        """Return the picture if it is there; otherwise have it made."""
        if self._thumbnails.is_known(well, side):
            return self._thumbnails.pixmap(well, side)
        self._wanted[well, side] = None
        if not self._timer.isActive():
            self._timer.start()
        return None

    @property
    def complete(self) -> bool:
        """Whether every picture that was asked for is there."""
        return not self._wanted

    def tooltip(self, well: str) -> str:
        """Say all about a well, with a larger picture."""
        return self._thumbnails.tooltip(well)

    def _make(self) -> None:
        end = perf_counter() + BUDGET_MS / 1000
        while self._wanted and perf_counter() < end:
            well, side = next(reversed(self._wanted))  # what was asked for last is what is looked at
            del self._wanted[well, side]
            self._thumbnails.pixmap(well, side)
        if not self._wanted:
            self._timer.stop()
        self._view.update()


def chip_boxes(box: QRect, count: int, side: int = CHIP) -> tuple[list[QRect], int]:
    """Place chips from the left of a cell; returns their boxes and how many do not fit.

    Where some do not fit, room is left for their number.
    """
    step = side + GAP
    fits = max(0, (box.width() - GAP) // step)
    if count > fits:
        fits = max(0, (box.width() - GAP - side) // step)
    top = box.top() + (box.height() - side) // 2
    boxes = [QRect(box.left() + GAP + i * step, top, side, side) for i in range(min(count, fits))]
    return boxes, count - len(boxes)


def draw_centred(painter: QPainter, picture: QPixmap, box: QRect) -> None:
    """Draw a picture in its own size in the middle of a box."""
    place = QRect(QPoint(0, 0), picture.deviceIndependentSize().toSize())
    place.moveCenter(box.center())
    painter.drawPixmap(place.topLeft(), picture)


def draw_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """Fill a cell as the style does for its state, under the picture and not over it."""
    if option.state & QStyle.StateFlag.State_Selected:
        painter.fillRect(option.rect, option.palette.highlight())


class ChipDelegate(QStyledItemDelegate):
    """Draws the wells of a line: their pictures, or their names where there are none."""

    def __init__(self, session: Session, pictures: LazyPictures, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._pictures = session, pictures
        self.has_pictures = True

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if not self.has_pictures:
            super().paint(painter, option, index)
            return
        draw_background(painter, option)
        wells = index.data(WELLS_ROLE)
        boxes, rest = chip_boxes(option.rect, len(wells))
        tone = tones(option.widget)
        painter.save()
        for well, box in zip(wells, boxes, strict=False):
            picture = self._pictures.get(well, CHIP)
            if picture is None:
                painter.fillRect(box, tone.between(0.15))
            else:
                draw_centred(painter, picture, box)
            edge = None
            if well == self._session.shown_well:
                edge = tone.shown
            elif well in self._session.selection:
                edge = tone.text
            if edge is not None:
                painter.setPen(QPen(edge, 2))
                painter.drawRect(box)
        if rest:
            left = boxes[-1].right() + GAP if boxes else option.rect.left()
            painter.setPen(tone.text)
            place = QRect(left, option.rect.top(), option.rect.right() - left, option.rect.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"+{rest}")
        painter.restore()

    def well_at(self, box: QRect, index: QModelIndex, x: int) -> str | None:
        """Well whose chip lies at a place of a cell."""
        wells = index.data(WELLS_ROLE)
        boxes, _ = chip_boxes(box, len(wells))
        return next((w for w, b in zip(wells, boxes, strict=False) if b.left() <= x <= b.right()), None)

    def helpEvent(self, event: Any, view: Any, option: QStyleOptionViewItem, index: QModelIndex) -> bool:
        if event is not None and event.type() == QEvent.Type.ToolTip and self.has_pictures:
            well = self.well_at(option.rect, index, event.pos().x())
            if well is not None:
                QToolTip.showText(event.globalPos(), self._pictures.tooltip(well), view)
                return True
        return bool(super().helpEvent(event, view, option, index))

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        height = CHIP + 6 if self.has_pictures else option.fontMetrics.height() + 8
        return QSize(4 * (CHIP + GAP), height)


class ReferenceDelegate(QStyledItemDelegate):
    """Draws the picture of the nearest reference."""

    def __init__(self, model: HitsModel, pictures: LazyPictures, parent: QWidget) -> None:
        super().__init__(parent)
        self._model, self._pictures = model, pictures

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        draw_background(painter, option)
        found = self._model.reference_of(index.data(ID_ROLE))
        picture = self._pictures.get(found[0], CHIP) if found is not None else None
        if picture is not None:
            top = option.rect.top() + (option.rect.height() - CHIP) // 2
            draw_centred(painter, picture, QRect(option.rect.left() + GAP, top, CHIP, CHIP))


class DoseCurveDelegate(QStyledItemDelegate):
    """Draws the scores of all doses of a treatment as a small line, the dose of the row as a dot."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        draw_background(painter, option)
        found = index.data(CURVE_ROLE)
        if found is None:
            return
        curve, treatment = found
        points = curve_points([score for _, score in curve], QRectF(option.rect).adjusted(6, 6, -6, -6))
        if points is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tone = tones(option.widget)
        painter.setPen(QPen(tone.between(0.7), 1.2))
        painter.drawPolyline(QPolygonF(points))
        own = name_and_dose(treatment)[1]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tone.shown)
        for point, (dose, _) in zip(points, curve, strict=True):
            if dose == own:
                painter.drawEllipse(point, 3.0, 3.0)
        painter.restore()


def curve_points(scores: list[float], box: QRectF) -> list[QPointF] | None:
    """Place scores in a box, evenly from left to right, the highest on top; ``None`` if one is missing."""
    if any(score != score for score in scores):
        return None
    low, high = min(0.0, *scores), max(0.0, *scores)
    span = high - low or 1.0
    step = box.width() / max(1, len(scores) - 1)
    return [
        QPointF(box.left() + i * step, box.bottom() - (score - low) / span * box.height())
        for i, score in enumerate(scores)
    ]
