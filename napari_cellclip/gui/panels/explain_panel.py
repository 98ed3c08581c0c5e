"""The Explain tab: which stain speaks for a well, and where in its field."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea, QSplitter, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.contributions_panel import ContributionsPanel
from napari_cellclip.gui.panels.tiles_panel import TilesPanel
from napari_cellclip.gui.session import Session


class ExplainPanel(QWidget):
    """Stain contributions above, tiles below.

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
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.contributions)
        split.addWidget(scrolled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(split)
