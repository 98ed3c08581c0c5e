"""A button of the top line: a name, shortened where it does not fit, with a menu made when it opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

ARROW = 26
"""Pixels that the arrow and the margins of the button take."""


LEAST = 6
"""Letters of the name that must be left if what follows it shall stay whole."""


class MenuButton(QPushButton):
    """A button whose text never widens the window.

    Parameters
    ----------
    what : str
        What it names, for screen readers.
    fill : callable
        Called with the empty menu each time it is about to open.
    """

    def __init__(self, what: str, fill: Callable[[QMenu], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = self._rest = ""
        self._fill = fill
        self.setAccessibleName(what)
        self.setStyleSheet("text-align: left;")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def minimumSizeHint(self) -> QSize:
        return QSize(8 * self.fontMetrics().averageCharWidth(), super().minimumSizeHint().height())

    def needed(self) -> int:
        """Width at which nothing is shortened, in pixels."""
        return self.fontMetrics().horizontalAdvance(self.name()) + ARROW

    def name(self) -> str:
        """Return the whole text."""
        return self._name + self._rest

    def set_name(self, name: str, rest: str = "") -> None:
        """Show a name, shortened in the middle where it does not fit, and what follows it whole."""
        self._name, self._rest = name, rest
        self._elide()

    def fill(self) -> None:
        """Make the menu anew."""
        menu = self.menu()
        assert menu is not None
        menu.clear()
        self._fill(menu)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        wide, metrics = self.width() - ARROW, self.fontMetrics()
        if wide <= 0:  # not laid out yet
            self.setText(literal(self.name()))
            return
        name, rest = self._name, self._rest
        space = wide - metrics.horizontalAdvance(rest)
        if space < min(metrics.horizontalAdvance(name), LEAST * metrics.averageCharWidth()):
            name, rest, space = self.name(), "", wide
        self.setText(literal(metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, space) + rest))


def literal(text: str) -> str:
    """Keep Qt from reading ``&`` in the name of a menu or button as the mark of its key."""
    return text.replace("&", "&&")
