"""The Map tab: wells near each other look alike to the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_cellclip.gui.palette import well_colours
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.map_view import MapView
from napari_cellclip.gui.plain_text import PlainLabel
from napari_cellclip.gui.state.references import reference_wells
from napari_cellclip.gui.state.requests import MapPictureRequest, MapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work

METHODS = {"umap": "UMAP", "pca": "PCA"}
HELP = (
    "Each point is a well; neighbours look alike to the model. Distances between far groups mean little.\n"
    "Diamonds are references of the last question.\n"
    "Drag draws a lasso (Shift adds, Alt takes away, Ctrl intersects).\n"
    "The wheel zooms, the middle button moves the map.\n"
    "Double-click opens a well."
)


class MapPanel(QWidget):
    """Map view linked to the session.

    Parameters
    ----------
    session : Session
        Read and written.
    thumbnails : Thumbnails
        Pictures for the tooltips.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.view = MapView(thumbnails.tooltip, HELP)
        self.method = QComboBox()
        for key, title in METHODS.items():
            self.method.addItem(title, key)
        self.method.setToolTip("Method of the map; both are seeded and stored with the screen")
        self.pan = QToolButton()
        self.pan.setText("Pan")
        self.pan.setCheckable(True)
        self.pan.setToolTip("Drag moves the map instead of drawing a lasso")
        self.to_canvas = QPushButton("Show on canvas")
        self.to_canvas.setToolTip("Show the map on the canvas, each well as its thumbnail")
        self.state = PlainLabel()
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.state.setWordWrap(True)
        above = QHBoxLayout()
        above.setContentsMargins(2, 0, 2, 0)
        above.addWidget(self.method)
        above.addWidget(self.pan)
        above.addStretch(1)
        above.addWidget(self.to_canvas)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(above)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.state)

        self.method.currentIndexChanged.connect(self._method_chosen)
        self.pan.toggled.connect(self._pan_toggled)
        self.to_canvas.clicked.connect(self._show_on_canvas)
        self.view.picked.connect(self._picked)
        self.view.opened.connect(session.show)
        listen(self, session.maps_changed, self.refresh)
        listen(self, session.clusters_changed, self._name_clusters)
        listen(self, session.answer_changed, self._mark_references)
        listen(self, session.wells_changed, self.recolour)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.selection.changed, self._rings)
        listen(self, session.shown_changed, self._rings)
        listen(self, session.work_changed, self._work_changed)
        self.refresh()

    def value(self) -> frozenset[str]:
        """Ids of the wells selected."""
        return self.session.selection.ids

    def refresh(self) -> None:
        """Place the points."""
        projection = self.session.maps.get(self.session.view.map_method)
        if projection is None:
            self.view.set_points([], np.zeros((0, 2)))
        else:
            self.view.set_points([str(i) for i in projection.ids], projection.xy)
        self.to_canvas.setEnabled(projection is not None)
        self._show_state()
        self.recolour()
        self._mark_references()

    def _mark_references(self) -> None:
        """Draw the references of the last question that are wells of this screen as diamonds."""
        self.view.set_marks(reference_wells(self.session.screen, self.session.answer))

    def _name_clusters(self) -> None:
        named = [(*cluster.centre, cluster.name) for cluster in self.session.clusters if cluster.name]
        self.view.set_names(named)

    def recolour(self) -> None:
        """Colour the points by score, or by what was chosen."""
        session = self.session
        table = session.wells.reindex(self.view.ids)
        tone = tones(self)
        colours = well_colours(session, table, tone.dark)
        colours.rgb[~colours.known] = tone.between(0.45).getRgb()[:3]
        self.view.set_colours(colours.rgb, colours.bright)
        self._rings()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "state"):
            self.view.follow_theme()
            self.recolour()
            self._mark_references()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.view.follow_theme()
        self.recolour()
        self._mark_references()

    def _method_chosen(self) -> None:
        method = self.method.currentData()
        self.session.look(map_method=method)
        if method not in self.session.maps.by_method:
            self.session.request(MapRequest(method))
        self.refresh()

    def _show_on_canvas(self) -> None:
        self.session.request(MapPictureRequest())

    def _pan_toggled(self, on: bool) -> None:
        self.view.box.panning = on

    def _picked(self, ids: list[str], mode: str) -> None:
        self.session.selection.apply(ids, mode)

    def _view_changed(self, _view: object) -> None:
        self.recolour()

    def _rings(self, _: object = None) -> None:
        self.view.set_rings(self.session.selection.ids, self.session.shown_well)

    def _work_changed(self, task: str, _work: Work | None) -> None:
        if task == Task.MAP:
            self._show_state()

    def _show_state(self) -> None:
        work = self.session.work(Task.MAP)
        projection = self.session.maps.get(self.session.view.map_method)
        if work is not None:
            text = work.message + " …"
        elif projection is None:
            text = "The map appears once a plate is encoded (Set-up tab)."
        else:
            text = ""
        self.state.setText(text)
        self.state.setVisible(bool(text))
