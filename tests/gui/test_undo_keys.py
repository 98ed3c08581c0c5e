"""Undo by the keyboard: wherever the focus is, but in text fields, which have an undo of their own."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QAbstractItemView, QApplication, QComboBox, QPushButton, QToolButton, QWidget

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import ExcludeRequest
from napari_cellclip.gui.text_query import TextQuery
from napari_cellclip.gui.work.controller import controller_of
from tests.gui.toy_screens import FakeScreen, answer_for

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(params=[Explorer, TextQuery])
def window(request, qtbot, plate, platemap):
    viewer = ViewerModel()
    window = request.param(viewer)
    window.viewer = viewer  # for the tests alone: a controller dies with its viewer
    qtbot.addWidget(window)
    session = window.session
    session.set_plate(plate, platemap)
    session.set_screen(FakeScreen.of(plate))
    session.answer = answer_for(session.screen, {"toy/C06": 9.0})
    window.resize(1000, 900)
    window.show()
    window.activateWindow()
    qtbot.waitExposed(window)
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    yield window
    controller_of(viewer).close()


def test_the_keys_work_on_every_control_but_text_fields(window, qtbot):
    session, tried = window.session, set()
    kinds = (QAbstractItemView, QComboBox, QPushButton, QToolButton)
    for control in (
        c for c in window.findChildren(QWidget) if isinstance(c, kinds)
    ):  # PySide6 takes one kind
        if not control.isVisible() or not control.isEnabled() or not control.focusPolicy():
            continue
        session.selection.replace(["toy/C04"])
        session.selection.replace(["toy/C05"])
        control.setFocus()
        qtbot.keyClick(control, Qt.Key.Key_Z, CTRL)
        assert session.selection.ids == {"toy/C04"}, control
        qtbot.keyClick(control, Qt.Key.Key_Z, CTRL | SHIFT)
        assert session.selection.ids == {"toy/C05"}, control
        tried.add(type(control).__name__)
    assert {"QPushButton", "HitsTable", "QComboBox"} <= tried


def test_a_text_field_keeps_its_own_undo(window, qtbot):
    session = window.session
    session.selection.replace(["toy/C04"])
    line = window.query.line
    line.setFocus()
    qtbot.keyClicks(line, "tubulin")
    qtbot.keyClick(line, Qt.Key.Key_Z, CTRL)
    assert line.text() == ""
    assert session.selection.ids == {"toy/C04"}


def test_view_filter_and_way_of_listing_are_undone_in_every_panel(window, qtbot):
    session, hits = window.session, window.hits
    session.edits.forget()
    hits.filter.setFocus()
    qtbot.keyClicks(hits.filter, "C06")
    assert session.view.filter == "C06"
    assert len(hits.model.ids) == 1
    qtbot.mouseClick(hits.buttons["gallery"], Qt.MouseButton.LeftButton)
    assert hits.pictures.ids == ["toy/C06"]
    hits.buttons["gallery"].setFocus()
    qtbot.keyClick(hits.buttons["gallery"], Qt.Key.Key_Z, CTRL)
    assert session.view.hits == "treatments"
    assert hits.stack.currentWidget() is hits.table
    assert hits.buttons["treatments"].isChecked()
    qtbot.keyClick(hits.buttons["gallery"], Qt.Key.Key_Z, CTRL)
    assert (session.view.filter, hits.filter.text()) == ("", "")
    assert len(hits.model.ids) == 11


def test_edited_prompts_are_undone_with_the_focus_in_their_table(window, qtbot):
    query, session = window.query, window.session
    session.edits.forget()
    before = query.editor.value()
    query.sent.click()
    qtbot.waitUntil(query.editor_popup.isVisible, timeout=20_000)
    query.editor.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert [p.on for p in session.prompts.value] == [False, True]
    assert query.editor.value() == session.prompts.value
    query.editor.table.setFocus()
    qtbot.keyClick(query.editor.table, Qt.Key.Key_Z, CTRL)
    assert session.prompts.value == query.editor.value() == before
    query.editor_popup.close()


def test_excluded_sites_are_taken_back_by_a_request(full_session, qapp):
    """What was excluded before is asked for; the run that follows is no step of its own."""
    from napari_cellclip.gui.work.controller import Controller
    from napari_cellclip.gui.work.quality import EXCLUDED

    asked, controller = [], Controller(full_session)
    controller.handlers[ExcludeRequest] = lambda _jobs, request: asked.append(dict(request.sites))
    full_session.edits.forget()
    full_session.edits.record(EXCLUDED, {}, {"toy/C06/1": "blurred"})
    full_session.edits.undo()
    full_session.edits.record(EXCLUDED, {"toy/C06/1": "blurred"}, {})
    assert asked == [{}]
    assert full_session.edits.to_redo == EXCLUDED
    full_session.edits.redo()
    assert asked == [{}, {"toy/C06/1": "blurred"}]
    controller.close()


def test_the_canvas_has_the_keys_too(make_napari_viewer, qtbot, plate):
    viewer = make_napari_viewer(show=True)
    session = controller_of(viewer).session
    session.set_plate(plate)
    session.show("toy/C04")
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=20_000)
    session.selection.replace(["toy/C04"])
    canvas = next(w for w in QApplication.allWidgets() if isinstance(w, QOpenGLWidget) and w.isVisible())
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(30, 30))
    qtbot.keyClick(canvas, Qt.Key.Key_Z, CTRL)
    assert not session.selection.ids
    qtbot.keyClick(canvas, Qt.Key.Key_Z, CTRL | SHIFT)
    assert session.selection.ids == {"toy/C04"}
    controller_of(viewer).close()
