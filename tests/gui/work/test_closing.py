"""Work ends with what shows it: dropped fields, closed widgets, viewers that are gone."""

from __future__ import annotations

import gc
import threading

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import DescribeRequest
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.text_query import TextQuery
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.gui.work.workers import Latest
from tests.gui.toy_screens import FakeScreen, answer_for


@pytest.fixture
def gate():
    """Holds worker threads until it is set, at the latest at the end of the test."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def slow_reading(monkeypatch, gate):
    """Reading a site that waits for the gate."""
    from napari_cellclip.plates import Site

    read = Site.read
    monkeypatch.setattr(Site, "read", lambda self, *a, **k: (gate.wait(60), read(self, *a, **k))[1])
    return gate


def delete(widget) -> None:
    """Destroy a widget as Qt does when its dock is closed; Python may hold it longer."""
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete.value)


def test_another_plate_drops_the_field_that_is_read_and_its_task(plate, qapp, slow_reading):
    viewer = ViewerModel()
    session = controller_of(viewer).session
    session.set_plate(plate)
    session.show("toy/C04")
    assert session.work(Task.FIELD) is not None
    session.set_plate(None)
    assert session.work(Task.FIELD) is None, "no progress of a field that nobody waits for"


def test_the_map_drops_a_field_that_is_read_and_its_task(plate, qapp, slow_reading):
    from napari_cellclip.gui.state.requests import MapPictureRequest

    viewer = ViewerModel()
    session = controller_of(viewer).session
    session.set_plate(plate)
    session.show("toy/C04")
    session.request(MapPictureRequest())
    assert session.work(Task.FIELD) is None


def test_work_ends_with_the_last_widget(plate, qtbot, monkeypatch, gate):
    monkeypatch.setattr("napari_cellclip.explore.describe", lambda *_, **__: gate.wait(60))
    viewer = ViewerModel()
    controller = controller_of(viewer)
    session = controller.session
    first, second = Explorer(viewer), TextQuery(viewer)
    session.set_plate(plate)
    session._screen = FakeScreen.of(plate)
    session.request(DescribeRequest(("toy/C04",)))
    delete(first)
    assert controller.jobs.running(Task.DESCRIBE), "somebody still looks at it"
    delete(second)
    assert not controller.jobs.running(Task.DESCRIBE)
    assert session.work(Task.DESCRIBE) is None


def test_work_ends_with_the_viewer(plate, qapp, monkeypatch, gate):
    monkeypatch.setattr("napari_cellclip.explore.describe", lambda *_, **__: gate.wait(60))
    viewer = ViewerModel()
    jobs = controller_of(viewer).jobs
    jobs.session._screen = FakeScreen.of(plate)
    jobs.session.request(DescribeRequest(("toy/C04",)))
    assert jobs.running(Task.DESCRIBE)
    del viewer
    gc.collect()
    assert not jobs.running(Task.DESCRIBE)


def test_a_destroyed_widget_hears_nothing_more(plate, platemap, qtbot):
    """Python may hold a panel that Qt has destroyed: calling it would raise in whoever changes the session."""
    viewer = ViewerModel()
    session = controller_of(viewer).session
    explorer = Explorer(viewer)
    held = [
        explorer,
        explorer.header,
        explorer.query,
        explorer.plate,
        explorer.map,
        explorer.hits,
        explorer.setup,
    ]
    delete(explorer)
    screen = FakeScreen.of(plate)
    session.set_plate(plate, platemap)
    session.set_screen(screen)
    session.answer = answer_for(screen, {"toy/C06": 9.0})
    session.selection.replace(["toy/C06"])
    session.look(threshold=1.5)
    session.set_work(Task.ENCODE, Work("encoding", 1, 2))
    session.set_work(Task.ENCODE, None)
    session.message.emit(Task.OPEN, "a message")
    assert held
    controller_of(viewer).close()


def test_a_cancelled_stream_is_closed_in_its_thread(qtbot):
    """At its next step, and not when the garbage collector comes by: what it writes is closed by then."""
    line, seen, closed_in = Latest(), [], []

    def steps():
        try:
            while True:
                yield len(seen)
                threading.Event().wait(0.002)
        finally:
            closed_in.append(threading.current_thread())

    gc.disable()
    try:
        line.stream(steps, seen.append, lambda _: seen.append("done"))
        qtbot.waitUntil(lambda: len(seen) > 3)
        line.cancel()
        qtbot.waitUntil(lambda: bool(closed_in))
    finally:
        gc.enable()
    assert closed_in[0] is not threading.main_thread()
    assert "done" not in seen
