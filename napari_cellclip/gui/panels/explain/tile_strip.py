"""A row of small pictures of tiles: as many as fit, so that nothing is scrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QRect, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURE = 46
"""Longer side of a tile in pixels."""
GAP = 4


@dataclass(frozen=True, eq=False)
class StripTile:
    """A tile of a strip: its picture, what stands below it, its tooltip and its number in the field."""

    picture: QPixmap
    caption: str
    tooltip: str
    tile: int | None = None


def tile_pixmap(stains: NDArray[np.uint8]) -> QPixmap:
    """Composite of five stains, uint8 (5, y, x), `PICTURE` pixels on its longer side."""
    from napari_cellclip.screen.storage.previews import composite

    rgb = np.ascontiguousarray(composite(stains))
    height, width = rgb.shape[:2]
    image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    return QPixmap.fromImage(image).scaled(
        PICTURE, PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


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
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
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
    def visible_tiles(self) -> int:
        """Number of tiles that fit."""
        return max(1, min(len(self.tiles), (self.width() + GAP) // (PICTURE + GAP)))

    def sizeHint(self) -> QSize:
        return QSize(4 * (PICTURE + GAP), 2 * self.fontMetrics().lineSpacing() + PICTURE + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(2 * (PICTURE + GAP), self.sizeHint().height())

    def box(self, place: int) -> QRect:
        """Return the rectangle in which the picture of a tile is drawn."""
        return QRect(place * (PICTURE + GAP), self.fontMetrics().lineSpacing() + 1, PICTURE, PICTURE)

    def paintEvent(self, _event: object) -> None:
        painter = QPainter(self)
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
            painter.drawPixmap(
                box.left() + (PICTURE - tile.picture.width()) // 2,
                box.top() + (PICTURE - tile.picture.height()) // 2,
                tile.picture,
            )
            if place == self._chosen:
                painter.setPen(QPen(tone.shown, 2))
                painter.drawRect(box)
            painter.setPen(tone.text)
            below = QRect(box.left() - 1, box.bottom() + 1, PICTURE + 2, metrics.lineSpacing())
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
