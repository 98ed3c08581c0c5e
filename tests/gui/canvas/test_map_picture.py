"""The ``wells`` layer of the canvas: its points stand for wells, whatever is done to them by hand."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_cellclip.gui.state.requests import MapPictureRequest, MapRequest
from napari_cellclip.gui.work.controller import controller_of
from tests.gui.canvas.test_viewer import idle
from tests.gui.toy_screens import FakeScreen, answer_for, projection_for


@pytest.fixture
def mapped(make_napari_viewer_proxy, plate, platemap, qtbot, monkeypatch):
    """A shown viewer with the map of the toy screen on its canvas."""
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))
    viewer = make_napari_viewer_proxy(show=True)
    controller_of(viewer)
    session = controller_of(viewer).session
    session.set_plate(plate, platemap)
    screen = FakeScreen.of(plate)
    session.set_screen(screen)
    qtbot.waitUntil(lambda: "umap" in session.maps.by_method)
    session.answer = answer_for(screen, {"toy/C06": 9.0})
    session.request(MapPictureRequest())
    idle(qtbot, session)
    return viewer, session


def canvas_widget(viewer):
    """The widget that vispy draws on, as a user's mouse finds it."""
    from qtpy.QtWidgets import QApplication

    found = [w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop"]
    return next(w for w in found if w.isVisible())


def place_of(viewer, layer, index):
    """Canvas pixel of a point."""
    world = np.asarray(layer.data_to_world(layer.data[index]))[-2:]
    camera, widget = viewer.scene.camera, canvas_widget(viewer)
    centre = np.asarray(camera.center)[-2:]
    y, x = (world - centre) * camera.zoom + (widget.height() / 2, widget.width() / 2)
    return QPoint(round(x), round(y))


def test_a_click_selects_the_well_under_it_and_a_double_click_opens_it(mapped, qtbot):
    viewer, session = mapped
    points, widget = viewer.layers["wells"], canvas_widget(viewer)
    ids = list(points.features["id"])
    for well in ("toy/D06", "toy/C04"):
        spot = place_of(viewer, points, ids.index(well))
        qtbot.mouseMove(widget, spot)
        qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=spot)
        assert session.selection.ids == {well}
        qtbot.wait(450)  # two clicks sooner than that would be a double click
    spot = place_of(viewer, points, ids.index("toy/D06"))
    qtbot.mouseMove(widget, spot)
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, pos=spot)
    assert session.selection.ids == {"toy/C04", "toy/D06"}
    qtbot.mouseDClick(widget, Qt.MouseButton.LeftButton, pos=spot)
    assert session.shown_well == "toy/D06"
    idle(qtbot, session)


def test_deleting_or_pasting_points_changes_no_well(mapped, qtbot):
    """Ids went by position: with one point gone, every later click selected the neighbour of its well."""
    viewer, session = mapped
    points, widget = viewer.layers["wells"], canvas_widget(viewer)
    ids = list(points.features["id"])
    assert not points.editable
    assert points.mode == "pan_zoom"
    points.selected_data = {0, 1}
    assert session.selection.ids == set(ids[:2])
    widget.setFocus()
    qtbot.keyClick(widget, Qt.Key.Key_Delete)
    points.remove_selected()
    assert list(points.features["id"]) == ids, "points that stand for wells come back"
    points.add(points.data[3] + 5)
    assert len(points.data) == len(ids)
    points.selected_data = {4}
    assert session.selection.ids == {points.features["id"][4]} == {ids[4]}
    session.answer = answer_for(session.screen, {"toy/E07": 7.0})
    assert points.features["score"][ids.index("toy/E07")] == 7.0


def test_ids_follow_features_and_not_positions(mapped):
    viewer, session = mapped
    points = viewer.layers["wells"]
    turned = points.features.iloc[::-1].reset_index(drop=True)
    points.features = turned
    points.selected_data = {0}
    assert session.selection.ids == {turned["id"][0]}
    session.selection.replace([turned["id"][3]])
    assert set(points.selected_data) == {3}


def test_another_plate_takes_the_layers_of_the_screen_away(mapped):
    viewer, session = mapped[:2]
    assert {"wells", "map"} <= {layer.name for layer in viewer.layers}
    session.set_plate(None)
    assert not {"wells", "map"} & {layer.name for layer in viewer.layers}


def test_the_plate_is_drawn_well_by_well_and_follows_the_plate_looked_at(mapped, qtbot):
    viewer, session = mapped
    session.request(MapPictureRequest("plate"))
    idle(qtbot, session)
    points, picture = viewer.layers["wells"], viewer.layers["plate"]
    assert "map" not in viewer.layers, "the same layer, by its new name"
    assert picture.metadata["cellclip"]["plate"] == "toy"
    table = session.wells.loc[list(points.features["id"])]
    by_place = np.argsort(points.data[:, 0] * 1e4 + points.data[:, 1])
    expected = np.argsort(table["row"].to_numpy() * 100 + table["column"].to_numpy())
    assert by_place.tolist() == expected.tolist()
    qtbot.mouseClick(canvas_widget(viewer), Qt.MouseButton.LeftButton, pos=place_of(viewer, points, 3))
    qtbot.waitUntil(lambda: session.selection.ids == {points.features["id"][3]})
    session.request(MapRequest("pca"))
    idle(qtbot, session)
    assert "plate" in viewer.layers, "a new map does not take the plate's place"
    session.show("toy/C06/1")
    idle(qtbot, session)
    assert not points.visible
    session.request(MapPictureRequest())
    idle(qtbot, session)
    assert "plate" not in viewer.layers
    assert viewer.layers["map"].visible


def test_without_a_screen_nothing_is_drawn_and_the_user_is_told(make_napari_viewer_proxy, qtbot):
    viewer = make_napari_viewer_proxy(show=False)
    session, told = controller_of(viewer).session, []
    session.message.connect(lambda _task, text: told.append(text))
    for places in ("map", "plate"):
        session.request(MapPictureRequest(places))
    assert told == ["There are no wells to draw yet: encode a plate first."] * 2
