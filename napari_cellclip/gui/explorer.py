"""The Explorer: one dock with plate, map, hits and runs, all looking at one session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QSizePolicy, QSplitter, QTabWidget, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.explain.describe_panel import DescribePanel
from napari_cellclip.gui.panels.explain.explain_panel import ExplainPanel
from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.header import Header
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.query.query_panel import QueryPanel
from napari_cellclip.gui.panels.references.references_panel import ReferencesPanel
from napari_cellclip.gui.panels.run.run_panel import RunPanel
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.hits_panel import HitsPanel
from napari_cellclip.gui.panels.wells.map_panel import MapPanel
from napari_cellclip.gui.panels.wells.plate_panel import PlatePanel
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.gui.work.opening import is_plate_map

if TYPE_CHECKING:
    import napari

TALL_LINES, WIDE_LETTERS = 30, 98
"""From these sizes on, in lines and letters of the font, panels stand side by side."""


@dataclass(frozen=True)
class Arrangement:
    """Which panels stand in the open; the others are tabs."""

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


class Explorer(QWidget):
    """The plugin's main widget.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose session is explored; widgets of one viewer share one session.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        controller = controller_of(napari_viewer)
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
        self.run = RunPanel(self.session)
        self.footer = Footer(self.session)
        self.tabs = QTabWidget()
        self.tabs.currentChanged.connect(self._tab_chosen)
        self.bottom = QSplitter(Qt.Orientation.Horizontal)
        self.bottom.setChildrenCollapsible(False)
        self.body = QSplitter(Qt.Orientation.Vertical)
        self.body.setChildrenCollapsible(False)
        self.bottom.addWidget(self.tabs)
        self.body.addWidget(self.bottom)
        self._wide: tuple[QWidget, ...] = (self.explain, self.references)
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
        for keys, action in (
            (QKeySequence.StandardKey.Undo, self.session.selection.undo),
            (QKeySequence.StandardKey.Redo, self.session.selection.redo),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)
        listen(self, self.session.plate_changed, self._plate_changed)
        listen(self, self.session.screen_changed, self._screen_changed)
        listen(self, self.session.work_changed, self._work_changed)
        if self.session.plate is None and self.session.screen is None:
            self.tabs.setCurrentWidget(self.run)
        controller.serve(self)

    def sizeHint(self) -> QSize:
        wide = round(WIDE_LETTERS * 1.1) * self.fontMetrics().averageCharWidth()
        return QSize(min(wide, round(0.4 * self.screen().availableGeometry().width())), 720)

    def minimumSizeHint(self) -> QSize:
        return QSize(48 * self.fontMetrics().averageCharWidth(), 240)

    # ------------------------------------------------------------------ arrangement

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        metrics = self.fontMetrics()
        around = self.header.height() + self.query.height() + self.footer.height()
        wanted = arrange(
            self.width(), self.height() - around, metrics.lineSpacing(), metrics.averageCharWidth()
        )
        if wanted != self._arrangement:
            self._place(wanted)

    def _place(self, arrangement: Arrangement) -> None:
        """Move panels between tabs and splitters; what they show is the session's, so nothing is lost."""
        current = self.tabs.currentWidget()
        self._arrangement = arrangement
        while self.tabs.count():
            self.tabs.removeTab(0)
        open_panels = [
            p
            for p, is_open in ((self.plate, arrangement.plate_open), (self.map, arrangement.map_open))
            if is_open
        ]
        if arrangement.plate_open:
            self.body.insertWidget(0, self.plate)
        else:
            self.plate.setParent(None)
        if arrangement.map_open:
            self.bottom.insertWidget(0, self.map)
        else:
            self.map.setParent(None)
        for panel, title in (
            (self.plate, "Plate"),
            (self.map, "Map"),
            (self.hits, "Hits"),
            (self.explain, "Explain"),
            (self.describe, "Describe"),
            (self.references, "References"),
            (self.run, "Run"),
        ):
            if panel not in open_panels:
                self.tabs.addTab(panel, title)
        for panel in open_panels:
            panel.show()
        self._tab_chosen(self.tabs.currentIndex())
        if current is not None and current not in open_panels:
            self.tabs.setCurrentWidget(current)
        if arrangement.plate_open:
            height = max(self.body.height(), 100)
            self.body.setSizes([height * 52 // 100, height * 48 // 100])
            self.body.setStretchFactor(0, 52)
            self.body.setStretchFactor(1, 48)
        if arrangement.map_open:
            width = max(self.width(), 100)
            self.bottom.setSizes([width * 42 // 100, width * 58 // 100])

    def _tab_chosen(self, _index: int) -> None:
        """Hide the map beside a panel that needs its width."""
        if self._arrangement is not None and self._arrangement.map_open:
            self.map.setVisible(self.tabs.currentWidget() not in self._wide)

    # ------------------------------------------------------------------ session and drops

    def _plate_changed(self) -> None:
        if self.session.plate is not None and self.session.screen is None:
            self.tabs.setCurrentWidget(self.run)

    def _screen_changed(self) -> None:
        screen = self.session.screen
        if screen is not None and not screen.card.has_head:
            self.tabs.setCurrentWidget(self.references)  # first of all, what can this assay see?
        elif screen is not None and self.tabs.currentWidget() is self.run:
            first = (
                self.hits
                if self._arrangement is not None and self._arrangement.map_open
                else self.tabs.widget(0)
            )
            self.tabs.setCurrentWidget(first)

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self._dropped = sorted(paths, key=is_plate_map)[:2]  # the plate, then its plate map
            self.session.request(OpenRequest(self._dropped.pop(0)))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.OPEN and work is None and self._dropped:
            self.session.request(OpenRequest(self._dropped.pop(0)))
