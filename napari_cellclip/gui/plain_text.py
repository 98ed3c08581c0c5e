"""Labels and tooltips that show text as it stands: names out of files are never read as markup."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMessageBox, QWidget
from superqt import QElidingLabel

_JOINER = "\u2060"  # no width and no line break: what it stands behind is no tag any more


class PlainLabel(QLabel):
    """Label that draws its text as it stands. Qt's own guesses, and would load an ``<img>`` out of a file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setTextFormat(Qt.TextFormat.PlainText)


class PlainElidingLabel(QElidingLabel):
    """:class:`PlainLabel` in one line, with … where it does not fit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setTextFormat(Qt.TextFormat.PlainText)


class RichLabel(QLabel):
    """Label for markup of our own; whatever comes out of a file must have gone through ``html.escape``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setTextFormat(Qt.TextFormat.RichText)


def confirms(parent: QWidget, title: str, text: str, verb: str = "") -> bool:
    """Ask in a dialog that draws its text as it stands; returns whether Yes, or the verb, is pressed."""
    yes, buttons = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    box.setStandardButtons(yes | (buttons.Cancel if verb else buttons.No))
    if verb and (button := box.button(yes)) is not None:
        button.setText(verb)
    box.exec()
    answer = box.standardButton(box.clickedButton())
    box.deleteLater()
    return bool(answer == yes)


def plain(text: str) -> str:
    """Keep Qt from reading a text as markup, where it guesses: tooltips, notifications, progress of napari.

    Parameters
    ----------
    text : str
        Anything, also out of a file.

    Returns
    -------
    str
        The text; if Qt would take it for markup, with a mark of no width behind each ``<`` and ``&``.
    """
    if not Qt.mightBeRichText(text):
        return text
    return text.replace("<", "<" + _JOINER).replace("&", "&" + _JOINER)
