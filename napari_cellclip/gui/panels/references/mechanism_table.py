"""What can this assay see? The mechanisms whose references find each other, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidgetItem, QWidget

from napari_cellclip.gui.panels.list_table import QUIET, ListTable
from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {"Mechanism": 36, "Recognisable": 13, "References": 12, "Precision": 9, "Chance": 8, "p": 6, "q": 6}
TIPS = {
    "Recognisable": "Three references or more, p ≤ 0.05: a match can be significant",
    "References": "Compounds or genes that carry it; two make one pair, a single observation",
    "Precision": "Average precision of finding a reference by likeness to the others, each left out in turn",
    "Chance": "The same for random references",
    "p": "Share of random sets of references at least as good; of this mechanism alone",
    "q": "False-discovery rate over all mechanisms that were tested",
}
NUMBER = Qt.ItemDataRole.UserRole


class _Number(QTableWidgetItem):
    """A number that sorts as one."""

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return bool(self.data(NUMBER) < other.data(NUMBER))


class MechanismTable(ListTable):
    """One row a mechanism; a click or Enter asks for it. The value is the mechanism of the current row."""

    asked = Signal(str)
    valueChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(COLUMNS, parent)
        for column, title in enumerate(COLUMNS):
            self.horizontalHeaderItem(column).setToolTip(plain(TIPS.get(title, "")))
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setAccessibleName("Recognisable mechanisms")
        self.setToolTip("Click a mechanism to ask for it")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.cellClicked.connect(self._clicked)
        self.itemSelectionChanged.connect(lambda: self.valueChanged.emit(self.value()))

    def value(self) -> str:
        """Return the mechanism of the current row, or an empty text."""
        return self.item(self.currentRow(), 0).text() if self.currentRow() >= 0 else ""

    def setValue(self, mechanism: str) -> None:
        """Make the row of a mechanism the current one, without asking."""
        for row in range(self.rowCount()):
            if self.item(row, 0).text() == mechanism:
                self.setCurrentCell(row, 0)

    def fill(self, table: pd.DataFrame | None) -> None:
        """Show a table of mechanisms: see ``explore.recognisable_mechanisms``."""
        self.setSortingEnabled(False)
        self.setRowCount(0 if table is None else len(table))
        if table is None:
            return
        for row, (name, found) in enumerate(zip(table.index, table.to_dict("records"), strict=True)):
            is_open = bool(found["recognisable"])
            items = (
                QTableWidgetItem(str(name)),
                QTableWidgetItem("yes" if is_open else "no"),
                _number(found["references"], "{:.0f}"),
                _number(found["precision"], "{:.2f}"),
                _number(found["chance"], "{:.2f}"),
                _number(found["p"], "{:.3f}"),
                _number(found["q"], "{:.3f}"),
            )
            for column, item in enumerate(items):
                item.setToolTip(plain(f"{name}: {found['names']}"))
                item.setData(QUIET, not is_open)
                self.setItem(row, column, item)
        self.setSortingEnabled(True)
        self.sortByColumn(list(COLUMNS).index("p"), Qt.SortOrder.AscendingOrder)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentRow() >= 0:
            self._clicked(self.currentRow(), 0)
        else:
            super().keyPressEvent(event)

    def _clicked(self, row: int, _column: int) -> None:
        self.asked.emit(self.item(row, 0).text())


def _number(value: float, form: str) -> QTableWidgetItem:
    item = _Number(form.format(value))
    item.setData(NUMBER, float(value))
    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
