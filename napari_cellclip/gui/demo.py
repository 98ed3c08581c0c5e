"""The demo window: a simulated plate, encoded, queried, with its best well on the canvas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    import napari

    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen

SIZE = (1600, 1000)
QUERY = "tubulin polymerisation inhibitor"
PATIENCE = 180.0
"""Seconds that a picture waits for answer, map and pixels."""


def open_window(
    plate: Plate, screen: Screen, query: str = QUERY, size: tuple[int, int] = SIZE
) -> napari.Viewer:
    """Open napari with the Explorer on a screen, ask, and show the best well; returns at once.

    Answer, map and pixels arrive from worker threads while the event loop runs.

    Parameters
    ----------
    plate, screen : Plate, Screen
        Pixels and what was encoded from them.
    query : str
        Asked at once.
    size : tuple of int
        Width and height of the window.
    """
    import napari

    from napari_cellclip.gui.explorer import show_explorer
    from napari_cellclip.gui.state.requests import AskRequest
    from napari_cellclip.gui.work.controller import controller_of
    from napari_cellclip.plates import PlateMap, find_platemap

    viewer = napari.Viewer(title="napari-cellclip · simulated plate", show_welcome_screen=False)
    show_explorer(viewer)
    viewer.window.resize(*size)
    session = controller_of(viewer).session
    table = find_platemap(plate.path)
    session.set_plate(plate, PlateMap.read(table, plate=plate.name) if table else None)
    session.set_screen(screen)

    def show_best() -> None:
        if session.answer is None:
            return
        session.answer_changed.disconnect(show_best)
        best = str(session.answer.scores["score"].idxmax())
        session.selection.replace([best])
        session.show(best)

    session.answer_changed.connect(show_best)
    session.request(AskRequest(query))
    return viewer


def show(plate: Plate, screen: Screen, query: str = QUERY) -> None:
    """Open the demo window and run until it is closed."""
    import napari

    viewer = open_window(plate, screen, query)
    napari.run()
    del viewer


def picture(
    plate: Plate,
    screen: Screen,
    query: str,
    path: Path,
    size: tuple[int, int] = SIZE,
    patience: float = PATIENCE,
) -> Path:
    """Write the whole demo window, canvas and docks, as a PNG, and close it.

    Raises
    ------
    CellClipError
        If answer, map or pixels do not arrive in time, or something went wrong on the way.
    """
    from qtpy.QtWidgets import QApplication

    from napari_cellclip.gui.panels.hits.chips import LazyPictures
    from napari_cellclip.gui.state.tasks import Task
    from napari_cellclip.gui.work.controller import controller_of

    viewer = open_window(plate, screen, query, size)
    session = controller_of(viewer).session
    messages: list[str] = []
    session.message.connect(lambda _task, message: messages.append(message))

    def ready() -> bool:
        idle = all(session.work(task) is None for task in Task)
        drawn = any(layer.metadata.get("cellclip", {}).get("stain") for layer in viewer.layers)
        return idle and drawn and session.answer is not None and "umap" in session.maps.by_method

    def pictured() -> bool:
        docks = viewer.window.dock_widgets.values()
        return all(pictures.complete for dock in docks for pictures in dock.findChildren(LazyPictures))

    try:
        wait(ready, patience, lambda: bool(messages))
        wait(lambda: False, 1.0)  # let the last frame be painted, which asks for the pictures of its wells
        wait(pictured, patience)
        wait(lambda: False, 0.2)
        if messages:
            raise CellClipError(f"The demo could not be shown: {messages[0]}")
        if not ready():
            raise CellClipError(
                f"The demo was not ready after {patience:.0f} s: try again on an idle machine."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(path), canvas_only=False, flash=False)
    finally:
        viewer.close()
        QApplication.processEvents()
    return path


def wait(ready: Callable[[], bool], seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
    """Run the event loop until something is so, or time is up."""
    from qtpy.QtWidgets import QApplication

    end = monotonic() + seconds
    while monotonic() < end and not ready() and not stop():
        QApplication.processEvents()
        QApplication.sendPostedEvents()
