"""The query line: a text, its history, and queries by example."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit, QMenu, QToolButton, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session

PLACEHOLDER = "Ask in words: tubulin inhibitor, BRD4 knockout, nocodazole …"


class QueryLine(QLineEdit):
    """A line edit with a history: arrow up and down walk through earlier queries."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._place = 0
        self.setPlaceholderText(PLACEHOLDER)
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Query")
        self.setToolTip(
            "Press Enter to ask, arrow up for earlier queries.\n"
            "A AND NOT B · A AND B · 2*A - 0.5*B · nocodazole at 3 uM in U2OS"
        )

    def keyPressEvent(self, event: Any) -> None:
        history = [query.text for query in self._session.questions.asked if not query.like]
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and history:
            step = 1 if event.key() == Qt.Key.Key_Up else -1
            self._place = min(max(self._place + step, 0), len(history))
            self.setText(history[-self._place] if self._place else "")
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._place = 0
        super().keyPressEvent(event)


class ExampleButton(QToolButton):
    """A menu that asks for wells like the selected ones, or unlike them.

    Parameters
    ----------
    session : Session
        Its selection holds the examples.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setText("By example")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolTip("Find wells that look like the selected ones")
        menu = QMenu(self)
        self.like = menu.addAction("Find wells like the selected ones", self._ask_like)
        self.unlike = menu.addAction("… but not like those selected now", self._ask_unlike)
        self.setMenu(menu)
        listen(self, session.selection.changed, self._selected)
        listen(self, session.answer_changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be asked of the wells selected now."""
        ids = self._session.selection.ids
        last = self._last()
        self.like.setEnabled(bool(ids))
        self.unlike.setEnabled(last is not None and bool(last.like) and bool(ids - set(last.like)))

    def _selected(self, _ids: object) -> None:
        self.refresh()

    def _last(self) -> AskRequest | None:
        return self._session.questions.last

    def _ask_like(self) -> None:
        self._session.request(AskRequest.by_example(sorted(self._session.selection.ids)))
        self.refresh()

    def _ask_unlike(self) -> None:
        if (last := self._last()) is not None:
            unlike = sorted(self._session.selection.ids - set(last.like))
            self._session.request(AskRequest.by_example(last.like, unlike))
