"""The Describe tab: which words fit the selected wells, every treatment, the clusters of the map."""

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
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.state.requests import Task, Work
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.gui.work.workers import sentence
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.explore.describe import Description

MOST_TERMS = 50
OWN = "own list …"
FEW_TERMS = 5000
"""Most terms that a list of one's own may hold."""


def read_terms(path: Path) -> tuple[str, ...]:
    """Terms of a text file, one a line; empty lines and those that begin with # are left out.

    Raises
    ------
    CellClipError
        If it is no text, holds no term, or too many.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CellClipError(
            f"{path.name} cannot be read as text: save it as UTF-8, one term a line"
        ) from error
    terms = tuple(
        dict.fromkeys(t for line in lines if (t := " ".join(line.split())) and not t.startswith("#"))
    )
    if not 0 < len(terms) <= FEW_TERMS:
        raise CellClipError(f"{path.name} holds {len(terms)} terms: give 1 to {FEW_TERMS}, one a line")
    return terms


class DescribePanel(QWidget):
    """Asks for words and shows them.

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
        self.vocabulary = QComboBox()
        self.vocabulary.addItems(["mechanisms", "compounds", "genes", OWN])
        self.vocabulary.setToolTip(
            "The words to choose from; a list of your own is a text file, one term a line"
        )
        self.button = QPushButton("Describe selected")
        self.button.setToolTip("Rank the words by how well they fit the selected wells, judged together")
        self.all_button = QPushButton("All treatments")
        self.all_button.setToolTip("The best word of every treatment and dose, with its confidence")
        self.name = QPushButton("Name clusters")
        self.name.setCheckable(True)
        self.name.setToolTip("Write on the map which words fit each of its clusters; silent where none does")
        self.save = QPushButton("Save …")
        self.save.setToolTip("Write this table as CSV")
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.RichText)
        self.state.setWordWrap(True)
        self.table = QTableWidget()
        self.table.setAccessibleName("Words")
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.horizontalHeader().setHighlightSections(False)
        first, second = QHBoxLayout(), QHBoxLayout()
        for widget in (self.vocabulary, self.button, self.all_button):
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

        self.vocabulary.activated.connect(self._vocabulary_chosen)
        self.button.clicked.connect(self._describe)
        self.all_button.clicked.connect(lambda: session.annotate(self.words()))
        self.name.toggled.connect(self._name_toggled)
        self.save.clicked.connect(self._choose_file)
        self.table.itemSelectionChanged.connect(self._row_chosen)
        self.table.cellDoubleClicked.connect(self._asked)
        session.described.connect(self.setValue)
        session.screen_changed.connect(self._screen_changed)
        session.clusters_changed.connect(self._clusters_changed)
        session.selection.changed.connect(self._selected)
        session.work_changed.connect(self._work_changed)
        self._screen_changed()

    def words(self) -> str | tuple[str, ...]:
        """The vocabulary chosen: its name, or terms of the user's own."""
        return self._own if self.vocabulary.currentText() == OWN else self.vocabulary.currentText()

    def value(self) -> Description | pd.DataFrame | None:
        """What is shown: a description of wells, or a table of all treatments."""
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
            table = shown.table.head(MOST_TERMS)
            self._fill(table[["term", "score", "q"]], tuple((table["q"] <= shown.fdr).to_numpy(bool)))
        self.save.setEnabled(shown is not None)
        self._say()
        self.valueChanged.emit(shown)

    def _say(self) -> None:
        shown = self._shown
        if isinstance(shown, pd.DataFrame):
            named = int((shown["term"] != "").sum())
            text = f"<b>A word stands out for {named} of {counted(len(shown), 'treatment')}</b>"
        elif shown is not None:
            text = " ".join([f"<b>{escape(shown.verdict)}</b>", *map(escape, shown.notes)])
        elif self.session.screen is not None and not len(self.session.selection):
            text = "Select wells, by a lasso on the map for example."
        else:
            text = ""
        self.state.setText(text)

    def _fill(self, table: pd.DataFrame, bright: tuple[bool, ...]) -> None:
        self.table.clear()
        self.table.setRowCount(len(table))
        self.table.setColumnCount(len(table.columns))
        self.table.setHorizontalHeaderLabels([str(name).replace("n_wells", "n") for name in table.columns])
        grey = tones(self).between(0.55)
        for row, (index, values) in enumerate(zip(table.index, table.to_numpy(object), strict=True)):
            for column, value in enumerate(values):
                number = isinstance(value, (float, int, np.number))
                text = ("" if np.isnan(value) else f"{value:.3g}") if number else str(value)
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setData(Qt.ItemDataRole.UserRole, index)
                if number:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if not bright[row]:
                    item.setForeground(grey)
                self.table.setItem(row, column, item)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column, name in enumerate(table.columns):
            if name in ("term", "treatment", "best"):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    def write(self, path: Path) -> None:
        """Write what is shown as CSV; a failure is told in one sentence."""
        if self._shown is None:
            return
        table = self._shown if isinstance(self._shown, pd.DataFrame) else self._shown.table
        try:
            table.to_csv(path, index=isinstance(self._shown, pd.DataFrame))
        except OSError as error:
            self.session.said.emit(Task.DESCRIBE, sentence(error))
        else:
            self.session.said.emit(Task.DESCRIBE, f"Written: {path}")

    def load(self, path: Path) -> None:
        """Take the vocabulary from a text file; a failure is told in one sentence."""
        try:
            self._own = read_terms(path)
        except CellClipError as error:
            self.session.said.emit(Task.DESCRIBE, sentence(error))
            self.vocabulary.setCurrentIndex(0)
        else:
            self.state.setText(escape(f"{counted(len(self._own), 'term')} of {path.name}"))

    def _vocabulary_chosen(self, _index: int) -> None:
        if self.vocabulary.currentText() != OWN:
            return
        name, _ = QFileDialog.getOpenFileName(
            self, "Terms, one a line", "", "Text (*.txt *.csv *.tsv);;All (*)"
        )
        if name:
            self.load(Path(name))
        else:
            self.vocabulary.setCurrentIndex(0)

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save", "words.csv", "Table (*.csv)")
        if name:
            self.write(Path(name))

    def _describe(self) -> None:
        self.session.describe(sorted(self.session.selection.ids), self.words())

    def _name_toggled(self, on: bool) -> None:
        if on:
            self.session.name_clusters(self.words())
        else:
            self.session.clusters = ()

    def _row_chosen(self) -> None:
        """Select the wells of a treatment that is picked in the table of all treatments."""
        if isinstance(self._shown, pd.DataFrame):
            from napari_cellclip.explore.calibration.replicates import JOIN

            rows = {item.row() for item in self.table.selectedItems()}
            wells = {
                w
                for row in rows
                for w in str(self.table.item(row, 0).data(Qt.ItemDataRole.UserRole)).split(JOIN)
            }
            if wells:
                self.session.selection.replace(wells)

    def _asked(self, row: int, _column: int) -> None:
        """Ask a word that is double-clicked."""
        if self._shown is not None and not isinstance(self._shown, pd.DataFrame):
            self.session.ask(self.table.item(row, 0).text())

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
            self._say()

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
            self._asked(self.table.currentRow(), 0)
            return
        super().keyPressEvent(event)
