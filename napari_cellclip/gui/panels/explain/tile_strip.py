"""A row of small pictures of tiles: as many as fit, so that nothing is scrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST, LARGEST = 46, 96
"""Longer side of a tile in pixels, in a low window and where there is room."""

IN_A_ROW = 3
"""Tiles that larger ones leave room for."""
GAP = 4


@dataclass(frozen=True, eq=False)
class StripTile:
    """A tile of a strip: its picture, what stands below it, its tooltip and its number in the field."""

    picture: QPixmap
    caption: str
    tooltip: str
    tile: int | None = None


def tile_pixmap(stains: NDArray[np.uint8]) -> QPixmap:
    """Composite of five stains, uint8 (5, y, x), sharp at twice the largest size."""
    from napari_cellclip.screen.storage.previews import composite

    rgb = np.ascontiguousarray(composite(stains))
    height, width = rgb.shape[:2]
    image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    aspect, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return QPixmap.fromImage(image).scaled(2 * LARGEST, 2 * LARGEST, aspect, smooth)


class TileStrip(QWidget):
    """Tiles beside each other under a title; one can be chosen by mouse or arrow keys.

    Parameters
    ----------
    title : str
        What the tiles are.
    empty : str
        Written where there are none.
    choosable : bool
        Whether a tile can be chosen.
    """

    valueChanged = Signal(int)
    """Number in the field of the tile that was chosen."""

    def __init__(self, title: str, empty: str, choosable: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.empty = title, empty
        self.tiles: list[StripTile] = []
        self._chosen: int | None = None
        self._choosable = choosable
        self.setAccessibleName(title)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        if choosable:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def value(self) -> int | None:
        """Number in the field of the tile that is chosen."""
        return None if self._chosen is None else self.tiles[self._chosen].tile

    def setValue(self, tiles: list[StripTile]) -> None:
        """Show other tiles, none of them chosen."""
        self.tiles, self._chosen = tiles, None
        self.update()

    @property
    def side(self) -> int:
        """Longer side of the pictures in pixels: as large as height and width leave room for."""
        high = self.height() - 2 * self.fontMetrics().lineSpacing() - 4
        return max(SMALLEST, min(LARGEST, high, (self.width() + GAP) // IN_A_ROW - GAP))

    @property
    def visible_tiles(self) -> int:
        """Number of tiles that fit."""
        return max(1, min(len(self.tiles), (self.width() + GAP) // (self.side + GAP)))

    def sizeHint(self) -> QSize:
        return QSize(4 * (SMALLEST + GAP), self._height_of(LARGEST))

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * (SMALLEST + GAP), self._height_of(SMALLEST))

    def _height_of(self, side: int) -> int:
        return 2 * self.fontMetrics().lineSpacing() + side + 4

    def box(self, place: int) -> QRect:
        """Return the rectangle in which the picture of a tile is drawn."""
        side = self.side
        return QRect(place * (side + GAP), self.fontMetrics().lineSpacing() + 1, side, side)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        tone, metrics = tones(self), self.fontMetrics()
        painter.setPen(tone.text)
        line = QRect(0, 0, self.width(), metrics.lineSpacing())
        title = metrics.elidedText(self.title, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, title)
        if not self.tiles:
            painter.setPen(tone.quiet())
            place = QRect(0, line.bottom(), self.width(), self.height() - line.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap, self.empty)
            return
        for place, tile in enumerate(self.tiles[: self.visible_tiles]):
            box = self.box(place)
            picture = tile.picture.size().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            inside = QRect(QPoint(0, 0), picture)
            inside.moveCenter(box.center())
            painter.drawPixmap(inside, tile.picture)
            if place == self._chosen:
                painter.setPen(QPen(tone.shown, 2))
                painter.drawRect(box)
            painter.setPen(tone.text)
            below = QRect(box.left() - 1, box.bottom() + 1, box.width() + 2, metrics.lineSpacing())
            caption = metrics.elidedText(tile.caption, Qt.TextElideMode.ElideRight, below.width())
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, caption)

    def mousePressEvent(self, event: Any) -> None:
        place = self._place_at(event.pos().x())
        if place is not None and self._choosable:
            self._choose(place)

    def keyPressEvent(self, event: Any) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())
        if step is None or not self.tiles or not self._choosable:
            super().keyPressEvent(event)
            return
        before = self._chosen if self._chosen is not None else (-1 if step > 0 else self.visible_tiles)
        self._choose(max(0, min(self.visible_tiles - 1, before + step)))

    def event(self, event: Any) -> bool:
        if event.type() == QEvent.Type.ToolTip and self.tiles:
            place = self._place_at(event.pos().x())
            if place is not None:
                QToolTip.showText(event.globalPos(), plain(self.tiles[place].tooltip), self)
                return True
        return bool(super().event(event))

    def _place_at(self, x: int) -> int | None:
        return next((i for i in range(self.visible_tiles) if i < len(self.tiles) and self._holds(i, x)), None)

    def _holds(self, place: int, x: int) -> bool:
        box = self.box(place)
        return box.left() <= x <= box.right()

    def _choose(self, place: int) -> None:
        self._chosen = place
        self.update()
        number = self.tiles[place].tile
        if number is not None:
            self.valueChanged.emit(number)
