"""Pictures of wells in place of dots, where a map is zoomed in so far that they have room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pyqtgraph import ViewBox
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap
from qtpy.QtWidgets import QGraphicsItem, QGraphicsPixmapItem

AT_MOST = 80
"""Pictures drawn at once."""
SMALLEST, LARGEST = 32, 80
"""Sides of a picture in pixels; where a smaller one would be needed, dots are drawn."""
FRAME = 3
"""Width of the frame in the colour of the well, in pixels."""


class MapPictures:
    """Draws pictures over the points of a view box that are in sight.

    Parameters
    ----------
    box : ViewBox
        The map.
    picture : callable
        Picture of an id with a side in pixels, or ``None`` where there is none.

    Attributes
    ----------
    enabled : bool
        Whether pictures are wanted at all.
    side : int
        Of the pictures in pixels; 0 while dots are drawn.
    """

    def __init__(self, box: ViewBox, picture: Callable[[str, int], QPixmap | None]) -> None:
        self.enabled = True
        self.side = 0
        self.items: dict[str, QGraphicsPixmapItem] = {}
        self._box, self._picture = box, picture
        self._rows = np.zeros(0, np.intp)

    def forget(self) -> None:
        """Choose none: the points are others now."""
        self.side, self._rows = 0, np.zeros(0, np.intp)

    def choose(self, xy: np.ndarray, view: QRectF, area: float) -> None:
        """Decide whether pictures have room; `area` is that of the view in pixels."""
        self.forget()
        if not self.enabled or not len(xy):
            return
        seen = (
            (xy[:, 0] >= view.left())
            & (xy[:, 0] <= view.right())
            & (xy[:, 1] >= view.top())
            & (xy[:, 1] <= view.bottom())
        )
        count = int(np.count_nonzero(seen))
        if 0 < count <= AT_MOST:
            side = min(LARGEST, int(0.5 * np.sqrt(area / count)))
            if side >= SMALLEST:
                self.side, self._rows = side, np.flatnonzero(seen)

    def draw(self, ids: list[str], places: np.ndarray, rgb: np.ndarray) -> None:
        """Draw the pictures of the chosen points; points without a picture keep their dot."""
        for item in self.items.values():
            self._box.removeItem(item)
        self.items = {}
        for row in self._rows:
            picture = self._picture(ids[row], self.side)
            if picture is None:
                continue
            item = QGraphicsPixmapItem(framed(picture, QColor(*(int(v) for v in rgb[row]))))
            size = item.pixmap().deviceIndependentSize()
            item.setOffset(-size.width() / 2, -size.height() / 2)
            item.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
            item.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
            item.setZValue(1.5)
            item.setPos(float(places[row, 0]), float(places[row, 1]))
            self._box.addItem(item, ignoreBounds=True)
            self.items[ids[row]] = item


def framed(picture: QPixmap, colour: QColor) -> QPixmap:
    """Put a picture into a frame of a colour."""
    ratio = picture.devicePixelRatio()
    around = round(2 * FRAME * ratio)
    out = QPixmap(picture.width() + around, picture.height() + around)
    out.setDevicePixelRatio(ratio)
    out.fill(colour)
    painter = QPainter(out)
    painter.drawPixmap(FRAME, FRAME, picture)
    painter.end()
    return out
