"""The Explorer: one dock with plate, map, hits and set-up, all looking at one session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFileDialog, QSizePolicy, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_cellclip.gui.docks import Docked, dock_of, share_window
from napari_cellclip.gui.panels.explain.describe_panel import DescribePanel
from napari_cellclip.gui.panels.explain.explain_panel import ExplainPanel
from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.header import Header
from napari_cellclip.gui.panels.hits.hits_panel import HitsPanel
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.manners import mind_manners, offer_undo, tab_through
from napari_cellclip.gui.panels.quality.quality_panel import QualityPanel
from napari_cellclip.gui.panels.query.query_panel import QueryPanel
from napari_cellclip.gui.panels.references.references_panel import ReferencesPanel
from napari_cellclip.gui.panels.setup.setup_panel import SetupPanel
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.map_panel import MapPanel
from napari_cellclip.gui.panels.wells.plate_panel import PlatePanel
from napari_cellclip.gui.plain_text import confirms
from napari_cellclip.gui.state.requests import OpenRequest, OpenSessionRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.window import CanvasDrops, dropped_paths, guard_window
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.gui.work.opening import is_plate_map

if TYPE_CHECKING:
    import napari

TALL_LINES, WIDE_LETTERS = 24, 78
"""From these sizes on, in lines and letters of the font, plate and map stand above the tabs, side by side."""

WIDE_SHARE = 0.46
"""Share of a wide screen that the Explorer asks for: its tables and map use what its lines do not need."""

MENU_NAME = "Explorer (CellCLIP)"
"""Name of its dock: that by which the menu of napari knows it, and shows and hides this very dock."""

TABS = ("Hits", "Why", "Describe", "References", "QC", "Set-up")
"""Titles of the tabs that are always there, in their order."""


@dataclass(frozen=True)
class Arrangement:
    """Panels that stand in the open; the others are tabs."""

    plate_open: bool
    map_open: bool


def arrange(width: int, height: int, line: int, letter: int) -> Arrangement:
    """Choose an arrangement that fits the size of the dock.

    Parameters
    ----------
    width, height : int
        Space for the panels in pixels.
    line, letter : int
        Line spacing and letter width of the font in pixels.
    """
    plate_open = height >= TALL_LINES * line
    return Arrangement(plate_open, plate_open and width >= WIDE_LETTERS * letter)


class Explorer(Docked):
    """The plugin's main widget.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose session is explored; widgets of one viewer share one session.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller = controller_of(napari_viewer)
        self.session: Session = controller.session
        self.setAcceptDrops(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        thumbnails = Thumbnails(self.session)
        self.header = Header(self.session)
        self.query = QueryPanel(self.session)
        self.plate = PlatePanel(self.session, thumbnails)
        self.map = MapPanel(self.session, thumbnails)
        self.hits = HitsPanel(self.session, thumbnails)
        self.explain = ExplainPanel(self.session)
        self.describe = DescribePanel(self.session)
        self.references = ReferencesPanel(self.session)
        self.quality = QualityPanel(self.session)
        self.setup = SetupPanel(self.session)
        self.footer = Footer(self.session)
        self.tabs = QTabWidget()
        panels = (self.hits, self.explain, self.describe, self.references, self.quality, self.setup)
        for panel, title in zip(panels, TABS, strict=True):
            self.tabs.addTab(panel, title)
        self.top = QSplitter(Qt.Orientation.Horizontal)
        self.body = QSplitter(Qt.Orientation.Vertical)
        self.above = QWidget()
        self.shared = QVBoxLayout(self.above)
        self.shared.setContentsMargins(0, 0, 0, 0)
        self.shared.setSpacing(2)
        self.shared.addWidget(self.top, 1)
        self.body.addWidget(self.above)
        self.body.addWidget(self.tabs)
        for splitter in (self.top, self.body):
            splitter.setChildrenCollapsible(False)
        self._arrangement: Arrangement | None = None
        self._dropped: list[Path] = []
        self._place(Arrangement(False, False))

        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.header)
        layout.addWidget(self.query)
        layout.addWidget(self.body, 1)
        layout.addWidget(self.footer)
        offer_undo(self, self.session.edits)
        listen(self, self.session.plate_changed, self._plate_changed)
        listen(self, self.session.screen_changed, self._screen_changed)
        listen(self, self.session.work_changed, self._work_changed)
        listen(self, self.session.setup.model_chosen, self._model_chosen)
        listen(self, self.session.setup.unread_table, self._columns_asked)
        listen(self, self.session.setup.moved, self._ask_for_moved)
        listen(self, self.session.view_changed, self._show_tab)
        if self.session.plate is None and self.session.screen is None:
            self.tabs.setCurrentWidget(self.setup)
        self._show_tab()
        self.tabs.currentChanged.connect(self._tab_chosen)
        mind_manners(self)
        controller.serve(self)

    def sizeHint(self) -> QSize:
        letters = 120 * self.fontMetrics().averageCharWidth()
        screen = self.screen().availableGeometry().width()
        return QSize(min(max(letters, round(WIDE_SHARE * screen)), round(0.6 * screen)), 720)

    def minimumSizeHint(self) -> QSize:
        return QSize(48 * self.fontMetrics().averageCharWidth(), 240)

    # ------------------------------------------------------------------ arrangement

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._arrange()

    def find_place(self) -> None:
        """Leave the canvas its share of the window, the first time; then go to the other docks of ours."""
        if not self._controller.window_shared:
            self._controller.window_shared = share_window(self)
        guard_window(self, self._controller)
        CanvasDrops(self).dropped.connect(self.open_paths)
        super().find_place()

    def _arrange(self) -> None:
        metrics = self.fontMetrics()
        around = self.header.height() + self.query.height() + self.footer.height()
        wanted = arrange(
            self.width(), self.height() - around, metrics.lineSpacing(), metrics.averageCharWidth()
        )
        if wanted != self._arrangement:
            self._place(wanted)

    def _place(self, arrangement: Arrangement) -> None:
        """Put plate and map above the tabs, or in front of them as further tabs where it is too small.

        What they show is the session's, so nothing is lost.
        """
        current = self.tabs.currentWidget()
        self._arrangement = arrangement
        places = ((self.plate, "Plate", arrangement.plate_open), (self.map, "Map", arrangement.map_open))
        tabs_in_front = 0
        for panel, title, is_open in places:
            tab = self.tabs.indexOf(panel)
            if is_open:
                if tab >= 0:
                    self.tabs.removeTab(tab)
                self.top.addWidget(panel)
                panel.show()
            else:
                if tab < 0:
                    self.tabs.insertTab(tabs_in_front, panel, title)
                tabs_in_front += 1
        self.above.setVisible(arrangement.plate_open or arrangement.map_open)
        # One legend for both where both are seen: it has the whole width then.
        colours, place = self.plate.colours, self.shared if arrangement.map_open else self.plate.layout()
        assert place is not None
        if place.indexOf(colours) < 0:
            place.addWidget(colours)
        self.map.show_legend(not arrangement.map_open)
        if current is not None and self.tabs.indexOf(current) >= 0:
            self.tabs.setCurrentWidget(current)
        if arrangement.plate_open:
            height = max(self.body.height(), 100)
            self.body.setSizes([height // 2, height - height // 2])
            self.body.setStretchFactor(0, 1)
            self.body.setStretchFactor(1, 1)
        if arrangement.map_open:
            width = max(self.width(), 100)
            self.top.setSizes([width * 56 // 100, width * 44 // 100])
        tab_through(self, (self.header, self.query, self.plate, self.map, colours, self.tabs, self.footer))

    # ------------------------------------------------------------------ session and drops

    def _tab_chosen(self, number: int) -> None:
        self.session.look(tab=self.tabs.tabText(number) if number >= 0 else None)

    def _show_tab(self, _view: object = None) -> None:
        """Open the tab that the view names, if there is one of that name."""
        titles = [self.tabs.tabText(number) for number in range(self.tabs.count())]
        if self.session.view.tab in titles:
            self.tabs.setCurrentIndex(titles.index(self.session.view.tab))

    def _plate_changed(self) -> None:
        if self.session.plate is not None and self.session.screen is None:
            self.tabs.setCurrentWidget(self.setup)

    def _screen_changed(self) -> None:
        screen = self.session.screen
        if self.session.growing:
            return  # who watches the run is left there
        if screen is not None and not screen.card.has_head:
            self.tabs.setCurrentWidget(self.references)  # first of all, what can this assay see?
        elif screen is not None and self.tabs.currentWidget() is self.setup:
            in_sight = self._arrangement is not None and self._arrangement.plate_open
            self.tabs.setCurrentWidget(self.hits if in_sight else self.plate)

    def _model_chosen(self, _model: str) -> None:
        self.tabs.setCurrentWidget(self.setup)

    def _columns_asked(self, _path: Path, _why: str) -> None:
        self.tabs.setCurrentWidget(self.setup)

    def _ask_for_moved(self, request: OpenSessionRequest, what: str, path: Path, others: bool) -> None:
        """Ask where data of a session have moved, or whether to go without, and open it again so."""
        title = f"Where is the {what} {path} now?"
        if what in ("plate map", "compound table") or path.suffix:
            found, _ = QFileDialog.getOpenFileName(self, title)
        else:
            found = QFileDialog.getExistingDirectory(self, title)
        if found:
            self.session.request(replace(request, moved=(*request.moved, (path, Path(found)))))
        elif others and self._goes_without(request, what):
            self.session.request(replace(request, moved=(*request.moved, (path, None))))

    def _goes_without(self, request: OpenSessionRequest, what: str) -> bool:
        text = f"Open {request.path.name} without the {what}? All else that it holds comes back."
        return confirms(self, "Open session", text)

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        if paths := dropped_paths(event):
            event.acceptProposedAction()
            self.open_paths(paths)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open a plate, a screen, a table or a session; of several paths the plate, then its plate map."""
        self._dropped = sorted(paths, key=is_plate_map)[:2]
        self.session.request(OpenRequest(self._dropped.pop(0)))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.OPEN and work is None and self._dropped:
            self.session.request(OpenRequest(self._dropped.pop(0)))


def show_explorer(viewer: napari.Viewer) -> Explorer:
    """Show the Explorer of a viewer: the one that is open, or a new one."""
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, Explorer) and (dock := dock_of(widget)) is not None:
            dock.show()
            dock.raise_()
            return widget
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name=MENU_NAME)
    return explorer
