"""The Text query widget: query line and hits alone, for a small display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cellclip.gui.docks import Docked
from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.header import Header
from napari_cellclip.gui.panels.hits.hits_panel import HitsPanel
from napari_cellclip.gui.panels.manners import mind_manners, offer_undo
from napari_cellclip.gui.panels.query.query_panel import QueryPanel
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.window import guard_window
from napari_cellclip.gui.work.controller import controller_of

if TYPE_CHECKING:
    import napari


class TextQuery(Docked):
    """Ask and read the hits; shares the session, and so the answer, with the Explorer of the viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose session is asked.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller = controller_of(napari_viewer)
        self.session: Session = controller.session
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.header = Header(self.session)
        self.query = QueryPanel(self.session)
        self.hits = HitsPanel(self.session, Thumbnails(self.session))
        self.footer = Footer(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        layout.addWidget(self.query)
        layout.addWidget(self.hits, 1)
        layout.addWidget(self.footer)
        offer_undo(self, self.session.edits)
        mind_manners(self)
        controller.serve(self)

    def find_place(self) -> None:
        """Go to the other docks of ours, in a window that does not close on running work unasked."""
        guard_window(self, self._controller)
        super().find_place()
