"""The references of a question: what they are, why they are among them, ticked off or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QTableWidgetItem, QWidget

from napari_cellclip.gui.panels.list_table import ListTable
from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

COLUMNS = {"Reference": 20, "Mechanism": 26, "Dose (µM)": 9, "Why": 22, "Source": 20}


class ReferenceTable(ListTable):
    """One row a reference treatment; the value is the names that are ticked off.

    The last reference that is ticked stays so, for a question needs one.
    """

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self._filling = False
        self.setAccessibleName("References of the question")
        self.setToolTip("Untick a reference to ask again without it")
        self.horizontalHeader().setStretchLastSection(True)
        self.itemChanged.connect(self._changed)

    def names(self) -> list[str]:
        """Names of all references shown."""
        return [self.item(row, 0).text() for row in range(self.rowCount())]

    def value(self) -> tuple[str, ...]:
        """Names of the references that are ticked off."""
        unticked = Qt.CheckState.Unchecked
        items = [self.item(row, 0) for row in range(self.rowCount())]
        return tuple(item.text() for item in items if item.checkState() == unticked)

    def setValue(self, ticked_off: Iterable[str]) -> None:
        """Tick these names off and all others on."""
        off = set(ticked_off)
        self._filling = True
        for row in range(self.rowCount()):
            item = self.item(row, 0)
            item.setCheckState(Qt.CheckState.Unchecked if item.text() in off else Qt.CheckState.Checked)
        self._filling = False

    def fill(self, members: pd.DataFrame, ticked_off: Iterable[str] = ()) -> None:
        """Show references, doses of one in one row.

        Parameters
        ----------
        members : DataFrame
            ``name``, ``mechanism``, ``dose``, ``why`` and ``source``.
        ticked_off : iterable of str
            Names to tick off.
        """
        self._filling = True
        groups = list(members.groupby("name", sort=False)) if len(members) else []
        self.setRowCount(len(groups))
        for row, (name, rows) in enumerate(groups):
            doses = ", ".join(f"{dose:.3g}" for dose in sorted(rows["dose"].dropna().unique()))
            texts = (
                str(name),
                _listed(rows["mechanism"]).replace("|", ", "),
                doses,
                _listed(rows["why"]),
                _listed(rows["source"]),
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(plain(text))
                if column == 0:
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                self.setItem(row, column, item)
        self.setValue(ticked_off)
        self.setColumnHidden(2, not members["dose"].notna().any() if len(members) else True)

    def _changed(self, item: QTableWidgetItem) -> None:
        if self._filling or item.column() != 0:
            return
        if len(self.value()) == self.rowCount():
            self.setValue(name for name in self.names() if name != item.text())
            return
        self.valueChanged.emit(self.value())


def _listed(column: pd.Series) -> str:
    return "; ".join(dict.fromkeys(str(text) for text in column if text))
