"""Second step of the set-up: which channel of the files shows which stain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.setup.stain_table import StainTable
from napari_cellclip.gui.recent import confirmed_stains
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted


class StainStep(QWidget):
    """The stain table of the plate; what is confirmed opens the plate again.

    Parameters
    ----------
    session : Session
        Read, and sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.table = StainTable()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addStretch(1)
        self.table.applied.connect(self._applied)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.setup.pictures_changed, self._show_pictures)
        self.refresh()

    def done(self) -> str:
        """Say what this step has come to; empty while it is open."""
        plate = self.session.plate
        if plate is None or not plate.stains.complete:
            return ""
        ignored = len(plate.stains.available) - len(plate.stains.channels)
        return "all five" + (f", {counted(ignored, 'channel')} ignored" if ignored > 0 else "")

    def refresh(self) -> None:
        """Show the channels of the plate that is open."""
        plate = self.session.plate
        self.table.setVisible(plate is not None)
        if plate is None:
            return
        known = None if plate.stains.complete else confirmed_stains(plate)
        self.table.set_plate(plate, (known.channels, known.plate) if known is not None else None)
        self._show_pictures()

    def _show_pictures(self) -> None:
        self.table.show_pictures(self.session.setup.pictures)

    def _applied(self, mapping: dict[Any, str]) -> None:
        plate, opened = self.session.plate, self.session.setup.opened
        if plate is not None:
            request = opened if opened is not None else OpenRequest(Path(plate.address))
            self.session.request(replace(request, channels=mapping))
