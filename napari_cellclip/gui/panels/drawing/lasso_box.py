"""The mouse on a map: lasso, rectangle or pan by the left button, pan by the middle one, zoom by wheel."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
import qtpy.QtCore  # noqa: F401  pyqtgraph takes the binding that is loaded already
from pyqtgraph import PlotCurveItem, ViewBox
from qtpy.QtCore import QPointF, Qt, Signal

from napari_cellclip.gui.panels.drawing.picking import mode_of
from napari_cellclip.gui.state.selection import Mode


class Tool(StrEnum):
    """Meaning of a drag with the left button."""

    LASSO = "lasso"
    RECTANGLE = "rectangle"
    PAN = "pan"


class LassoBox(ViewBox):
    """A view box that says what was outlined, clicked and double-clicked, in coordinates of the map.

    Attributes
    ----------
    tool : Tool
        Of the left button.
    mode : Mode
        How what is outlined meets the selection while no modifier is held.
    """

    lassoed = Signal(object, str)
    clicked = Signal(object, str)
    double_clicked = Signal(object)

    def __init__(self) -> None:
        super().__init__(lockAspect=True, enableMenu=False)
        self.tool = Tool.LASSO
        self.mode = Mode.REPLACE
        self._path: list[QPointF] = []
        self.outline = PlotCurveItem()
        self.outline.setZValue(20)
        self.addItem(self.outline, ignoreBounds=True)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        if self.tool is Tool.PAN or event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        if event.isStart():
            self._path = [self.mapToView(event.buttonDownPos())]
        self._path.append(self.mapToView(event.pos()))
        xy = self._outlined()
        if event.isFinish():
            self._path = []
            self.outline.setData([], [])
            self.lassoed.emit(xy, mode_of(event.modifiers(), self.mode))
        else:
            closed = np.vstack([xy, xy[:1]])
            self.outline.setData(closed[:, 0], closed[:, 1])

    def _outlined(self) -> np.ndarray:
        xy = np.array([(p.x(), p.y()) for p in self._path])
        if self.tool is Tool.LASSO:
            return xy
        (left, bottom), (right, top) = np.minimum(xy[0], xy[-1]), np.maximum(xy[0], xy[-1])
        return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        at = self.mapToView(event.pos())
        if event.double():
            self.double_clicked.emit((at.x(), at.y()))
        else:
            self.clicked.emit((at.x(), at.y()), mode_of(event.modifiers(), self.mode))
