"""Share napari's window between canvas and Explorer, through what Qt and napari offer everybody."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

CANVAS_SHARE = 0.42
"""Share of the window's width that is left to the canvas."""

NARROW = 1500
"""Below this width of the window the list of layers is put away too."""

AROUND = 24
"""Pixels of borders and handles between docks."""


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


def share_dock(widget: QWidget, other: QWidget) -> None:
    """Put the dock of a widget on top of another one's, as two tabs, where both lie at the same side."""
    dock, beside, window = dock_of(widget), dock_of(other), widget.window()
    if dock is None or beside is None or not isinstance(window, QMainWindow) or other.window() is not window:
        return
    floating = dock.isFloating() or beside.isFloating()
    if not floating and window.dockWidgetArea(dock) == window.dockWidgetArea(beside):
        window.tabifyDockWidget(beside, dock)
        dock.raise_()
