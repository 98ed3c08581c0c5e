"""The Explain tab: which stain speaks for a well, and where in its field."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QSplitter, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.contributions_panel import ContributionsPanel
from napari_cellclip.gui.panels.tiles_panel import TilesPanel
from napari_cellclip.gui.state.session import Session

WIDE_LETTERS = 80
"""From this width on, in letters of the font, the two halves stand side by side."""


class ExplainPanel(QWidget):
    """Stain contributions and tiles, side by side where there is room.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.contributions = ContributionsPanel(session)
        self.tiles = TilesPanel(session)
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QScrollArea.Shape.NoFrame)
        scrolled.setWidget(self.tiles)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.contributions)
        self.split.addWidget(scrolled)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.split)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        wide = self.width() >= WIDE_LETTERS * self.fontMetrics().averageCharWidth()
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if wanted != self.split.orientation():
            self.split.setOrientation(wanted)
            room = self.width() if wide else self.height()
            self.split.setSizes([room * 48 // 100, room * 52 // 100])
