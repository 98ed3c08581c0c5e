"""What questions are answered by: words, look-alikes, or both."""

from __future__ import annotations

from typing import Any, NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtGui import QActionGroup
from qtpy.QtWidgets import QMenu, QToolButton, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.session import Session

EVIDENCE = {
    "auto": ("Auto", "Whatever is proven on this screen; the answer says what was used, and why"),
    "words": ("Words", "What the text tower of the model says"),
    "look-alikes": ("Look-alikes", "Likeness to reference treatments that are known to do what is asked"),
    "both": ("Both", "Words and look-alikes together; the table keeps them apart"),
}


class EvidenceOptions(NamedTuple):
    """Fields of an ``AskRequest``."""

    evidence: str = "auto"
    structures: bool = True
    use_platemap: bool = True


class EvidenceButton(QToolButton):
    """A menu of the kinds of evidence; another choice asks the last question again.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setAccessibleName("Evidence")
        self.setToolTip(
            "What an answer rests on: the words of the model, or likeness to reference treatments.\n"
            "Another choice asks the last question again."
        )
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        group = QActionGroup(menu)
        self.kinds: dict[str, Any] = {}
        for key, (title, tip) in EVIDENCE.items():
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setToolTip(plain(tip))
            action.setData(key)
            group.addAction(action)
            self.kinds[key] = action
        menu.addSeparator()
        self.structures = menu.addAction("Use chemical structures")
        self.structures.setToolTip("Count likeness of structures too, where both sides have one")
        self.use_platemap = menu.addAction("Use labels of the plate map")
        self.use_platemap.setToolTip(
            "Word a mechanism with the compounds that the plate map lists under it, and take its treatments\n"
            "as references. The answer then rests on these labels, and says so."
        )
        for action in (self.structures, self.use_platemap):
            action.setCheckable(True)
        self.setMenu(menu)
        menu.triggered.connect(self._triggered)
        listen(self, session.view_changed, self._show)
        self._show()

    def value(self) -> EvidenceOptions:
        """Return the choice, as it stands in the menu."""
        kind = next(key for key, action in self.kinds.items() if action.isChecked())
        return EvidenceOptions(kind, self.structures.isChecked(), self.use_platemap.isChecked())

    def setValue(self, options: EvidenceOptions) -> None:
        """Choose without asking again."""
        self._session.look(**options._asdict())

    def _show(self, _view: object = None) -> None:
        view = self._session.view
        self.kinds[view.evidence].setChecked(True)
        self.structures.setChecked(view.structures)
        self.use_platemap.setChecked(view.use_platemap)
        self.setText(f"Evidence: {EVIDENCE[view.evidence][0].lower()}   ")  # space for the arrow

    def _triggered(self, _action: object) -> None:
        options = self.value()
        before = self._session.view
        self.setValue(options)
        self.valueChanged.emit(options)
        if self._session.view != before:
            self._session.questions.ask_again()
