"""The Describe tab: which terms fit the selected wells, each treatment, the clusters of the map."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.explain.terms_file import read_terms
from napari_cellclip.gui.panels.list_table import QUIET, QuietItems
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import RichLabel, plain
from napari_cellclip.gui.state.export_requests import SaveTableRequest
from napari_cellclip.gui.state.requests import (
    AnnotateRequest,
    AskRequest,
    DescribeRequest,
    NameClustersRequest,
    Terms,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.gui.work.workers import sentence
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.ids import split_ids

if TYPE_CHECKING:
    from napari_cellclip.explore.describe import Description

NO_SCREEN = "Open a screen, or encode a plate: then the terms that fit selected wells are ranked here."
MOST_ROWS = 50
HEADINGS = {
    "term": "Term",
    "best": "Best term",
    "treatment": "Treatment",
    "dose": "Dose",
    "n_wells": "n",
    "score": "Score",
}
OWN = "own list"
"""Item of the terms combo that stands for a text file of the user."""


class DescribePanel(QWidget):
    """Asks which terms fit wells and shows them.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._shown: Description | pd.DataFrame | None = None
        self._own: tuple[str, ...] = ()
        self.terms = QComboBox()
        self.terms.setAccessibleName("Terms to choose from")
        for title, key in (("Mechanisms", "mechanisms"), ("Compounds", "compounds"), ("Genes", "genes")):
            self.terms.addItem(title, key)
        self.terms.addItem("Own list …", OWN)
        self.terms.setToolTip("The terms to choose from; a list of your own is a text file, one term a line")
        self.button = QPushButton("Describe selected")
        self.button.setToolTip("Rank the terms by how well they fit the selected wells as a group")
        self.all_button = QPushButton("Describe all")
        self.all_button.setToolTip("Find the best term for each treatment and dose, with its q-value")
        self.name = QPushButton("Name clusters")
        self.name.setCheckable(True)
        self.name.setToolTip(
            "Label each cluster of the map with the term that fits it.\n"
            "Clusters without a significant term stay unlabelled."
        )
        self.save = QPushButton("Save …")
        self.save.setToolTip("Save this table as CSV")
        self.state = RichLabel()
        self.state.setWordWrap(True)
        self.table = QTableWidget()
        self.table.setItemDelegate(QuietItems(self.table))
        self.table.setAccessibleName("Terms")
        self.table.setToolTip("Terms that fit the selected wells, the best first")
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(True)  # terms are read whole, on two lines where need be
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.horizontalHeader().setHighlightSections(False)
        first, second = QHBoxLayout(), QHBoxLayout()
        for widget in (self.terms, self.button, self.all_button):
            first.addWidget(widget)
        first.addStretch(1)
        second.addWidget(self.state, 1)
        for widget in (self.name, self.save):
            second.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.table, 1)

        self.terms.activated.connect(self._terms_chosen)
        self.button.clicked.connect(self._describe)
        self.all_button.clicked.connect(self._annotate)
        self.name.toggled.connect(self._name_toggled)
        self.save.clicked.connect(self._choose_file)
        self.table.itemSelectionChanged.connect(self._row_chosen)
        self.table.cellDoubleClicked.connect(self._ask_term)
        listen(self, session.described, self.setValue)
        listen(self, session.screen_changed, self._screen_changed)
        listen(self, session.clusters_changed, self._clusters_changed)
        listen(self, session.selection.changed, self._selected)
        listen(self, session.work_changed, self._work_changed)
        self._screen_changed()

    def chosen_terms(self) -> Terms:
        """Return the list of terms chosen: its name, or the terms of the user's own list."""
        return self._own if self.terms.currentData() == OWN else str(self.terms.currentData())

    def value(self) -> Description | pd.DataFrame | None:
        """Return what is shown: a description of wells, or a table of all treatments."""
        return self._shown

    def setValue(self, shown: Description | pd.DataFrame | None) -> None:
        """Show a description, or a table of all treatments."""
        self._shown = shown
        if shown is None:
            self._fill(pd.DataFrame(), ())
        elif isinstance(shown, pd.DataFrame):
            table = shown.sort_values("q", kind="stable")
            columns = ["treatment", "dose", "n_wells", "term", "best", "q"]
            self._fill(table[columns], tuple(table["term"] != ""))
        else:
            table = shown.table.head(MOST_ROWS)
            self._fill(table[["term", "score", "q"]], tuple((table["q"] <= shown.fdr).to_numpy(bool)))
        self.save.setEnabled(shown is not None)
        self._show_state()
        self.valueChanged.emit(shown)

    def _show_state(self) -> None:
        shown = self._shown
        if isinstance(shown, pd.DataFrame):
            named = int((shown["term"] != "").sum())
            text = f"<b>A term is significant for {named} of {counted(len(shown), 'treatment')}</b>"
        elif shown is not None:
            text = " ".join([f"<b>{escape(shown.verdict)}</b>", *map(escape, shown.notes)])
        elif self.session.screen is not None and not len(self.session.selection):
            text = "Select wells first, for example with the lasso on the map."
        else:
            text = "" if self.session.screen is not None else NO_SCREEN
        self.state.setText(text)

    def _fill(self, table: pd.DataFrame, bright: tuple[bool, ...]) -> None:
        self.table.clear()
        self.table.setRowCount(len(table))
        self.table.setColumnCount(len(table.columns))
        self.table.setHorizontalHeaderLabels([HEADINGS.get(str(name), str(name)) for name in table.columns])
        for row, (index, values) in enumerate(zip(table.index, table.to_numpy(object), strict=True)):
            for column, value in enumerate(values):
                number = isinstance(value, (float, int, np.number))
                text = ("" if np.isnan(value) else f"{value:.3g}") if number else str(value)
                item = QTableWidgetItem(text)
                item.setToolTip(plain(text))
                item.setData(Qt.ItemDataRole.UserRole, index)
                if number:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setData(QUIET, not bright[row])
                self.table.setItem(row, column, item)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column, name in enumerate(table.columns):
            if name in ("term", "treatment", "best"):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    def write(self, path: Path) -> None:
        """Have what is shown written as CSV, in a worker; a message says where, or why not."""
        if self._shown is None:
            return
        treatments = isinstance(self._shown, pd.DataFrame)
        table = self._shown if isinstance(self._shown, pd.DataFrame) else self._shown.table
        self.session.request(SaveTableRequest(path, table, index=treatments))

    def load(self, path: Path) -> None:
        """Take the terms from a text file; a failure becomes one sentence."""
        try:
            self._own = read_terms(path)
        except CellClipError as error:
            self.session.message.emit(Task.DESCRIBE, sentence(error))
            self.terms.setCurrentIndex(0)
        else:
            self.state.setText(escape(f"{counted(len(self._own), 'term')} of {path.name}"))

    def _terms_chosen(self, _index: int) -> None:
        if self.terms.currentData() != OWN:
            return
        name, _ = QFileDialog.getOpenFileName(
            self, "Terms, one a line", "", "Text (*.txt *.csv *.tsv);;All (*)"
        )
        if name:
            self.load(Path(name))
        else:
            self.terms.setCurrentIndex(0)

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save", "terms.csv", "Table (*.csv)")
        if name:
            self.write(Path(name))

    def _describe(self) -> None:
        wells = tuple(sorted(self.session.selection.ids))
        self.session.request(DescribeRequest(wells, self.chosen_terms()))

    def _annotate(self) -> None:
        self.session.request(AnnotateRequest(self.chosen_terms()))

    def _name_toggled(self, on: bool) -> None:
        if on:
            self.session.request(NameClustersRequest(self.chosen_terms()))
        else:
            self.session.clusters = ()

    def _row_chosen(self) -> None:
        """Select the wells of a treatment that is picked in the table of all treatments."""
        if isinstance(self._shown, pd.DataFrame):
            rows = {item.row() for item in self.table.selectedItems()}
            wells = {
                w for row in rows for w in split_ids(self.table.item(row, 0).data(Qt.ItemDataRole.UserRole))
            }
            if wells:
                self.session.selection.replace(wells)

    def _ask_term(self, row: int, _column: int) -> None:
        """Ask for a term that is double-clicked."""
        if self._shown is not None and not isinstance(self._shown, pd.DataFrame):
            self.session.request(AskRequest(self.table.item(row, 0).text()))

    def _screen_changed(self) -> None:
        self.setValue(None)
        self._selected(self.session.selection.ids)

    def _clusters_changed(self) -> None:
        self.name.blockSignals(True)
        self.name.setChecked(bool(self.session.clusters))
        self.name.blockSignals(False)

    def _selected(self, ids: frozenset[str]) -> None:
        there = self.session.screen is not None
        self.button.setEnabled(there and bool(ids))
        self.all_button.setEnabled(there)
        self.name.setEnabled(there)
        if self.session.work(Task.DESCRIBE) is None:
            self._show_state()

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task != Task.DESCRIBE:
            return
        for widget in (self.button, self.all_button, self.name):
            widget.setEnabled(work is None)
        if work is not None:
            self.state.setText(escape(f"{work.message} …"))
        else:
            self._selected(self.session.selection.ids)
            self._clusters_changed()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.table.currentRow() >= 0:
            self._ask_term(self.table.currentRow(), 0)
            return
        super().keyPressEvent(event)
