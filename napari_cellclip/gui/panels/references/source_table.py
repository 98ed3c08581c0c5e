"""Where reference treatments come from, with licence and attribution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QTableWidgetItem, QWidget

from napari_cellclip.gui.panels.list_table import ListTable
from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    from napari_cellclip.gui.state.references import AddedReferences

COLUMNS = {"Source": 24, "Treatments": 10, "Cells": 8, "Hours": 6, "Licence": 14, "Attribution": 40}
PATH = Qt.ItemDataRole.UserRole


class SourceTable(ListTable):
    """One row a source that was added; the value is the path of the current row."""

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self.setAccessibleName("Sources of references")
        self.setToolTip("Screens and files whose treatments serve as references")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setStretchLastSection(True)
        self.itemSelectionChanged.connect(lambda: self.valueChanged.emit(self.value()))

    def value(self) -> Path | None:
        """Return the path from which the current row's source was read; ``None`` where there is none."""
        row = self.currentRow()
        return self.item(row, 0).data(PATH) if row >= 0 else None

    def setValue(self, path: Path | None) -> None:
        """Make the row of a path the current one."""
        rows = [row for row in range(self.rowCount()) if self.item(row, 0).data(PATH) == path]
        self.setCurrentCell(rows[0] if rows else -1, 0)

    def fill(self, own: str, added: AddedReferences | None) -> None:
        """Show the sources: the plate map if it is one (`own` is its name), then those that were added."""
        rows: list[tuple[Path | None, tuple[str, ...]]] = []
        if own:
            rows.append((None, (own, "", "", "", "", "Labels of the open screen")))
        for part in added.parts if added is not None else ():
            counts = part.references.treatments.groupby("source")["name"].nunique()
            for source in part.references.sources:
                hours = f"{source.hours:g}" if source.hours is not None else ""
                texts = (
                    source.name,
                    str(int(counts.get(source.name, 0))),
                    source.cell_line,
                    hours,
                    source.licence or "not stated",
                    source.attribution,
                )
                rows.append((part.path, texts))
        self.setRowCount(len(rows))
        for row, (path, texts) in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(plain(f"{text}\n{path}" if path is not None and column == 0 else text))
                item.setData(PATH, path)
                self.setItem(row, column, item)
        self.setCurrentCell(-1, 0)
