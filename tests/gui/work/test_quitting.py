"""The end of a window: the question names what runs, and threads that outlive Qt say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of

CLOSES_BUSY = """
import time
import napari
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of

viewer = napari.Viewer(show=False)
controller_of(viewer).jobs.run(Task.MAP, lambda: time.sleep(2), print, "Sleeping")
viewer.close()
print("closed")
"""


def test_the_question_whether_to_quit_names_the_job(make_napari_viewer, qtbot, monkeypatch):
    viewer, go_on = make_napari_viewer(show=True), threading.Event()
    asked: list[str] = []

    class Dialog:
        def __init__(self, *_: object, extra_info: str = "", **__: object) -> None:
            asked.append(extra_info)

        def exec_(self) -> int:
            return 0

    monkeypatch.setattr("napari._qt.qt_main_window.ConfirmCloseDialog", Dialog)
    jobs = controller_of(viewer).jobs
    jobs.run(Task.ENCODE, lambda: go_on.wait(20), lambda _: None, "Encoding plate P7")
    try:
        qtbot.waitUntil(lambda: bool(viewer.window._qt_window._window._task_status_manager.get_status()))
        quit_by_hand(viewer)
        assert "Encoding plate P7" in asked[0]
    finally:
        go_on.set()
    qtbot.waitUntil(lambda: not jobs.running(Task.ENCODE))


def quit_by_hand(viewer) -> None:
    """A close event as the window manager sends it."""
    from qtpy.QtGui import QCloseEvent

    class Spontaneous(QCloseEvent):
        def spontaneous(self) -> bool:
            return True

    viewer.window._qt_window.closeEvent(Spontaneous())


@pytest.mark.slow
def test_a_thread_that_outlives_the_window_ends_silently():
    """It used to end in a traceback: "WorkerBaseSignals has been deleted"."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    run = subprocess.run(
        [sys.executable, "-c", CLOSES_BUSY], capture_output=True, text=True, timeout=240, env=environment
    )
    assert run.stdout.strip() == "closed"
    assert "deleted" not in run.stderr
    assert "Traceback" not in run.stderr
