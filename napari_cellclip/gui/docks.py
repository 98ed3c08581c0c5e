"""Share napari's window between canvas and Explorer, through what Qt and napari offer everybody."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_cellclip.gui.canvas.field_layers import prepare_layers
from napari_cellclip.gui.panels.theme import Dressed

CANVAS_SHARE = 0.42
"""Share of the window's width that is left to the canvas."""

NARROW = 1700
"""Below this width of the window the list of layers is put away too."""

NAME = "cellclip-window"
"""Object name of the widgets that share a side of the window."""

PREPARED_AFTER = 200
"""Milliseconds that the window has to be painted before the first picture is prepared."""

AROUND = 24
"""Pixels of borders and handles between docks."""


class Docked(Dressed):
    """A widget in our style that napari puts into a dock, and that is deleted when this dock is closed.

    napari takes the widget out of a dock that is closed and leaves it to Python; its panels would go on
    working for nobody. A widget that lies in another dock at the next turn of the event loop stays.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(NAME)
        self._seen_before = False
        self._placed = self._soon(self._place_once)  # once the window has laid out its docks
        self._taken_out = self._soon(self._delete_undocked)
        self._prepared = self._soon(prepare_layers)

    def _soon(self, slot: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(slot)
        return timer

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if not self._seen_before:
            self._placed.start()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parentWidget() is None:
            self._taken_out.start()

    def _place_once(self) -> None:
        self._seen_before = True
        self.find_place()
        self._prepared.start(PREPARED_AFTER)

    def _delete_undocked(self) -> None:
        if self.parentWidget() is None:
            self.deleteLater()

    def find_place(self) -> None:
        """Arrange the docks around this one; called once, when it has been shown."""
        share_side(self)


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Find the dock that a widget lies in."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def share_window(widget: QWidget) -> bool:
    """Put napari's layer controls away and give the dock of a widget what the canvas can spare.

    The Window menu of napari shows them again. Docks that float, and windows that are no napari window,
    are left as they are.

    Returns
    -------
    bool
        Whether the widget lies in a dock of a main window.
    """
    dock, window = dock_of(widget), widget.window()
    if dock is None or dock.isFloating() or not isinstance(window, QMainWindow):
        return False
    put_away = {"layer controls"} | ({"layer list"} if window.width() < NARROW else set())
    left = 0
    for other in window.findChildren(QDockWidget):
        if other is dock or window.dockWidgetArea(other) != Qt.DockWidgetArea.LeftDockWidgetArea:
            continue
        if other.objectName() in put_away:
            other.hide()
        elif other.isVisible():
            left = max(left, other.minimumSizeHint().width())
    width = window.width()
    share = round((1 - CANVAS_SHARE) * width) - left - AROUND
    window.resizeDocks([dock], [min(share, widget.sizeHint().width())], Qt.Orientation.Horizontal)
    return True


def share_side(widget: QWidget) -> None:
    """Put the dock of a widget on top of those of widgets named alike at the same side, as tabs.

    Two of them one above the other would leave neither of them a height to work in.
    """
    dock, window = dock_of(widget), widget.window()
    if dock is None or dock.isFloating() or not isinstance(window, QMainWindow):
        return
    for other in window.findChildren(QDockWidget):
        alike = other is not dock and other.findChild(QWidget, widget.objectName()) is not None
        same_side = window.dockWidgetArea(other) == window.dockWidgetArea(dock)
        if alike and same_side and other.isVisible() and not other.isFloating():
            window.tabifyDockWidget(other, dock)
            dock.raise_()
            return
