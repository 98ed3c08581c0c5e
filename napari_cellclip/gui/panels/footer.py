"""The last line: how many wells are highlighted, and exports."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_cellclip.gui.panels.figure.figure_files import figure_filter
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.session_menus import SelectionMenu, SessionMenu
from napari_cellclip.gui.plain_text import PlainElidingLabel, plain
from napari_cellclip.gui.state.export_requests import ExportRequest, FigureRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.gui.work.files.python_script import python_script
from napari_cellclip.gui.work.workers import sentence
from napari_cellclip.vocabulary import CellClipError


class Footer(QWidget):
    """Counts, export, and the session as Python.

    Parameters
    ----------
    session : Session
        Read, and sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.session = session
        self.count = PlainElidingLabel()
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.select = QPushButton("Select")
        self.select.setToolTip("Select the highlighted wells in every view")
        self.export_button = QPushButton("Export")
        menu = QMenu(self.export_button)
        menu.addAction("Export all wells, or the screen with embeddings …", self._export_all)
        menu.addAction("Export selected wells …", self._export_selected)
        menu.addSeparator()
        menu.addAction("Export figure (PDF, PNG, SVG) …", self._export_figure)
        self.export_button.setMenu(menu)
        self.selection = SelectionMenu(session)
        self.session_menu = SessionMenu(session)
        self.copy = QPushButton("</>")
        self.copy.setAccessibleName("Copy as Python")
        self.export_button.setToolTip(
            "Write the wells, the screen with its embeddings, or a figure to a file"
        )
        self.copy.setToolTip("Copy as Python: a script that gives this answer without the window")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.count, 1)
        layout.addWidget(self.select)
        layout.addWidget(self.selection)
        layout.addWidget(self.session_menu)
        layout.addWidget(self.export_button)
        layout.addWidget(self.copy)
        self.select.clicked.connect(self._select)
        self.copy.clicked.connect(self.copy_script)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.view_changed, self._refresh_later)
        listen(self, session.selection.changed, self._refresh_later)
        self.refresh()

    def refresh(self) -> None:
        """Count again."""
        session = self.session
        chosen, answered = session.highlighted_wells, session.answer is not None
        wells = counted(len(chosen), "well")
        if not answered or session.highlight == "all":
            text = counted(len(session.wells), "well") if len(session.wells) else ""
        elif session.highlight == "significant":
            text = f"{wells} significant" if chosen else "No confident match"
        else:
            text = f"{wells if chosen else 'No well'} with score ≥ {session.view.threshold:g}"
        if len(session.selection):
            text += f" · {len(session.selection)} selected"
        self.count.setText(text)
        self.count.setToolTip(plain(text))
        self.select.setEnabled(answered and bool(chosen))
        self.export_button.setEnabled(len(session.wells) > 0)
        self.copy.setEnabled(session.screen is not None)

    def copy_script(self) -> None:
        """Put the script on the clipboard."""
        try:
            script = python_script(self.session)
        except CellClipError as error:
            self.session.message.emit(Task.EXPORT, sentence(error))
            return
        QApplication.clipboard().setText(script)
        lines = counted(len(script.splitlines()), "line")
        self.session.message.emit(Task.EXPORT, f"Copied: {lines} of Python that give this answer.")

    def save(self, path: Path, selected_only: bool = False) -> None:
        """Have a file written, in a worker; a message says where, or why not."""
        self.session.request(ExportRequest(path, selected_only))

    def save_figure(self, path: Path) -> None:
        """Have what is seen now written on a page, in a worker; a message says where, or why not."""
        self.session.request(FigureRequest(path))

    def _refresh_later(self, _: object) -> None:
        self.refresh()

    def _select(self) -> None:
        self.session.selection.replace(self.session.highlighted_wells)

    def _export_all(self) -> None:
        self._choose(False)

    def _export_selected(self) -> None:
        self._choose(True)

    def _export_figure(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export figure", "figure.pdf", figure_filter())
        if name:
            self.save_figure(Path(name))

    def _choose(self, selected_only: bool) -> None:
        from napari_cellclip.screen.export import file_filter

        name, _ = QFileDialog.getSaveFileName(self, "Export", "hits.csv", file_filter())
        if name:
            self.save(Path(name), selected_only)
