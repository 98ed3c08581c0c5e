"""The end of a window: the question names what runs, and threads that outlive Qt say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMainWindow, QMessageBox

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.window import CloseGuard
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


def shown_beside_explorer(viewer, qtbot) -> QMainWindow:
    """Add a layer and the Explorer; returns napari's window once it is guarded."""
    viewer.add_image(np.zeros((8, 8)))
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitUntil(lambda: explorer.window().findChild(CloseGuard) is not None)
    return explorer.window()


@pytest.fixture
def busy(make_napari_viewer, qtbot, monkeypatch):
    """A viewer with a layer and an Explorer, and a run that goes on; what it is asked is in ``asked``."""
    from napari.settings import get_settings

    go_on = threading.Event()
    given = SimpleNamespace(viewer=make_napari_viewer(show=True), settings=get_settings().application)
    given.window = shown_beside_explorer(given.viewer, qtbot)
    given.jobs = jobs = controller_of(given.viewer).jobs
    before = given.settings.confirm_close_window
    jobs.run(Task.ENCODE, lambda: go_on.wait(60), lambda _: None, "Encoding plate P7")
    yield given
    given.viewer = given.window = None  # napari's fixture counts who is held
    go_on.set()
    given.settings.confirm_close_window = before
    qtbot.waitUntil(lambda: not jobs.running(Task.ENCODE))


def activate(window, qtbot) -> None:
    """Shortcuts are the active window's."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def by_key(key: Qt.Key):
    return lambda window: QTest.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)


def by_menu(title: str):
    def close(window) -> None:
        menu = next(a.menu() for a in window.menuBar().actions() if a.text().replace("&", "") == "File")
        menu.aboutToShow.emit()
        next(a for a in menu.actions() if a.text() == title).trigger()

    return close


@pytest.fixture
def answered(qapp):
    """Answer dialogs as they come: napari's by yes, ours by the button named; returns what ours said."""
    asked: list[str] = []
    timer = QTimer()

    def answer(button: str) -> None:
        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, QMessageBox):
                asked.append(dialog.text())
                next(b for b in dialog.buttons() if b.text().replace("&", "") == button).click()
            elif dialog is not None:
                asked.append("napari")
                dialog.accept()

        timer.timeout.connect(look)
        timer.start(20)

    yield SimpleNamespace(asked=asked, by=answer)
    timer.stop()


@pytest.mark.parametrize("confirm", [True, False])
@pytest.mark.parametrize(
    "close",
    [by_key(Qt.Key.Key_W), by_key(Qt.Key.Key_Q), by_menu("Close Window"), by_menu("Exit")],
    ids=["Ctrl+W", "Ctrl+Q", "Close Window", "Exit"],
)
def test_every_way_of_closing_names_the_job_and_can_be_refused(busy, answered, qtbot, close, confirm):
    busy.settings.confirm_close_window = confirm
    answered.by("Cancel")
    for _ in range(2):  # the refusal leaves nothing behind
        answered.asked.clear()
        activate(busy.window, qtbot)
        close(busy.window)
        qtbot.waitUntil(lambda: len(answered.asked) == 1 + confirm)
        assert "Encoding plate P7" in answered.asked[-1]
        qtbot.wait(50)
        assert busy.window.isVisible()
        assert busy.jobs.running(Task.ENCODE)
    busy.viewer.add_image(np.ones((8, 8)))
    assert len(busy.viewer.layers) == 2


def test_a_program_closes_its_viewer_unasked(busy, answered, qtbot):
    """Also after Ctrl+Q was refused: napari kept in mind that it was to quit, and raised here."""
    busy.settings.confirm_close_window = False
    answered.by("Cancel")
    activate(busy.window, qtbot)
    by_key(Qt.Key.Key_Q)(busy.window)
    assert len(answered.asked) == 1
    window = busy.window
    busy.viewer.close()
    assert not window.isVisible()
    assert len(answered.asked) == 1


def test_work_in_another_window_is_named_too(busy, answered, qtbot, make_napari_viewer):
    busy.settings.confirm_close_window = False
    window = shown_beside_explorer(make_napari_viewer(show=True), qtbot)
    answered.by("Cancel")
    activate(window, qtbot)
    by_key(Qt.Key.Key_Q)(window)
    assert "another window:\nEncoding plate P7" in answered.asked[0]
    assert window.isVisible()


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


CLOSES_ASKED = """
import sys, threading, napari
from napari.settings import get_settings
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.tasks import Task

get_settings().application.confirm_close_window = False
viewer = napari.Viewer()
explorer = Explorer(viewer)
viewer.window.add_dock_widget(explorer, name="Explorer")
ended = threading.Event()
explorer._controller.jobs.run(Task(sys.argv[1]), lambda: ended.wait(200), print, "Sleeping")

def look():
    dialog = QApplication.activeModalWidget()
    if isinstance(dialog, QMessageBox):
        print("asked:", dialog.text().splitlines()[1], flush=True)
        ended.set()
        dialog.button(QMessageBox.StandardButton.Yes).click()

def press():
    window = explorer.window()
    window.activateWindow()
    QTest.keyClick(window, getattr(Qt.Key, "Key_" + sys.argv[2]), Qt.KeyboardModifier.ControlModifier)
    if any(widget.isVisible() for widget in QApplication.topLevelWidgets()):
        QTimer.singleShot(500, press)  # it was not active yet
    else:
        ended.set()

timer = QTimer()
timer.timeout.connect(look)
timer.start(50)
QTimer.singleShot(100, press)
napari.run()
print("over", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("task", "key", "asked"), [("encode", "Q", ["asked: Sleeping …"]), ("map", "W", [])])
def test_a_close_that_is_accepted_or_loses_nothing_ends_the_program(task, key, asked):
    run = subprocess.run(
        [sys.executable, "-c", CLOSES_ASKED, task, key],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert run.stdout.splitlines() == [*asked, "over"]
    assert "Traceback" not in run.stderr
