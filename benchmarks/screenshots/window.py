"""A window that is brought into states and photographed, whatever lies over it included."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from napari.settings import get_settings
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_cellclip.gui.demo import wait
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of

PATIENCE = 900.0
THEMES = ("dark", "light")
STILL, LONGEST = 0.3, 4.0
"""Seconds without a change after which a window has settled, and those that it is waited for."""


class Pictures:
    """Brings the window of a viewer into states and writes what its screen looks like, on both themes.

    Parameters
    ----------
    viewer : napari.Viewer
        Its window has an Explorer.
    look : str
        Begins the names of the pictures.
    out : Path
        Folder for them.
    wanted : collection of str, optional
        Names of the pictures to take, all unless given.
    """

    def __init__(self, viewer: Any, look: str, out: Path, wanted: Collection[str] | None = None) -> None:
        self.viewer, self.look, self.out, self.wanted = viewer, look, out, wanted
        self.session = controller_of(viewer).session
        self.explorer: Any = next(
            widget for name, widget in viewer.window.dock_widgets.items() if "Explorer" in name
        )
        self.session.message.connect(lambda task, text: print(f"{look}: {task}: {text}", flush=True))

    def ready(self, so: Callable[[], bool] = lambda: True) -> None:
        """Wait until nothing is at work and something is so."""
        began = perf_counter()
        wait(lambda: so() and all(self.session.work(task) is None for task in Task), PATIENCE)
        if perf_counter() - began > PATIENCE:
            raise TimeoutError(f"{self.look}: not ready after {PATIENCE:.0f} s")

    def settle(self) -> None:
        """Wait until what is on the screen stays as it is: small pictures are made a few at a time."""
        before, since, end = b"", perf_counter(), perf_counter() + LONGEST
        while perf_counter() - since < STILL and perf_counter() < end:
            wait(lambda: False, 0.1)
            now = pixels(self._grab()).tobytes()
            if now != before:
                before, since = now, perf_counter()

    def take(self, what: str, themes: tuple[str, ...] = THEMES) -> None:
        """Write the screen as it is now, on each theme."""
        for theme in themes:
            name = f"{self.look}-{theme}-{what}"
            if self.wanted is not None and name not in self.wanted:
                continue
            self.dress(theme)
            self.settle()
            path = self.out / f"{name}.png"
            self._grab().save(str(path))
            print(path, flush=True)
        self.dress("dark")

    def dress(self, theme: str) -> None:
        """Change to a theme of napari."""
        if get_settings().appearance.theme != theme:
            get_settings().appearance.theme = theme

    def tab(self, title: str) -> None:
        """Bring a tab to the front."""
        tabs = self.explorer.tabs
        tabs.setCurrentIndex(next(i for i in range(tabs.count()) if tabs.tabText(i).startswith(title)))

    def drag(self, widget: QWidget, points: list[tuple[float, float]], release: bool = True) -> None:
        """Press the left button on a widget, move it over points (shares of its size), and release it."""
        places = [QPointF(x * widget.width(), y * widget.height()) for x, y in points]
        kinds = [QEvent.Type.MouseButtonPress, *[QEvent.Type.MouseMove] * (len(places) - 1)]
        for kind, place in zip(kinds, places, strict=True):
            self._mouse(widget, kind, place)
            wait(lambda: False, 0.05)
        if release:
            self._mouse(widget, QEvent.Type.MouseButtonRelease, places[-1])

    def _mouse(self, widget: QWidget, kind: QEvent.Type, place: QPointF) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        where = QPointF(widget.mapToGlobal(place.toPoint()))
        event = QMouseEvent(kind, place, where, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)

    def _grab(self) -> QImage:
        return QApplication.primaryScreen().grabWindow(0).toImage()


def pixels(image: QImage) -> np.ndarray:
    """Copy the pixels of an image: uint8 ``[height, bytes of a line]``."""
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(image.height(), -1).copy()
