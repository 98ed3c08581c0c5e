"""The last line: how many wells are in colour, and the ways out."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_cellclip.gui.state.requests import Task
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.gui.work.exports import export, python_script
from napari_cellclip.gui.work.workers import sentence
from napari_cellclip.vocabulary import CellClipError

FORMATS = "Hit list (*.csv *.tsv);;AnnData (*.h5ad);;Parquet (*.parquet)"


class Footer(QWidget):
    """Counts, export, and the session as Python.

    Parameters
    ----------
    session : Session
        Read only.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.session = session
        self.count = QLabel()
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.select = QPushButton("Select")
        self.select.setToolTip("Select the wells in colour, in every view")
        self.export_button = QPushButton("Export")
        menu = QMenu(self.export_button)
        menu.addAction("All wells or the screen …", self._export_all)
        menu.addAction("Selected wells …", self._export_selected)
        self.export_button.setMenu(menu)
        self.copy = QPushButton("Copy as Python")
        self.copy.setToolTip("Copy a script that gives this answer without a window")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.count, 1)
        layout.addWidget(self.select)
        layout.addWidget(self.export_button)
        layout.addWidget(self.copy)
        self.select.clicked.connect(self._select)
        self.copy.clicked.connect(self.copy_script)
        session.wells_changed.connect(self.refresh)
        session.view_changed.connect(self._refresh_later)
        session.selection.changed.connect(self._refresh_later)
        self.refresh()

    def refresh(self) -> None:
        """Count again."""
        session = self.session
        matching, answered = session.matching, session.answer is not None
        if not answered:
            text = counted(len(session.wells), "well") if len(session.wells) else ""
        elif session.judged:
            text = f"<b>{counted(len(matching), 'well')}</b> in colour" if matching else "No confident match"
        elif matching:
            text = f"<b>{counted(len(matching), 'well')}</b> score ≥ {session.view.threshold:g} (no verdict)"
        else:
            text = f"<b>No well</b> has a score ≥ {session.view.threshold:g}"
        if len(session.selection):
            text += f" · {len(session.selection)} selected"
        self.count.setText(text)
        self.select.setEnabled(bool(matching))
        self.export_button.setEnabled(len(session.wells) > 0)
        self.copy.setEnabled(session.screen is not None)

    def copy_script(self) -> None:
        """Put the script on the clipboard."""
        try:
            QApplication.clipboard().setText(python_script(self.session))
        except CellClipError as error:
            self.session.said.emit(Task.OPEN, sentence(error))

    def save(self, path: Path, selected_only: bool = False) -> None:
        """Write to a file; a failure is told in one sentence."""
        try:
            export(self.session, path, selected_only)
        except (CellClipError, OSError) as error:
            self.session.said.emit(Task.OPEN, sentence(error))
        else:
            self.session.said.emit(Task.OPEN, f"Written: {path}")

    def _refresh_later(self, _: object) -> None:
        self.refresh()

    def _select(self) -> None:
        self.session.selection.replace(self.session.matching)

    def _export_all(self) -> None:
        self._choose(False)

    def _export_selected(self) -> None:
        self._choose(True)

    def _choose(self, selected_only: bool) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export", "hits.csv", FORMATS)
        if name:
            self.save(Path(name), selected_only)
