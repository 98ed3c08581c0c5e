"""The menus of the last line: selections by name, with undo, and sessions as files."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMenu, QPushButton, QWidget

from napari_cellclip.gui.panels.menu_button import literal
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.recent import read_recent
from napari_cellclip.gui.state.requests import OpenSessionRequest, SaveSessionRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.gui.work.files.session_file import ENDINGS, SUFFIX, is_session_name

FILTER = f"Sessions ({' '.join(f'*{ending}' for ending in ENDINGS)})"


class SelectionMenu(QPushButton):
    """Save the selection by a name, bring one back, undo and redo.

    Parameters
    ----------
    session : Session
        Its selection is read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Selection", parent)
        self.session = session
        self.setToolTip("Save the selection by a name, bring one back, undo what was done last")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """Make the menu anew."""
        menu, selection, named = self.menu(), self.session.selection, self.session.named_selections
        assert menu is not None
        menu.clear()
        menu.addAction("Save selection as …", self._save).setEnabled(bool(selection.ids))
        if named.sets:
            menu.addSection("Saved")
        for name, ids in named.sets.items():
            own = menu.addMenu(literal(f"{name} · {counted(len(ids), 'well')}"))
            assert own is not None
            for title, act in (
                ("Select", selection.replace),
                ("Add to the selection", selection.add),
                ("Take out of the selection", selection.subtract),
                ("Keep only these", selection.intersect),
            ):
                own.addAction(title, lambda act=act, ids=ids: act(ids))
            own.addSeparator()
            own.addAction("Rename …", lambda name=name: self._rename(name))
            own.addAction("Delete", lambda name=name: named.delete(name))
        menu.addSeparator()
        edits = self.session.edits
        for title, keys, part, act in (
            ("Undo", "Ctrl+Z", edits.to_undo, edits.undo),
            ("Redo", "Ctrl+Shift+Z", edits.to_redo, edits.redo),
        ):
            of = f": {part}" if part is not None else ""
            menu.addAction(f"{title}{of} ({keys})", act).setEnabled(part is not None)
        menu.addAction("Select nothing", selection.clear).setEnabled(bool(selection.ids))

    def save(self, name: str) -> None:
        """Save the selection by a name."""
        if name.strip():
            self.session.named_selections.save(name, self.session.selection.ids)

    def _rename(self, name: str) -> None:
        new, accepted = QInputDialog.getText(self, "Rename selection", "Name", text=name)
        if accepted and new.strip():
            self.session.named_selections.rename(name, new)

    def _save(self) -> None:
        name, accepted = QInputDialog.getText(self, "Save selection", "Name")
        if accepted:
            self.save(name)


class SessionMenu(QPushButton):
    """Save what is open, asked, selected and looked at to a file, and open such a file.

    Parameters
    ----------
    session : Session
        Sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Session", parent)
        self.session = session
        self.setToolTip("Save what is open, asked and selected to a file, or open such a file")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """Make the menu anew."""
        menu = self.menu()
        assert menu is not None
        menu.clear()
        is_open = self.session.plate is not None or self.session.screen is not None
        menu.addAction("Save session …", self._save).setEnabled(is_open)
        menu.addAction("Open session …", self._open)
        recent = read_recent().sessions
        if recent:
            menu.addSection("Recent")
        for opened in recent:
            action = menu.addAction(literal(opened.path.name))
            action.setToolTip(plain(str(opened.path)))
            action.triggered.connect(lambda _on=False, path=opened.path: self.open(path))

    def save(self, path: Path) -> None:
        """Have the session written."""
        whole = path if is_session_name(path) else path.with_name(path.name + SUFFIX)
        self.session.request(SaveSessionRequest(whole))

    def open(self, path: Path) -> None:
        """Have a session opened."""
        self.session.request(OpenSessionRequest(path))

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save session", f"session{SUFFIX}", FILTER)
        if name:
            self.save(Path(name))

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open session", "", FILTER)
        if name:
            self.open(Path(name))
