"""What is dropped on napari's canvas while the Explorer lies beside it."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QMainWindow, QWidget

from napari_cellclip.gui.docks import dock_of
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.window import CloseGuard
from napari_cellclip.gui.work.controller import controller_of


@pytest.fixture
def beside(make_napari_viewer, qtbot, monkeypatch):
    """A viewer with an Explorer; paths that napari or we are asked to open."""
    to_napari, to_us = [], []
    monkeypatch.setattr(
        "napari._qt.qt_viewer.QtViewer._qt_open", lambda _self, paths, *_, **__: to_napari.extend(paths)
    )
    viewer = make_napari_viewer(show=True)
    controller = controller_of(viewer)
    controller.handlers[OpenRequest] = lambda _jobs, request: to_us.append(request.path)
    given = [Explorer(viewer), to_napari, to_us]
    viewer.window.add_dock_widget(given[0], name="Explorer")
    qtbot.waitUntil(lambda: given[0].window().findChild(CloseGuard) is not None)
    yield given
    given.clear()  # napari's fixture counts who is held


def canvas_of(window: QMainWindow) -> QWidget:
    """The widget of napari that takes drops for the canvas."""
    centre = window.centralWidget()
    return next(w for w in centre.findChildren(QWidget) if w.acceptDrops() and not isinstance(w, QLineEdit))


def drop(widget: QWidget, *paths) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, none, left, place = (
        Qt.DropAction.CopyAction,
        Qt.KeyboardModifier.NoModifier,
        Qt.MouseButton.LeftButton,
        QPointF(9, 9),
    )
    QApplication.sendEvent(widget, QDragEnterEvent(place.toPoint(), action, data, left, none))
    QApplication.sendEvent(widget, QDropEvent(place, action, data, left, none))


def test_plates_screens_and_sessions_dropped_on_the_canvas_are_ours(beside, plate_folder, tmp_path):
    """napari asked which of its readers should open the folder."""
    explorer, to_napari, to_us = beside
    (screen := tmp_path / "a.screen").mkdir()
    (screen / "screen.json").write_text("{}")
    (session := tmp_path / "b.cellclip").write_text("{}")
    above = tmp_path / "two plates"
    for name in ("P1", "P2"):
        (above / name).mkdir(parents=True)
        for file in plate_folder.glob("*.tif"):
            (above / name / file.name).symlink_to(file)
    canvas = canvas_of(explorer.window())
    for path in (plate_folder, screen, session, above):
        drop(canvas, path)
    assert to_us == [plate_folder, screen, session, above]
    assert to_napari == []


def test_a_plate_and_its_plate_map_are_opened_one_after_the_other(beside, plate_folder):
    explorer, to_napari, to_us = beside
    drop(canvas_of(explorer.window()), plate_folder / "platemap.csv", plate_folder)
    explorer.session.set_work("open", None)
    assert to_us == [plate_folder, plate_folder / "platemap.csv"]
    assert to_napari == []


def test_all_else_is_naparis_and_everything_is_once_the_explorer_is_closed(
    beside, plate_folder, tmp_path, qtbot
):
    explorer, to_napari, to_us = beside
    (picture := tmp_path / "picture.png").write_bytes(b"")
    (folder := tmp_path / "folder").mkdir()
    window = explorer.window()
    canvas = canvas_of(window)
    drop(canvas, picture)
    drop(canvas, folder)
    assert to_napari == [str(picture), str(folder)]
    gone: list[bool] = []
    explorer.destroyed.connect(lambda: gone.append(True))
    dock_of(explorer).destroyOnClose()  # the button of its title bar
    qtbot.waitUntil(lambda: bool(gone))
    drop(canvas, plate_folder)
    assert to_napari[2:] == [str(plate_folder)]
    assert to_us == []
