"""The Set-up tab: from a folder to an encoded screen, step by step."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.run.encode_box import EncodeBox
from napari_cellclip.gui.panels.run.plate_source import PlateSource
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session


class RunPanel(QWidget):
    """Choose a plate, encode it, see what went wrong; or open a screen that was encoded before.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.source = PlateSource(session)
        self.encode = EncodeBox(session)
        self.open_button = QPushButton("Open screen …")
        self.open_button.setToolTip("Open a screen folder that was encoded before")
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.source)
        layout.addWidget(self.encode)
        layout.addWidget(self.open_button)
        layout.addStretch(0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.open_button.clicked.connect(self._choose_screen)

    def _choose_screen(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a screen folder"):
            self.session.request(OpenRequest(Path(folder)))
