"""The map: wells near each other look alike to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QActionGroup
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.palette import well_colours
from napari_cellclip.gui.panels.drawing.lasso_box import Tool
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.legend import Legend
from napari_cellclip.gui.panels.wells.map_view import MapView
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.gui.state.references import reference_wells
from napari_cellclip.gui.state.requests import MapPictureRequest, MapRequest
from napari_cellclip.gui.state.selection import Mode
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted

if TYPE_CHECKING:
    from napari_cellclip.explore import Projection
    from napari_cellclip.gui.state.view import View

METHODS = {"umap": "UMAP", "pca": "PCA"}
TOOLS = {Tool.LASSO: "Lasso", Tool.RECTANGLE: "Rectangle", Tool.PAN: "Pan"}
MODES = {
    Mode.REPLACE: "Replace the selection",
    Mode.ADD: "Add to it (Shift)",
    Mode.SUBTRACT: "Take away from it (Alt)",
    Mode.INTERSECT: "Intersect with it (Ctrl)",
}
HELP = (
    "Each point is a well; neighbours look alike to the model. Distances between far groups mean little.\n"
    "Points that would cover each other are drawn side by side: zoom in for their places, and for pictures.\n"
    "Diamonds are references of the last question.\n"
    "Drag draws a lasso or a rectangle (Shift adds, Alt takes away, Ctrl intersects).\n"
    "The wheel zooms, the middle button moves the map, Home shows all of it.\n"
    "Double-click opens a well."
)
NO_MAP = "The map appears once a plate is encoded (Set-up tab)."


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
        self._drawn: Projection | None = None
        self._thumbnails = thumbnails
        self.view = MapView(thumbnails.tooltip, HELP, thumbnails.pixmap)
        self.method = QComboBox()
        self.method.setAccessibleName("Method of the map")
        for key, title in METHODS.items():
            self.method.addItem(title, key)
        self.method.setToolTip("Method of the map; both are seeded and stored with the screen")
        self.tool = QToolButton()
        self.tool.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.tool.setToolTip("What dragging on the map does, and how it meets what is selected")
        self.tool_menu = QMenu(self.tool)
        self.tool_menu.setToolTipsVisible(True)
        self.tool.setMenu(self.tool_menu)
        self._fill_menu()
        self.to_canvas = QPushButton("Show on canvas")
        self.to_canvas.setToolTip("Show the map on the canvas, each well as its thumbnail")
        self.legend = Legend()
        self.legend_beside = False
        self.empty = PlainLabel(NO_MAP)
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.view)
        self.stack.addWidget(self.empty)
        self.state = PlainElidingLabel()
        self.state.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        above = QHBoxLayout()
        above.setContentsMargins(2, 0, 2, 0)
        above.addWidget(self.method)
        above.addWidget(self.tool)
        above.addStretch(1)
        above.addWidget(self.to_canvas)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(above)
        layout.addWidget(self.stack, 1)
        layout.addWidget(self.state)
        layout.addWidget(self.legend)

        self.method.activated.connect(self._method_chosen)
        self.to_canvas.clicked.connect(self._show_on_canvas)
        self.view.picked.connect(session.selection.apply)
        self.view.opened.connect(session.show)
        listen(self, session.maps_changed, self.refresh)
        listen(self, session.clusters_changed, self._clusters_changed)
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
        projection = self.session.map
        if projection is None:
            self.view.set_points([], np.zeros((0, 2)))
        else:
            self.view.set_points([str(i) for i in projection.ids], projection.xy)
        self.to_canvas.setEnabled(projection is not None and self._thumbnails.any())
        self._show_view()
        self._show_state()
        self._clusters_changed()
        self._mark_references()

    def show_legend(self, on: bool) -> None:
        """Show the legend below the map, or not, where another one stands beside it."""
        self.legend_beside = not on
        self._show_state()

    def _mark_references(self) -> None:
        """Draw the references of the last question that are wells of this screen as diamonds."""
        self.view.set_marks(reference_wells(self.session.screen, self.session.answer))

    def _clusters_changed(self) -> None:
        """Write the names of the clusters of this map; they may also colour it."""
        named = [(*cluster.centre, cluster.name) for cluster in self.session.clusters if cluster.name]
        self.view.set_names(named)
        self.recolour()

    def recolour(self) -> None:
        """Colour the points by what was chosen for all views."""
        session, tone = self.session, tones(self)
        colours = well_colours(session, pd.Index(self.view.ids), tone.rgb)
        quiet = np.array(tone.between(0.45).getRgb()[:3], np.uint8)
        rgb = np.where(colours.known[:, None], colours.rgb, quiet)
        self.view.set_colours(rgb, colours.bright, colours.outlined)
        self.legend.set_colours(colours)
        self._rings()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "legend"):
            self.view.follow_theme()
            self.recolour()
            self._mark_references()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.view.follow_theme()
        self.recolour()
        self._mark_references()

    def _fill_menu(self) -> None:
        """Offer tools and modes, one of each."""
        for titles, choose in ((TOOLS, self._choose_tool), (MODES, self._choose_mode)):
            group = QActionGroup(self.tool_menu)
            for key, title in titles.items():
                action = self.tool_menu.addAction(title)
                action.setCheckable(True)
                action.setData(key)
                group.addAction(action)
            group.actions()[0].setChecked(True)
            group.triggered.connect(lambda action, choose=choose: choose(action.data()))
            self.tool_menu.addSeparator()
        self.thumbnails = self.tool_menu.addAction("Thumbnails when zoomed in")
        self.thumbnails.setCheckable(True)
        self.thumbnails.toggled.connect(self._thumbnails_toggled)
        anew = self.tool_menu.addAction("Compute the map anew")
        anew.setToolTip("Plates that were added are placed into the map there was: map all wells together")
        anew.triggered.connect(self._compute_anew)
        show_all = self.tool_menu.addAction("Show all points (Home)")
        show_all.triggered.connect(self.view.fit)
        self._choose_tool(Tool.LASSO)

    def _choose_tool(self, tool: Tool) -> None:
        self.view.box.tool = tool
        self.tool.setText(TOOLS[tool])

    def _choose_mode(self, mode: Mode) -> None:
        self.view.box.mode = mode

    def _method_chosen(self, _index: int) -> None:
        method = self.method.currentData()
        if method not in self.session.maps.by_method:
            self.session.request(MapRequest(method))
        self.session.look(map_method=method)

    def _thumbnails_toggled(self, on: bool) -> None:
        self.session.look(map_thumbnails=on)

    def _compute_anew(self) -> None:
        self.session.request(MapRequest(self.session.view.map_method, anew=True))

    def _show_on_canvas(self) -> None:
        self.session.request(MapPictureRequest())

    def _view_changed(self, view: View, before: View) -> None:
        if view.colours_like(before):
            return
        if self.session.map is not self._drawn:
            self.refresh()
            return
        self._show_view()
        self.recolour()

    def _show_view(self) -> None:
        """Show what the session's view says in the controls."""
        view = self.session.view
        self._drawn = self.session.map
        self.method.setCurrentIndex(self.method.findData(view.map_method))
        self.thumbnails.blockSignals(True)
        self.thumbnails.setChecked(view.map_thumbnails)
        self.thumbnails.blockSignals(False)
        self.view.show_pictures(view.map_thumbnails)

    def _rings(self, _: object = None) -> None:
        self.view.set_rings(self.session.selection.ids, self.session.shown_well)

    def _work_changed(self, task: str, _work: Work | None) -> None:
        if task == Task.MAP:
            self._show_state()

    def _show_state(self) -> None:
        """Say which map is drawn, of how many wells, and what is still to come."""
        work, drawn = self.session.work(Task.MAP), self.session.map
        wanted = METHODS[self.session.view.map_method]
        if drawn is None:
            text = f"{work.message} …" if work is not None else NO_MAP
        else:
            title, text = METHODS.get(drawn.method.lower(), drawn.method), name_of_map(drawn)
            if work is not None and not drawn.parameters.get("note"):
                computed = f"{title} while {wanted} is computed …"
                text = computed if title != wanted else f"{text} · {work.message} …"
        self.legend.setVisible(drawn is not None and not self.legend_beside)
        self.stack.setCurrentWidget(self.empty if drawn is None else self.view)
        self.empty.setText(text)
        self.state.setText(text if drawn is not None else "")
        self.state.setToolTip(plain(text))


def name_of_map(drawn: Projection) -> str:
    """Say by which method a map was made, and of how many wells."""
    if note := drawn.parameters.get("note"):
        return str(note)
    text = f"{METHODS.get(drawn.method.lower(), drawn.method)} of {counted(len(drawn.ids), 'well')}"
    if sample := drawn.parameters.get("sample"):
        text += f" by a sample of {sample:,}"
    if placed := drawn.parameters.get("placed"):
        text += f", {placed} of plates added later"
    return text
