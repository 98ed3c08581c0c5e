"""The camera stays fitted to what is drawn while the canvas changes its size, until the user moves it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_cellclip.gui.canvas.fit import FittedView
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of


def fits(viewer) -> bool:
    """Whether the field, 24 x 32 px, takes 95 % of the canvas in one direction, and is in its middle."""
    height, width = viewer.canvas.size
    camera = viewer.scene.camera
    zoom = 0.95 * min(height / 24, width / 32)
    return np.allclose(camera.zoom, zoom, rtol=0.01) and np.allclose(
        camera.center[-2:], (11.5, 15.5), atol=0.1
    )


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((24, 32)))
    return viewer


def test_the_camera_follows_the_size_of_the_canvas(viewer):
    camera = FittedView(viewer)
    camera.fit(list(viewer.layers))
    for size in ((500, 900), (300, 200), (1200, 1000)):
        viewer.canvas.size = size
        assert fits(viewer)


@pytest.mark.parametrize("moved", [{"zoom": 3.0}, {"center": (0.0, 4.0, 5.0)}])
def test_a_camera_that_was_moved_is_left_alone(viewer, moved):
    camera = FittedView(viewer)
    camera.fit(list(viewer.layers))
    viewer.scene.camera.update(moved)
    viewer.canvas.size = (500, 900)
    for name, value in moved.items():
        assert getattr(viewer.scene.camera, name) == value
    camera.fit(list(viewer.layers))
    viewer.canvas.size = (700, 300)
    assert fits(viewer), "the next fit counts again"


def test_nothing_is_fitted_to_layers_that_are_gone_or_hidden(viewer):
    camera = FittedView(viewer)
    camera.fit(list(viewer.layers))
    viewer.layers[0].visible = False
    before = viewer.scene.camera.zoom
    viewer.canvas.size = (500, 900)
    assert viewer.scene.camera.zoom == before
    viewer.layers[0].visible = True
    camera.fit(list(viewer.layers))
    viewer.layers.clear()
    viewer.canvas.size = (200, 200)


def test_a_window_resized_after_its_plate_was_opened_shows_the_whole_field(
    make_napari_viewer, qtbot, plate, platemap
):
    """It stayed fitted to the size of the window before."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    session = controller_of(viewer).session
    session.set_plate(plate, platemap)
    session.show("toy/C06")
    qtbot.waitUntil(lambda: len(viewer.layers) == 5 and session.work(Task.FIELD) is None, timeout=30_000)
    for size in ((1500, 950), (1000, 600)):
        before = viewer.canvas.size
        viewer.window.resize(*size)
        qtbot.waitUntil(lambda before=before: viewer.canvas.size != before)
        qtbot.wait(100)
        assert fits(viewer)

    # the wheel moves the camera: from now on it is the user's
    turn_the_wheel(explorer, viewer, qtbot)
    viewer.window.resize(1400, 900)
    qtbot.wait(200)
    assert not fits(viewer)


def turn_the_wheel(explorer, viewer, qtbot) -> None:
    """Zoom with the pointer over the middle of the canvas."""
    centre = explorer.window().centralWidget()
    target = next(w for w in centre.findChildren(QWidget) if "CanvasBackend" in type(w).__name__)
    middle = QPointF(target.rect().center())
    before = viewer.scene.camera.zoom
    event = QWheelEvent(
        middle,
        QPointF(target.mapToGlobal(target.rect().center())),
        QPoint(),
        QPoint(0, 360),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target, event)
    qtbot.waitUntil(lambda: viewer.scene.camera.zoom > 1.1 * before)
