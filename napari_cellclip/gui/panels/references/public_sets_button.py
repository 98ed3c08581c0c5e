"""A button that offers public reference sets: licence and size first, nothing is fetched without a click."""

from __future__ import annotations

from textwrap import wrap
from urllib.parse import urlparse

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_cellclip.explore.references.public.installed_sets import installed_file
from napari_cellclip.explore.references.public.public_sets import PUBLIC_SETS, PublicSet
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.tasks import Work

LETTERS = 70
"""Width of the lines of a menu."""


class PublicSetsButton(QToolButton):
    """Menu of the public reference sets; while one is being installed, a click cancels it."""

    chosen = Signal(str)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sets = QMenu(self)
        self._filled: list[QMenu] = []
        self.sets.setToolTipsVisible(True)
        self.sets.aboutToShow.connect(self._fill)
        self.clicked.connect(self._clicked)
        self.show_work(None)

    def show_work(self, work: Work | None) -> None:
        """Show how far an installation is, or that there is none."""
        self._working = work is not None
        if work is None:
            self.setText("Public sets")
            self.setToolTip("Labelled treatments of published data sets; shows licence and size first")
            self.setMenu(self.sets)
            self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            return
        count = f" ({work.done} of {work.total})" if work.total else ""
        self.setMenu(None)  # type: ignore[arg-type]  # Qt takes none
        self.setText(f"Cancel{count}")
        self.setToolTip(plain(f"{work.message} …\nWhat has been fetched is kept."))

    def _clicked(self) -> None:
        if self._working:
            self.cancelled.emit()

    def _fill(self) -> None:
        self.sets.clear()
        for menu in self._filled:
            menu.deleteLater()  # clear() leaves the menus below
        self._filled = []
        for public in PUBLIC_SETS.values():
            menu = self.sets.addMenu(public.name)
            self._filled.append(menu)
            menu.setToolTipsVisible(True)
            for line in _lines(public):
                menu.addAction(line).setEnabled(False)
            menu.addSeparator()
            action = menu.addAction(_offer(public))
            action.setToolTip(plain(f"{public.title}\n{public.licence}"))
            action.triggered.connect(lambda _=False, name=public.name: self.chosen.emit(name))


def _lines(public: PublicSet) -> list[str]:
    texts = (public.title, f"Licence: {public.licence}", f"Please cite: {public.attribution}")
    return [line for text in texts for line in wrap(text, LETTERS)]


def _offer(public: PublicSet) -> str:
    if installed_file(public.name) is not None:
        return "Add to this session"
    megabytes = sum(file.size for file in public.files) / 1e6
    hosts = ", ".join(sorted({urlparse(file.address).hostname or "" for file in public.files}))
    return f"Fetch {megabytes:.0f} MB from {hosts} and add"
