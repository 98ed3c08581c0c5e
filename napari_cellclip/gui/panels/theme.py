"""Colours that follow napari's theme."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

SHOWN_ON_DARK, SHOWN_ON_LIGHT = "#ff9f1c", "#b25e00"
"""Outline of the well on the canvas; on a light theme dark enough to be seen (contrast 4.9 with white)."""


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
        red, green, blue, _ = self.background.getRgb()
        return red or 0, green or 0, blue or 0

    @property
    def shown(self) -> QColor:
        """Outline of the well on the canvas."""
        return QColor(SHOWN_ON_DARK if self.dark else SHOWN_ON_LIGHT)

    def between(self, share: float) -> QColor:
        """Colour a share of the way from the background to the text."""
        return QColor(
            *(
                round(low + (high - low) * share)
                for low, high in zip(self.background.getRgb()[:3], self.text.getRgb()[:3], strict=True)
            )
        )


def tones(widget: QWidget) -> Tones:
    """Read the tones of a widget; napari's style sheet sets its palette."""
    palette = widget.palette()
    return Tones(palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText))
