"""The legend of the match heat map: its colours, with the scores at their ends."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellclip.gui.panels.theme import tones

COLOURS = "inferno"
"""Colour map of the heat map; the layer on the canvas has the same."""


@cache
def colours() -> NDArray[np.uint8]:
    """Look-up table of the heat map, uint8 ``[256, 3]``."""
    from napari.utils.colormaps import ensure_colormap

    rgba = ensure_colormap(COLOURS).map(np.linspace(0, 1, 256, dtype=np.float32))
    return np.ascontiguousarray((np.asarray(rgba)[:, :3] * 255).round().astype(np.uint8))


class HeatLegend(QWidget):
    """Colours from the least to the most matching, as on the canvas."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ends: tuple[float, float] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Scores of tiles against those of negative controls: brighter is a closer match")
        self.setAccessibleName("Legend of the match heat map")

    def sizeHint(self) -> QSize:
        return QSize(120, self.fontMetrics().height() + 2)

    def value(self) -> tuple[float, float] | None:
        """Scores at the two ends."""
        return self._ends

    def setValue(self, ends: tuple[float, float] | None) -> None:
        """Show these ends, or nothing."""
        self._ends = ends
        self.update()

    def paintEvent(self, _event: object) -> None:
        if self._ends is None:
            return
        painter, metrics = QPainter(self), self.fontMetrics()
        painter.setPen(tones(self).text)
        low, high = (f"{end:.1f}" for end in self._ends)
        middle = Qt.AlignmentFlag.AlignVCenter
        left, right = metrics.horizontalAdvance(low) + 4, metrics.horizontalAdvance(high) + 4
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignRight, high)
        table = colours()
        image = QImage(table.data, 256, 1, 768, QImage.Format.Format_RGB888)
        bar = QRectF(left, self.height() * 0.25, self.width() - left - right, self.height() * 0.5)
        painter.drawImage(bar, image)
