"""A closed dock, or a closed window, takes its widget along; what arrives later reaches no panel."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from typing import Any

import pytest
from napari.plugins import menu_item_template
from npe2 import PluginManifest
from psygnal import SignalInstance
from qtpy.compat import isalive
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui import docks
from napari_cellclip.gui.docks import dock_of
from napari_cellclip.gui.explorer import MENU_NAME, Explorer, show_explorer
from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.header import Header
from napari_cellclip.gui.state.requests import AskRequest, MapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.text_query import TextQuery
from napari_cellclip.gui.work.controller import controller_of
from tests.gui.toy_screens import FakeScreen, answer_for


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def late(monkeypatch):
    """A question that is answered when the gate opens."""
    gate = threading.Event()

    def answer(screen: FakeScreen, *_: object, **__: object) -> Any:
        gate.wait(30)
        return answer_for(screen, {"toy/C06": 9.0})

    monkeypatch.setattr("napari_cellclip.explore.ask", answer)
    yield gate
    gate.set()


def docked(kind, viewer, qtbot, plate, platemap):
    """A widget in a dock of the viewer, on a screen that is a stand-in and cannot be mapped."""
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget, name="one")
    qtbot.waitExposed(widget)
    controller = controller_of(viewer)
    controller.handlers[MapRequest] = lambda *_: None
    session = controller.session
    session.set_plate(plate, platemap)
    session.set_screen(FakeScreen.of(plate))
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=20_000)
    return widget, session


@pytest.mark.parametrize("kind", [Explorer, TextQuery])
def test_a_closed_dock_deletes_its_widget_at_once_and_in_the_main_thread(
    kind, viewer, qtbot, plate, platemap
):
    widget, _ = docked(kind, viewer, qtbot, plate, platemap)
    gone: list[threading.Thread] = []
    widget.destroyed.connect(lambda: gone.append(threading.current_thread()))
    viewer.window.remove_dock_widget(widget)
    viewer.window.add_dock_widget(widget, name="another")
    qtbot.wait(50)
    assert gone == [], "a widget may be put into another dock"
    gc.disable()
    try:
        dock_of(widget).destroyOnClose()  # what the cross of the dock calls
        qtbot.waitUntil(lambda: bool(gone), timeout=20_000)
    finally:
        gc.enable()
    assert gone == [threading.main_thread()]


@pytest.mark.parametrize("kind", [Explorer, TextQuery])
@pytest.mark.parametrize("floating", [False, True])
def test_an_answer_after_the_dock_was_closed_reaches_no_panel(
    kind, floating, viewer, qtbot, plate, platemap, late
):
    other = TextQuery(viewer)  # somebody still waits for the answer
    viewer.window.add_dock_widget(other, name="other")
    other.session.set_plate(plate, platemap)  # the bar of the canvas comes with it, and stays
    qtbot.waitUntil(lambda: all(other.session.work(task) is None for task in Task), timeout=20_000)
    before = listeners(other.session)
    widget, session = docked(kind, viewer, qtbot, plate, platemap)
    dock_of(widget).setFloating(floating)
    session.request(AskRequest("late", prompts=("late",)))
    hits = widget.hits  # Python may hold what Qt has destroyed
    dock_of(widget).destroyOnClose()
    qtbot.waitUntil(lambda: not isalive(widget), timeout=20_000)
    assert not isalive(hits)
    assert listeners(session) - before <= Counter({"screen_changed": 1, "screen_grew": 1}), "thumbnails alone"
    late.set()
    qtbot.waitUntil(lambda: session.answer is not None, timeout=20_000)
    qtbot.waitUntil(lambda: other.hits.model.rowCount() > 0, timeout=20_000)


def test_an_answer_after_the_window_was_closed_reaches_no_panel(viewer, qtbot, plate, platemap, late):
    widget, session = docked(Explorer, viewer, qtbot, plate, platemap)
    viewer.close()
    qtbot.waitUntil(lambda: not isalive(widget), timeout=20_000)
    session.answer = answer_for(session.screen, {"toy/C06": 9.0})
    session.selection.replace(["toy/C06"])
    assert session.answer is not None


def test_the_collector_does_not_take_a_widget_between_two_docks(viewer, qtbot, plate, platemap):
    """It would destroy the panels while one of them is at work."""
    widget, session = docked(Explorer, viewer, qtbot, plate, platemap)
    hits = widget.hits
    viewer.window.remove_dock_widget(widget)
    del widget
    gc.collect()
    assert isalive(hits)
    session.answer = answer_for(session.screen, {"toy/C06": 9.0})
    qtbot.waitUntil(lambda: not isalive(hits), timeout=20_000)


def test_panels_that_are_collected_in_a_worker_are_destroyed_without_a_crash(session, qapp):
    """Python empties the functions it collects with a widget; Qt, which deletes it later, must not call them."""
    gc.collect()
    gc.disable()
    try:
        leave_panels_to_the_collector(session)
        worker = threading.Thread(target=gc.collect)
        worker.start()
        worker.join()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    finally:
        gc.enable()
    session.selection.replace(["toy/C06"])


def leave_panels_to_the_collector(session: Session) -> None:
    """Make two panels, one in the other, that nothing holds but themselves."""
    outer = Header(session)
    outer.ring = outer, Footer(session, outer)


def listeners(session: Session) -> Counter[str]:
    """How many listen to each signal of a session."""
    signals = {name: getattr(session, name) for name in dir(type(session))}
    return Counter({name: len(s) for name, s in signals.items() if isinstance(s, SignalInstance)})


def test_what_the_first_picture_needs_is_prepared_once_the_window_is_seen(viewer, qtbot, monkeypatch):
    seen: list[bool] = []
    monkeypatch.setattr(docks, "prepare_layers", lambda: seen.append(explorer.isVisible()))
    explorer = Explorer(viewer)
    assert seen == []
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitUntil(lambda: bool(seen), timeout=20_000)
    assert seen == [True]


def test_menu_and_sample_show_one_explorer(viewer):
    """File > Open Sample opened a second one: napari names a dock otherwise from the menu than from code."""
    manifest = PluginManifest.from_distribution("napari-cellclip")
    (title,) = (w.display_name for w in manifest.contributions.widgets if "explorer" in w.command)
    assert menu_item_template.format(manifest.display_name, title) == MENU_NAME
    first = show_explorer(viewer)
    dock_of(first).hide()
    assert show_explorer(viewer) is first
    assert not dock_of(first).isHidden()
    assert list(viewer.window.dock_widgets) == [MENU_NAME]


def test_an_explorer_under_another_name_is_found(viewer):
    mine = Explorer(viewer)
    viewer.window.add_dock_widget(mine, name="mine")
    assert show_explorer(viewer) is mine
