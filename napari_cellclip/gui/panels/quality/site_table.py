"""Sites that stand out in quality, or are excluded: a table to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidgetItem, QWidget

from napari_cellclip.gui.panels.list_table import ListTable
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.vocabulary import split_id

COLUMNS = {"Site": 14, "Stands out": 34, "Excluded": 12}
SITE = Qt.ItemDataRole.UserRole
"""Id of the site of a row, in its first column."""
LISTED = 1000
"""Most sites listed; the terminal writes them all (napari-cellclip quality SCREEN --out FILE)."""


class SiteTable(ListTable):
    """One row a site; a double-click or Enter opens it. The value is the ids of the rows selected."""

    opened = Signal(str)
    valueChanged = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self.setAccessibleName("Sites that stand out in quality")
        self.setToolTip(
            "Sites out of focus, saturated, empty or of bright background, compared with their plate.\n"
            "Double-click shows one on the canvas."
        )
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.cellDoubleClicked.connect(self._open)
        self.itemSelectionChanged.connect(lambda: self.valueChanged.emit(self.value()))

    def value(self) -> tuple[str, ...]:
        """Ids of the sites selected, from top to bottom."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        return tuple(str(self.item(row, 0).data(SITE)) for row in rows)

    def setValue(self, sites: Sequence[str]) -> None:
        """Select the rows of these sites; those that are not listed are passed over."""
        self.clearSelection()
        mode = self.selectionMode()
        self.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        for row in range(self.rowCount()):
            if self.item(row, 0).data(SITE) in sites:
                self.selectRow(row)
        self.setSelectionMode(mode)

    def fill(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Show sites: id, what stands out, why it is excluded; of one plate, its name is not repeated."""
        one_plate = len({split_id(site)[0] for site, *_ in rows}) < 2
        self.setSortingEnabled(False)
        self.clearSelection()
        self.setRowCount(len(rows[:LISTED]))
        for row, texts in enumerate(rows[:LISTED]):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(named(text, one_plate) if column == 0 else text)
                item.setToolTip(plain(text))
                if column == 0:
                    item.setData(SITE, text)
                self.setItem(row, column, item)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentRow() >= 0:
            self._open(self.currentRow(), 0)
        else:
            super().keyPressEvent(event)

    def _open(self, row: int, _column: int) -> None:
        self.opened.emit(str(self.item(row, 0).data(SITE)))


def named(site: str, one_plate: bool) -> str:
    """Name a site (id) for the table: its well and number, after its plate where there are several.

    Examples
    --------
    >>> named("P1/C05/2", one_plate=True)
    'C05 · site 2'
    """
    plate, well, number = split_id(site)
    return f"{well} · site {number}" if one_plate else f"{plate} · {well} · site {number}"
