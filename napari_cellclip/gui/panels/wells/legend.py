"""The legend of a colouring: a ramp with its ends, or the names of categories."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellclip.gui.palette import Category, ColourScale, WellColours
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.plain_text import plain

LEAST_NAME = 5
"""Letters of a category's name that must fit; else it is left out and the tooltip has it."""


class Legend(QWidget):
    """Legend of the colours of wells, in one line whose height never changes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: WellColours | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Legend")
        self.setToolTip("What the colours mean")

    def sizeHint(self) -> QSize:
        return QSize(160, self.fontMetrics().height() + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def value(self) -> WellColours | None:
        """Return the colours it explains."""
        return self._colours

    def set_colours(self, colours: WellColours | None) -> None:
        """Explain these colours, or nothing."""
        self._colours = colours if colours is not None and colours.known.any() else None
        self.setAccessibleDescription(self.text())
        self.setToolTip(plain(self.text()))
        self.update()

    def text(self) -> str:
        """Put the legend in words, a line for each entry."""
        colours = self._colours
        if colours is None:
            return "No well has a value"
        if colours.scale is not None:
            return f"{colours.title}: {_number(colours.scale.low)} to {_number(colours.scale.high)}"
        names = [f"{category.name}: {category.count}" for category in colours.categories]
        return "\n".join([f"{colours.title} (wells)", *names])

    def paintEvent(self, _event: object) -> None:
        if self._colours is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(tones(self).text)
        if self._colours.scale is not None:
            self._paint_ramp(painter, self._colours.scale)
        else:
            self._paint_categories(painter, self._colours.categories)

    def _paint_ramp(self, painter: QPainter, scale: ColourScale) -> None:
        low, high = _number(scale.low), _number(scale.high)
        metrics, middle = self.fontMetrics(), Qt.AlignmentFlag.AlignVCenter
        left, right = metrics.horizontalAdvance(low) + 5, metrics.horizontalAdvance(high) + 5
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignRight, high)
        bar = QRectF(left, self.height() * 0.2, max(0, self.width() - left - right), self.height() * 0.6)
        rgb = np.ascontiguousarray(scale.colours(np.linspace(scale.low, scale.high, 256)))
        image = QImage(rgb.data, 256, 1, 768, QImage.Format.Format_RGB888)
        painter.drawImage(bar, image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(tones(self).between(0.5), 1))  # where the ramp is as dark as the background
        painter.drawRect(bar)

    def _paint_categories(self, painter: QPainter, categories: tuple[Category, ...]) -> None:
        metrics, tone = self.fontMetrics(), tones(self)
        dot, x = metrics.height() * 0.7, 1.0
        share = self.width() / max(1, len(categories))
        for category in categories:
            space = max(share, LEAST_NAME * metrics.averageCharWidth() + dot + 8) - dot - 10
            name = metrics.elidedText(category.name, Qt.TextElideMode.ElideRight, round(space))
            width = metrics.horizontalAdvance(name)
            if x + dot + 4 + width > self.width():
                painter.drawText(QPointF(x, self.height() / 2 + metrics.ascent() / 2 - 1), "…")
                return
            painter.setBrush(QColor(*category.rgb))
            painter.setPen(QPen(tone.between(0.6), 1))
            painter.drawEllipse(QRectF(x, (self.height() - dot) / 2, dot, dot))
            painter.setPen(tone.text)
            painter.drawText(
                QRectF(x + dot + 4, 0, width + 2, self.height()), Qt.AlignmentFlag.AlignVCenter, name
            )
            x += dot + 4 + width + 8


def _number(value: float) -> str:
    return f"{value:.3g}"
