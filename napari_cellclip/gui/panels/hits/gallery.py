"""The hits as a gallery: a picture for each well, best first."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QPainter, QPen
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from napari_cellclip.gui.panels.hits.chips import LazyPictures
from napari_cellclip.gui.panels.hits.hits_model import ID_ROLE
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.session import Session

SIDE = 96
"""Side of a picture in pixels."""
MARGIN = 4


class GalleryModel(QAbstractListModel):
    """Wells in an order, each with its name, treatment and score."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._thumbnails = session, thumbnails
        self._ids: list[str] = []
        self.row_of: dict[str, int] = {}

    @property
    def ids(self) -> list[str]:
        """Ids of the wells in the order shown."""
        return self._ids

    def show(self, ids: list[str]) -> None:
        """Show these wells."""
        self.beginResetModel()
        self._ids, self.row_of = ids, {well: row for row, well in enumerate(ids)}
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._ids)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        well = self._ids[index.row()]
        if role == ID_ROLE:
            return well
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._thumbnails.tooltip(well)
        if role == Qt.ItemDataRole.DisplayRole:
            row = self._session.wells.loc[well]
            score = f" · {row['score']:.1f}" if np.isfinite(row["score"]) else ""
            return f"{row['well']}{score}\n{row['treatment']}"
        return None


class GalleryDelegate(QStyledItemDelegate):
    """Draws picture and caption; the selection is a frame, so that it tints no picture."""

    def __init__(self, session: Session, pictures: LazyPictures, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._pictures = session, pictures

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        well, tone = index.data(ID_ROLE), tones(option.widget)
        box = QRect(
            option.rect.left() + (option.rect.width() - SIDE) // 2, option.rect.top() + MARGIN, SIDE, SIDE
        )
        picture = self._pictures.get(well, SIDE)
        painter.save()
        if picture is None:
            painter.fillRect(box, tone.between(0.12))
        else:
            painter.drawPixmap(
                box.left() + (SIDE - picture.width()) // 2,
                box.top() + (SIDE - picture.height()) // 2,
                picture,
            )
        edge = None
        if well == self._session.shown_well:
            edge = tone.shown
        elif option.state & QStyle.StateFlag.State_Selected:
            edge = tone.text
        if edge is not None:
            painter.setPen(QPen(edge, 3))
            painter.drawRect(box)
        metrics = option.fontMetrics
        for line, text in enumerate(str(index.data()).split("\n")):
            painter.setPen(tone.text if line == 0 else tone.between(0.7))
            place = QRect(
                option.rect.left() + MARGIN,
                box.bottom() + 2 + line * metrics.lineSpacing(),
                option.rect.width() - 2 * MARGIN,
                metrics.lineSpacing(),
            )
            elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, place.width())
            painter.drawText(place, Qt.AlignmentFlag.AlignHCenter, elided)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return QSize(SIDE + 4 * MARGIN, SIDE + 3 * MARGIN + 2 * option.fontMetrics.lineSpacing())


class GalleryView(QListView):
    """Pictures in rows that follow the width."""

    def __init__(
        self, session: Session, thumbnails: Thumbnails, model: GalleryModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(GalleryDelegate(session, LazyPictures(thumbnails, self.viewport()), self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName("Gallery of hits")
        self.setToolTip("Pictures of the wells, the best first; double-click shows one on the canvas")
