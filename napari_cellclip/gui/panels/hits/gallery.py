"""The hits as a gallery: a picture for each well, best first, and beside it the reference most like it."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPen
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from napari_cellclip.gui.panels.hits.chips import LazyPictures, draw_centred
from napari_cellclip.gui.panels.hits.hits_model import ID_ROLE, HitsModel
from napari_cellclip.gui.panels.theme import smaller, tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.session import Session

SIDE = 96
"""Side of a picture in pixels."""
MARGIN = 4
MECHANISM_LINES = 3
"""Lines below a picture for the mechanism, which is long."""

REFERENCE_ROLE = Qt.ItemDataRole.UserRole + 4
"""Well of the reference that stands beside a well, and its caption; nothing where there is none."""


class GalleryModel(QAbstractListModel):
    """Wells in an order, each with its name, treatment and score, and the reference most like it.

    Parameters
    ----------
    session : Session
        Its wells are shown.
    thumbnails : Thumbnails
        Pictures for the tooltips.
    hits : HitsModel
        Says which reference stands beside a well.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails, hits: HitsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._thumbnails, self._hits = session, thumbnails, hits
        self._ids: list[str] = []
        self.row_of: dict[str, int] = {}
        self.has_references = False

    @property
    def ids(self) -> list[str]:
        """Ids of the wells in the order shown."""
        return self._ids

    def show(self, ids: list[str]) -> None:
        """Show these wells."""
        self.beginResetModel()
        self._ids, self.row_of = ids, {well: row for row, well in enumerate(ids)}
        self.has_references = self._hits.has_reference_pictures
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
            beside = self._reference(well) if self.has_references else None
            written = f"<br>{escape(beside[1]).replace(chr(10), '<br>')}" if beside is not None else ""
            return self._thumbnails.tooltip(well) + written
        if role == Qt.ItemDataRole.DisplayRole:
            row = self._session.wells.loc[well]
            score = f" · {row['score']:.1f}" if np.isfinite(row["score"]) else ""
            mechanism = f"\n{row['mechanism']}" if self.has_references else ""
            return f"{row['well']}{score}\n{row['treatment']}{mechanism}"
        if role == REFERENCE_ROLE and self.has_references:
            return self._reference(well)
        return None

    def _reference(self, well: str) -> tuple[str, str] | None:
        """Well of the reference beside a well, and what is written below it: likeness, name, mechanism."""
        found = self._hits.reference_of(well)
        if found is None:
            return None
        row = self._session.wells.loc[found[0]]
        return found[0], f"≈ {found[1]:.2f} · {row['well']}\n{row['treatment']}\n{row['mechanism']}"


class GalleryDelegate(QStyledItemDelegate):
    """Draws picture and caption; the selection is a frame, so that it tints no picture."""

    def __init__(self, session: Session, pictures: LazyPictures, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._pictures = session, pictures

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        well, tone = index.data(ID_ROLE), tones(option.widget)
        reference = index.data(REFERENCE_ROLE)
        edge = None
        if well == self._session.shown_well:
            edge = tone.shown
        elif option.state & QStyle.StateFlag.State_Selected:
            edge = tone.text
        painter.save()
        left = option.rect.left() + MARGIN
        self._paint_one(painter, option, left, well, str(index.data()), edge)
        if reference is not None:
            self._paint_one(painter, option, left + SIDE + 2 * MARGIN, *reference, None)
        painter.restore()

    def _paint_one(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        left: int,
        well: str,
        caption: str,
        edge: QColor | None,
    ) -> None:
        """Draw the picture of a well, framed or not, with its caption below it."""
        tone = tones(option.widget)
        box = QRect(left, option.rect.top() + MARGIN, SIDE, SIDE)
        picture = self._pictures.get(well, SIDE)
        if picture is None:
            painter.fillRect(box, tone.between(0.12))
        else:
            draw_centred(painter, picture, box)
        if edge is not None:
            painter.setPen(QPen(edge, 3))
            painter.drawRect(box)
        painter.setFont(smaller(option.font))
        metrics = painter.fontMetrics()
        wide, high = SIDE + MARGIN, metrics.lineSpacing()
        for line, text in enumerate(caption_lines(caption.split("\n"), wide, metrics)):
            painter.setPen(tone.text if line == 0 else tone.quiet())
            place = QRect(left, box.bottom() + 2 + line * high, wide, high)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft, text)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        model: Any = index.model()
        pictures, lines = (2, 2 + MECHANISM_LINES) if model.has_references else (1, 2)
        height = SIDE + 3 * MARGIN + lines * QFontMetrics(smaller(option.font)).lineSpacing()
        return QSize(pictures * (SIDE + 2 * MARGIN) + 2 * MARGIN, height)


def caption_lines(texts: list[str], width: int, metrics: QFontMetrics) -> list[str]:
    """Fit a caption to a width: well and treatment on a line each, the mechanism, if any, on several.

    A treatment is shortened in the middle: at its end stands the dose.
    """
    middle = Qt.TextElideMode.ElideMiddle
    lines = [metrics.elidedText(text, middle, width) for text in texts[:2]]
    return lines + [line for text in texts[2:] for line in in_lines(text, width, metrics, MECHANISM_LINES)]


def in_lines(text: str, width: int, metrics: QFontMetrics, most: int) -> list[str]:
    """Break a text between words into lines of a width, and shorten the last one where they are too many."""
    lines, words = [], text.split()
    while words and len(lines) < most - 1:
        count = len(words)
        while count > 1 and metrics.horizontalAdvance(" ".join(words[:count])) > width:
            count -= 1
        lines.append(" ".join(words[:count]))
        words = words[count:]
    if words or not lines:
        lines.append(" ".join(words))
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in lines]


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
        self.setToolTip(
            "Pictures of the wells, the best first, each beside the reference most like it (≈ cosine),\n"
            "at one contrast for the plate. Double-click shows a well on the canvas."
        )
