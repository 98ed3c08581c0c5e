"""A table to read and to choose rows of."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QWidget


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
        for column, letters in enumerate(columns.values()):
            self.setColumnWidth(column, letters * self.fontMetrics().averageCharWidth() + 12)
