"""A table to read and to choose rows of."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QWidget,
)

from napari_cellclip.gui.panels.theme import tones

QUIET = Qt.ItemDataRole.UserRole + 20
"""Role of an item whose text matters less: whether it does."""


class QuietItems(QStyledItemDelegate):
    """Draws the items that are :data:`QUIET` in a grey chosen as they are drawn: it follows the theme."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        if index.data(QUIET):
            behind = option.palette.color(QPalette.ColorRole.Base)
            option.palette.setColor(QPalette.ColorRole.Text, tones(option.widget).quiet(behind))


class ListTable(QTableWidget):
    """One row a thing, whole rows selected, nothing edited; columns start at widths in letters.

    Parameters
    ----------
    columns : mapping of str to int
        Titles, each with the width of its column in letters.
    """

    def __init__(self, columns: Mapping[str, int], parent: QWidget | None = None) -> None:
        super().__init__(0, len(columns), parent)
        self.setHorizontalHeaderLabels(list(columns))
        self.setItemDelegate(QuietItems(self))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, letters in enumerate(columns.values()):
            self.setColumnWidth(column, letters * self.fontMetrics().averageCharWidth() + 12)
