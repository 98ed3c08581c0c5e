"""What is asked of napari's own window: may it close while work runs, whose is a drop on its canvas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from weakref import ref

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QLineEdit, QMainWindow, QWidget

from napari_cellclip.gui.panels.status_line import work_text
from napari_cellclip.gui.plain_text import confirms
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller, controllers
from napari_cellclip.gui.work.files.session_file import is_session_name

WRITES = (Task.ENCODE, Task.SAMPLE, Task.FETCH, Task.EXPORT, Task.REFERENCES, Task.INSTALL)
"""Work whose result a closed window would lose; answers and maps are computed again in no time."""

GUARD = "cellclip-close-guard"
"""Object name of the one guard of a window."""

PASSED_ON = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier
"""Keys by which napari is told to stack what is dropped, or to ask for a reader."""


class CloseGuard(QObject):
    """Asks before a window closes on work that ends with it, by its name.

    napari itself names running work only where the window manager closes its window. By Ctrl+W, Ctrl+Q
    and its File menu it asks whether to close, if its settings say so, and then sends the close event
    that is met here.

    Parameters
    ----------
    window : QMainWindow
        napari's; holds the guard.
    controller : Controller
        Of its viewer; held weakly.
    """

    def __init__(self, window: QMainWindow, controller: Controller) -> None:
        super().__init__(window)
        self.setObjectName(GUARD)
        self._controller = ref(controller)
        window.installEventFilter(self)

    def eventFilter(self, window: QObject | None, event: QEvent | None) -> bool:
        if event is None or event.type() != QEvent.Type.Close or event.spontaneous():
            return False
        if not isinstance(window, QMainWindow) or not window.isVisible() or closed_by_program(window):
            return False
        if self._may_close(window):
            return False
        event.ignore()
        # napari remembers that it was to quit, and would at the next close of this window; this one, in the
        # middle of a close, only tells it otherwise.
        window.close()
        return True

    def _may_close(self, window: QMainWindow) -> bool:
        mine = self._controller()
        here = work_in(mine.session) if mine is not None else []
        elsewhere = [line for other in controllers() if other is not mine for line in work_in(other.session)]
        if not here and not elsewhere:
            return True
        if here:
            lines = ["Still at work in this window:", *here, "", "Close the window and stop this work?"]
            if mine is not None and mine.session.work(Task.ENCODE) is not None:
                lines[-1] += " Sites that are encoded are kept; Resume goes on from there."
        else:
            lines = ["Still at work in another window:", *elsewhere, ""]
            lines += ["It goes on if only this window closes, and ends if you quit napari. Close?"]
        return confirms(window, "Close window", "\n".join(lines), verb="Close")


def closed_by_program(window: QMainWindow) -> bool:
    """Tell whether ``viewer.close()`` is at work: it has hidden the canvas, and cannot be refused."""
    centre = window.centralWidget()
    return centre is None or all(widget.isHidden() for widget in _children(centre))


def work_in(session: Session) -> list[str]:
    """List the work of a session that would be lost, a line for each."""
    return [work_text(work) for task in WRITES if (work := session.work(task)) is not None]


def guard_window(widget: QWidget, controller: Controller) -> None:
    """Give the main window that a widget lies in a guard, once."""
    window = widget.window()
    if isinstance(window, QMainWindow) and window.findChild(CloseGuard, GUARD) is None:
        CloseGuard(window, controller)


class CanvasDrops(QObject):
    """Takes plates, screens and sessions that are dropped on napari's canvas; all else is napari's.

    napari would ask which of its readers should open a folder, and knows neither screens nor sessions.

    Parameters
    ----------
    owner : QWidget
        Lies in a dock of napari's window, and holds this: with it, drops are napari's again.
    """

    dropped = Signal(object)
    """Paths, of which one is ours."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        window = owner.window()
        centre = window.centralWidget() if isinstance(window, QMainWindow) else None
        for widget in centre.findChildren(QWidget) if centre is not None else ():
            if widget.acceptDrops() and not isinstance(widget, QLineEdit):
                widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject | None, event: Any) -> bool:
        if event is None or event.type() != QEvent.Type.Drop:
            return False
        paths = dropped_paths(event)
        if QGuiApplication.keyboardModifiers() & PASSED_ON or not any(map(is_ours, paths)):
            return False
        event.acceptProposedAction()
        self.dropped.emit(paths)
        return True


def dropped_paths(event: Any) -> list[Path]:
    """List the files and folders that a drag carries."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


def is_ours(path: Path) -> bool:
    """Tell whether a path is a plate, a screen or a session; quick, and never raises."""
    from napari_cellclip.plates import detect_layout

    return is_session_name(path) or (path / "screen.json").is_file() or detect_layout(path) is not None


def _children(widget: QWidget) -> Iterable[QWidget]:
    return widget.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
