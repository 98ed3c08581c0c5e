"""Events of a real X server, sent by another program, under a window manager: drop, floating dock, Tab.

Skipped where there is no X server, ``xdotool`` or ``openbox``.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_cellclip.gui.docks import dock_of
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import AskRequest, MapRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.text_query import TextQuery
from napari_cellclip.gui.work.controller import controller_of
from tests.gui.toy_screens import FakeScreen, answer_for

SOURCE = """
import sys
from qtpy.QtCore import QMimeData, Qt, QUrl
from qtpy.QtGui import QDrag
from qtpy.QtWidgets import QApplication, QLabel

class Source(QLabel):
    def mousePressEvent(self, event):
        event.accept()

    def mouseMoveEvent(self, event):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(path) for path in sys.argv[1:]])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)

app = QApplication([])
source = Source("drag me")
source.setWindowFlags(Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)
source.setGeometry(0, 540, 80, 40)
source.show()
print("shown", flush=True)
app.exec()
"""
PATIENT = 60_000


@pytest.fixture
def desktop(qapp, qtbot) -> Iterator[None]:
    """A window manager on the X server that the tests run on."""
    if qapp.platformName() != "xcb" or not all(map(shutil.which, ("xdotool", "openbox"))):
        pytest.skip("needs an X server, xdotool and openbox")
    manager = subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        qtbot.wait(500)
        yield
    finally:
        manager.terminate()
        manager.wait()


@pytest.fixture
def viewer(desktop, make_napari_viewer, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(780, 520)
    return viewer


@pytest.fixture
def explorer(viewer, qtbot):
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitExposed(explorer)
    return explorer


def fill(viewer, plate, platemap) -> None:
    """Plate, screen and answer; the screen is a stand-in, which cannot be mapped."""
    controller = controller_of(viewer)
    controller.handlers[MapRequest] = lambda *_: None
    session = controller.session
    session.set_plate(plate, platemap)
    session.set_screen(FakeScreen.of(plate))
    session.answer = answer_for(session.screen, {"toy/C06": 9.0, "toy/D04": 5.0})


def x(qtbot, *words: object) -> None:
    """Run xdotool, and the window's events while it runs."""
    tool = subprocess.Popen(["xdotool", *map(str, words)])
    qtbot.waitUntil(lambda: tool.poll() is not None, timeout=PATIENT)
    assert tool.returncode == 0
    qtbot.wait(50)


def move_to(qtbot, widget: QWidget, at: QPoint | None = None) -> None:
    place = widget.mapToGlobal(at if at is not None else widget.rect().center())
    x(qtbot, "mousemove", place.x(), place.y())


def click(qtbot, widget: QWidget, happened: Callable[[], bool], at: QPoint | None = None) -> None:
    """Click until something happened: a window manager may move a window after it said where it is."""
    for _ in range(20):
        move_to(qtbot, widget, at)
        x(qtbot, "click", 1)
        with contextlib.suppress(qtbot.TimeoutError):
            return qtbot.waitUntil(happened, timeout=3_000)
    pytest.fail(f"no click reached {widget}")


def idle(qtbot, session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=PATIENT)


@pytest.mark.slow
def test_a_plate_is_dragged_from_another_program_onto_the_query_line(explorer, qtbot, plate_folder: Path):
    session = explorer.session
    source = subprocess.Popen(
        [sys.executable, "-c", SOURCE, str(plate_folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert source.stdout.readline() == "shown\n"
        qtbot.wait(500)
        x(qtbot, "mousemove", 30, 560, "mousedown", 1, "mousemove_relative", 12, 0, "sleep", 0.2)
        target = explorer.query.line
        middle = target.mapToGlobal(target.rect().center())
        for step in range(1, 6):
            x(qtbot, "mousemove", 30 + (middle.x() - 30) * step // 5, 560 + (middle.y() - 560) * step // 5)
        x(qtbot, "sleep", 0.3, "mouseup", 1)
        qtbot.waitUntil(lambda: session.plate is not None, timeout=PATIENT)
        idle(qtbot, session)
    finally:
        source.kill()
        source.communicate()  # closes its pipe too
    assert session.plate.path == plate_folder
    assert explorer.query.line.text() == "", "the path is no question"


@pytest.mark.slow
def test_a_floating_explorer_selects_opens_and_docks_again(viewer, explorer, qtbot, plate, platemap):
    session, dock = explorer.session, dock_of(explorer)
    fill(viewer, plate, platemap)
    dock.setFloating(True)
    dock.resize(700, 560)
    dock.move(40, 10)
    explorer.tabs.setCurrentWidget(explorer.plate)
    qtbot.waitUntil(lambda: explorer.plate.view.isVisible() and dock.isFloating(), timeout=PATIENT)
    qtbot.wait(300)
    view = explorer.plate.view
    place = view.position_of("toy/D04")
    click(qtbot, view.viewport(), lambda: session.selection.ids == {"toy/D04"}, place)
    x(qtbot, "click", "--repeat", 2, "--delay", 60, 1)
    qtbot.waitUntil(lambda: session.shown == "toy/D04/1", timeout=PATIENT)
    x(qtbot, "key", "ctrl+z")
    qtbot.waitUntil(lambda: not session.selection.ids, timeout=PATIENT)
    dock.setFloating(False)
    qtbot.waitUntil(lambda: not dock.isFloating() and explorer.isVisible(), timeout=PATIENT)
    idle(qtbot, session)


@pytest.mark.slow
def test_tab_reaches_every_control_and_comes_round(viewer, explorer, qtbot, plate, platemap):
    session, dock = explorer.session, dock_of(explorer)
    fill(viewer, plate, platemap)
    idle(qtbot, session)
    dock.setFloating(True)
    dock.resize(700, 560)
    qtbot.wait(300)
    explorer.tabs.setCurrentWidget(explorer.hits)
    wanted = {w for w in explorer.findChildren(QWidget) if in_the_round(w)}
    met: list[QWidget | None] = []

    def meet(_old: QWidget | None, new: QWidget | None) -> None:
        met.append(new)

    application = QApplication.instance()
    application.focusChanged.connect(meet)
    try:
        click(qtbot, explorer.query.line, explorer.query.line.hasFocus)
        for _ in range(len(wanted) + 5):
            x(qtbot, "key", "Tab")
    finally:
        application.focusChanged.disconnect(meet)
    assert sorted(type(w).__name__ for w in wanted - set(met)) == []
    assert met.count(explorer.query.line) >= 2, "it comes round"


def in_the_round(widget: QWidget) -> bool:
    """Whether Tab should stop at a widget."""
    takes = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
    if isinstance(widget, QAbstractButton) and widget.group() is not None and not widget.isChecked():
        return False  # arrows go from one button of a group to the next
    return takes and widget.isVisible() and widget.isEnabled()


@pytest.mark.slow
def test_text_query_beside_the_explorer_stays_usable(viewer, explorer, qtbot, plate, platemap):
    """Asked, read and filtered in the one; the other shows the same."""
    asked: list[AskRequest] = []
    second = TextQuery(viewer)
    viewer.window.add_dock_widget(second, name="Text query")
    qtbot.waitExposed(second)
    fill(viewer, plate, platemap)
    qtbot.waitUntil(lambda: dock_of(second) in explorer.window().tabifiedDockWidgets(dock_of(explorer)))
    dock_of(second).raise_()
    qtbot.waitUntil(second.hits.table.isVisible, timeout=PATIENT)
    assert second.hits.table.viewport().height() >= 4 * second.fontMetrics().lineSpacing()
    assert second.query.line.width() >= 15 * second.fontMetrics().averageCharWidth()
    controller_of(viewer).handlers[AskRequest] = lambda _jobs, request: asked.append(request)
    click(qtbot, second.query.line, second.query.line.hasFocus)
    x(qtbot, "type", "tubulin")
    x(qtbot, "key", "Return")
    qtbot.waitUntil(lambda: bool(asked), timeout=PATIENT)
    assert asked[-1].text == "tubulin"
    click(qtbot, second.hits.filter, second.hits.filter.hasFocus)
    x(qtbot, "type", "C06")
    qtbot.waitUntil(lambda: second.hits.model.ids == ["toy/C06"], timeout=PATIENT)
    assert explorer.hits.model.ids == ["toy/C06"]
    dock_of(explorer).raise_()
    qtbot.waitUntil(explorer.query.isVisible, timeout=PATIENT)
    assert explorer.hits.filter.text() == "C06"
