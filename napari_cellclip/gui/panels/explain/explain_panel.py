"""The Why tab: stain contributions of wells, and the match heat map of a field."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSplitter, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.explain.contributions_panel import ContributionsPanel
from napari_cellclip.gui.panels.explain.heat_map_panel import HeatMapPanel
from napari_cellclip.gui.state.session import Session

WIDE_LETTERS = 80
"""From this width on, in letters of the font, the two halves stand side by side."""


class ExplainPanel(QWidget):
    """Stain contributions and match heat map, side by side if the tab is wide.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.contributions = ContributionsPanel(session)
        self.heat_map = HeatMapPanel(session)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.contributions)
        self.split.addWidget(self.heat_map)
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
            length = self.width() if wide else self.height()
            self.split.setSizes([length * 53 // 100, length * 47 // 100])
