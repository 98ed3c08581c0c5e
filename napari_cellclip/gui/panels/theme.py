"""Colours that follow napari's theme, and the style sheet of our widgets made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from string import Template
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor, QFont, QPalette
from qtpy.QtWidgets import QWidget

from napari_cellclip.gui.palette import RGB, contrast

SHOWN_ON_DARK, SHOWN_ON_LIGHT = "#ff9f1c", "#b25e00"
"""Outline of the well on the canvas; on a light theme dark enough to be seen (contrast 4.9 with white)."""

FOCUS_ON_DARK, FOCUS_ON_LIGHT = "#7fb2ff", "#1c4fb4"
"""Frame of the control that the keyboard acts on."""

ON_DARK, ON_LIGHT = "#4560c4", "#a0b8ff"
"""Behind the text of what is switched on: napari's own colours for it."""

WRONG_ON_DARK, WRONG_ON_LIGHT = "#ff7b72", "#b3261e"
"""Frame of a field whose text is not understood."""

TEXT_CONTRAST = 4.5
"""Least contrast of text with what is behind it (WCAG 2.2, 1.4.3)."""

BUTTON, UNDER_POINTER = 0.18, 0.3
"""Surface of a button, and that of one under the pointer, as shares of the way from background to text."""

FIELD = 0.22
"""Surface of a field to type in, as such a share; napari's own is a little nearer to the background."""

LINE = 0.6
"""Frame of menus and popups, as such a share: their surface is that of the window they lie over."""

SMALLER = 0.92
"""Size of the letters of legends and captions, as a share of the window's."""


SHEET = Template("""
QWidget:disabled, QPushButton:disabled, QComboBox:disabled, QToolButton:disabled { color: $quiet; }
QPushButton:disabled { padding: 3px; }
QToolButton { background: $button; border: 1px solid transparent; border-radius: 2px; padding: 1px 5px; }
QToolButton[popupMode="2"] { padding-right: 15px; }
QToolButton[popupMode="1"] { padding-right: 17px; }
QToolButton[autoRaise="true"], QToolButton:disabled { background: transparent; }
QToolButton:disabled { border-color: $edge; }
QToolButton[autoRaise="true"]:disabled { border-color: transparent; }
QToolButton:hover { background: $pointed; }
QToolButton:checked { background: $on; }
QToolButton::menu-indicator { subcontrol-origin: border; subcontrol-position: center right; right: 3px; }
QToolButton::menu-button { width: 14px; border: 0px; }
QToolButton:focus { border-color: $focus; }
QPushButton:focus { border: 2px solid $focus; padding: 2px; }
QComboBox:focus { border: 2px solid $focus; padding: 1px 8px 1px 6px; }
QLineEdit { placeholder-text-color: $hint; }
QLineEdit:focus { border: 1px solid $focus; padding: 1px; }
QAbstractSpinBox:focus { border: 1px solid $focus; padding: 0px 9px; }
QCheckBox:focus { border: 1px solid $focus; padding: 0px; }
QAbstractItemView, QGraphicsView { border: 1px solid transparent; }
QAbstractItemView:focus, QGraphicsView:focus { border: 1px solid $focus; }
QMenu, Popup { border: 1px solid $line; }
QTabBar { background: transparent; border: 0px; }
QTabBar::tab:disabled { background: $button; color: $quiet; }
QTabBar::tab:selected:focus { border: 2px solid $focus; padding: 2px 5px 1px 5px; }
""")


@dataclass(frozen=True)
class Tones:
    """Foreground, background and the greys between them, read from a widget."""

    background: QColor
    text: QColor

    @property
    def dark(self) -> bool:
        """Whether the background is dark."""
        return self.background.lightnessF() < 0.5

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue of the background."""
        return _rgb(self.background)

    @property
    def shown(self) -> QColor:
        """Outline of the well on the canvas."""
        return QColor(SHOWN_ON_DARK if self.dark else SHOWN_ON_LIGHT)

    @property
    def focus(self) -> QColor:
        """Frame of the control that the keyboard acts on."""
        return QColor(FOCUS_ON_DARK if self.dark else FOCUS_ON_LIGHT)

    @property
    def on(self) -> QColor:
        """Surface of what is switched on."""
        return QColor(ON_DARK if self.dark else ON_LIGHT)

    @property
    def wrong(self) -> QColor:
        """Frame of a field whose text is not understood."""
        return QColor(WRONG_ON_DARK if self.dark else WRONG_ON_LIGHT)

    def between(self, share: float) -> QColor:
        """Colour a share of the way from the background to the text."""
        return QColor(
            *(
                round(low + (high - low) * share)
                for low, high in zip(self.background.getRgb()[:3], self.text.getRgb()[:3], strict=True)
            )
        )

    def quiet(self, surface: QColor | None = None) -> QColor:
        """Colour of text that matters less: the faintest grey that can still be read on a surface.

        Parameters
        ----------
        surface : QColor, optional
            What is behind it; the background unless given.
        """
        behind = _rgb(surface if surface is not None else self.background)
        return self.between(_least_share(_rgb(self.background), _rgb(self.text), behind))


def tones(widget: QWidget) -> Tones:
    """Read the tones of a widget; napari's style sheet sets its palette."""
    palette = widget.palette()
    return Tones(palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText))


def style_sheet(tone: Tones) -> str:
    """Write the style sheet of our widgets: buttons that look like buttons, a frame around the focus.

    It adds to napari's, which leaves tool buttons without a surface, the focus without a frame, text of
    disabled controls too faint to read, and makes a button that is disabled larger.
    """
    button, pointed = tone.between(BUTTON), tone.between(UNDER_POINTER)
    names = {
        "button": button.name(),
        "pointed": pointed.name(),
        "on": tone.on.name(),
        "quiet": tone.quiet(button).name(),
        "hint": tone.quiet(tone.between(FIELD)).name(),
        "focus": tone.focus.name(),
        "edge": button.name(),
        "line": tone.between(LINE).name(),
    }
    return SHEET.substitute(names)


def smaller(font: QFont) -> QFont:
    """Make a font for legends and captions of that of a widget."""
    font = QFont(font)
    if font.pixelSize() > 0:
        font.setPixelSize(round(SMALLER * font.pixelSize()))
    else:
        font.setPointSizeF(SMALLER * font.pointSizeF())
    return font


class Dressed(QWidget):
    """A widget whose style sheet is ours, and follows napari's theme.

    It listens to its own events and has no filter of them: Qt would call that of Python for a widget that it
    is taking apart.
    """

    _dressing = False

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dress()

    def dress(self) -> None:
        """Put the style sheet on, unless it is the same."""
        sheet = style_sheet(tones(self))
        if not self._dressing and self.styleSheet() != sheet:
            self._dressing = True  # Qt tells of the palettes on the way, too
            self.setStyleSheet(sheet)
            self._dressing = False

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.dress()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.dress()


@lru_cache(maxsize=256)
def _least_share(background: RGB, text: RGB, behind: RGB) -> float:
    """Least share of the way to the text, in steps of 2 %, that has the contrast of text with a surface."""
    for percent in range(30, 100, 2):
        share = percent / 100
        grey = [low + (high - low) * share for low, high in zip(background, text, strict=True)]
        if contrast(grey, behind) >= TEXT_CONTRAST + 0.1:
            return share
    return 1.0


def _rgb(colour: QColor) -> RGB:
    red, green, blue, _ = colour.getRgb()
    return red or 0, green or 0, blue or 0
