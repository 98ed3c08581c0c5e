"""Bars of the five stains: what each added to a well's score."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.vocabulary import STAINS

BARS_ROLE = Qt.ItemDataRole.UserRole + 7
"""Data of a cell with bars: five numbers in the order of ``STAINS`` and the length of a full bar."""


def bar_rectangles(values: np.ndarray, full: float, box: QRectF) -> list[QRectF]:
    """Place one vertical bar for each value around a common zero line.

    Parameters
    ----------
    values : ndarray (5,)
        Contributions; negative ones hang down.
    full : float
        Contribution that fills the half of the box above (or below) zero.
    box : QRectF
        Where to draw.

    Returns
    -------
    list of QRectF
        In the order given; empty rectangles for values that are not finite.
    """
    slot = box.width() / len(values)
    width = slot * 0.72
    zero = zero_line(values, box)
    reach = zero - box.top()
    found = []
    for i, value in enumerate(values.tolist()):
        height = 0.0 if not np.isfinite(value) or full <= 0 else min(abs(value) / full, 1.0) * reach
        left = box.left() + i * slot + (slot - width) / 2
        found.append(QRectF(left, zero - height if value >= 0 else zero, width, height))
    return found


def zero_line(values: np.ndarray, box: QRectF) -> float:
    """Height of zero: the bottom of the box, or its middle where bars hang down too."""
    return box.center().y() if float(np.nanmin(values, initial=0.0)) < 0 else box.bottom()


class StainBarDelegate(QStyledItemDelegate):
    """Draws five small bars, each in the colour of its stain, into a cell."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        data: Any = index.data(BARS_ROLE)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, option.palette.highlight())
        if data is None:
            return
        values, full = data
        box = QRectF(option.rect).adjusted(4, 4, -4, -4)
        painter.save()
        painter.setPen(tones(option.widget).between(0.3))
        zero = zero_line(np.asarray(values, float), box)
        painter.drawLine(QPointF(box.left(), zero), QPointF(box.right(), zero))
        bars = bar_rectangles(np.asarray(values, float), full, box)
        painter.setPen(Qt.PenStyle.NoPen)
        for stain, bar in zip(STAINS, bars, strict=True):
            painter.setBrush(QColor(stain.colour))
            painter.drawRect(bar)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(11 * option.fontMetrics.averageCharWidth(), option.fontMetrics.height() * 2)
