"""What is on the canvas, and what is written over it: they belong together, whatever happens."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui.canvas.canvas_bar import CanvasBar
from napari_cellclip.gui.state.requests import OpenRequest, VersusRequest
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.plates import PlateMap, Site, open_plate
from napari_cellclip.vocabulary import STAINS, Kind, Perturbation, PlateError, Stain
from tests.gui.canvas.test_viewer import five, idle, level
from tests.gui.toy_screens import (
    FakeScreen,
    answer_for,
    level_of,
    perturbations,
    projection_for,
    write_plate,
)


@pytest.fixture
def shown(make_napari_viewer_proxy, plate, platemap, qtbot):
    """A shown viewer with C06, a hit, on its canvas."""
    viewer = make_napari_viewer_proxy(show=True)
    canvas, session = controller_of(viewer).canvas, controller_of(viewer).session
    session.set_plate(plate, platemap)
    screen = FakeScreen.of(plate)
    session.set_screen(screen)
    idle(qtbot, session)
    session.answer = answer_for(screen, {"toy/C06": 9.0})
    session.show("toy/C06")
    idle(qtbot, session)
    return viewer, canvas, session


@pytest.fixture(autouse=True)
def no_maps(monkeypatch):
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))


def label(viewer):
    return viewer.canvas.overlays.text.text


def test_the_label_names_plate_well_site_treatment_and_score(shown):
    viewer, _, _ = shown
    first, treatment, score, plate = label(viewer).splitlines()
    assert (first, score, plate) == ("C06 · site 1", "score 9.0", "toy")
    assert "nocodazole" in treatment


def test_the_label_changes_with_the_pixels_and_not_before(shown, qtbot):
    """It was written when a well was asked for: for as long as the read took, over the picture of another."""
    viewer, _, session = shown
    before = label(viewer)
    session.show("toy/D04")
    assert label(viewer) == before, "the pixels are still those of C06"
    idle(qtbot, session)
    assert "D04" in label(viewer)
    assert abs(level(viewer.layers["DNA"]) - level_of(3, 3, 1, 0)) < 9


def test_a_field_that_cannot_be_read_leaves_no_picture_of_another_under_its_name(shown, qtbot, monkeypatch):
    viewer, _, session = shown
    messages = []
    session.message.connect(lambda _, text: messages.append(text))

    def broken(self, stains):
        raise PlateError(f"{self.id}: the file is cut off; copy it again")

    monkeypatch.setattr(Site, "read", broken)
    session.show("toy/D04")
    idle(qtbot, session)
    assert messages == ["toy/D04/1: the file is cut off; copy it again"]
    assert label(viewer) == "D04 · site 1\ncannot be read\ntoy"
    assert not np.asarray(viewer.layers["DNA"].data).any()
    monkeypatch.undo()
    session.show("toy/D04")
    idle(qtbot, session)
    assert "cannot" not in label(viewer)
    assert np.asarray(viewer.layers["DNA"].data).any()


def test_channels_of_unknown_stains_are_shown_at_once_each_in_grey_with_its_name(
    make_napari_viewer_proxy, qtbot, tmp_path
):
    """Such a plate opened with a black canvas that said *cannot be read*."""
    viewer = make_napari_viewer_proxy(show=True)
    session = controller_of(viewer).session
    messages = []
    session.message.connect(lambda _, text: messages.append(text))
    folder = write_plate(tmp_path / "unnamed")
    for number, stain in enumerate(STAINS, 1):
        for file in folder.glob(f"*_{stain.value}.tif"):
            file.rename(file.with_name(file.name.replace(stain.value, f"ch{number}")))
    session.request(OpenRequest(folder))
    idle(qtbot, session)
    assert messages == []
    assert [layer.name for layer in reversed(viewer.layers)] == ["ch1", "ch2", "ch3", "ch4", "ch5"]
    assert {layer.colormap.name for layer in viewer.layers} == {"gray"}
    assert all(layer.name_overlay.visible for layer in viewer.layers)
    assert viewer.canvas.grid.enabled
    assert viewer.canvas.grid.shape == (3, 2)
    assert "C04 · site 1" in label(viewer)
    assert "Set-up, step 2" in label(viewer)
    for channel in range(5):
        assert abs(level(viewer.layers[f"ch{channel + 1}"]) - level_of(2, 3, 1, channel)) < 9

    session.step_well(1)
    idle(qtbot, session)
    assert "C05" in label(viewer)
    assert len(viewer.layers) == 5
    assert abs(level(viewer.layers["ch1"]) - level_of(2, 4, 1, 0)) < 9

    mapping = {stain: f"ch{number}" for number, stain in enumerate(STAINS, 1)}
    session.request(OpenRequest(folder, mapping))
    idle(qtbot, session)
    five(qtbot, viewer)
    assert [layer.name for layer in viewer.layers] == [s.value for s in STAINS]
    assert not viewer.canvas.grid.enabled
    assert "Set-up" not in label(viewer)


def test_a_new_answer_and_a_new_plate_map_refresh_the_label(shown, qtbot):
    viewer, _, session = shown
    session.answer = answer_for(session.screen, {"toy/C06": 2.5})
    assert "score 2.5" in label(viewer)
    session.answer = None
    assert "score" not in label(viewer)
    known = perturbations() | {"C06": Perturbation(Kind.COMPOUND, "taxol", dose=2.0)}
    session.set_platemap(PlateMap.from_perturbations(known))
    assert "taxol" in label(viewer)


def test_another_plate_clears_the_canvas(shown, qtbot, tmp_path):
    viewer, _, session = shown
    session.set_plate(open_plate(write_plate(tmp_path / "other")), None)
    assert len(viewer.layers) == 0
    assert not viewer.canvas.overlays.text.visible
    assert not viewer.canvas.overlays.scale_bar.visible


def test_a_screen_of_another_plate_clears_the_canvas(shown, qtbot):
    viewer, _, session = shown
    other = session.screen
    wells = other.wells.assign(Metadata_Plate="elsewhere")
    wells.index = [i.replace("toy/", "elsewhere/") for i in wells.index]
    labels = {i.replace("toy/", "elsewhere/"): p for i, p in other.labels.items()}
    session.set_screen(dataclasses.replace(other, wells=wells, labels=labels))
    assert len(viewer.layers) == 0
    assert not viewer.canvas.overlays.text.visible


@pytest.fixture
def first_picture(make_napari_viewer_proxy, plate, qtbot, monkeypatch):
    """A shown viewer with the first picture of a plate, in the moment before its hidden layers follow."""
    monkeypatch.setattr("napari_cellclip.gui.canvas.canvas.A_FRAME", 10**8)
    viewer = make_napari_viewer_proxy(show=True)
    canvas, session = controller_of(viewer).canvas, controller_of(viewer).session
    session.set_plate(plate)
    session.show("toy/C06")
    idle(qtbot, session)
    assert [layer.name for layer in viewer.layers] == ["DNA", "ER", "AGP"]
    return viewer, canvas, session


def test_hidden_stains_follow_the_first_picture_each_at_its_place(first_picture, qtbot, monkeypatch):
    viewer, canvas, session = first_picture
    bar = bar_of(qtbot)
    assert all(button.isEnabled() for button in bar.stains.values())
    other = viewer.add_points([[0, 0]], scale=viewer.layers["DNA"].scale, units=viewer.layers["DNA"].units)
    camera = viewer.scene.camera.center, viewer.scene.camera.zoom
    viewer.layers.selection = {viewer.layers["ER"]}
    monkeypatch.undo()
    session.show("toy/D04")
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=20_000)
    assert [layer.name for layer in viewer.layers] == [*(s.value for s in STAINS), other.name]
    assert [layer.name for layer in viewer.layers if layer.visible] == ["DNA", "ER", "AGP", other.name]
    assert [layer.name for layer in viewer.layers.selection] == ["ER"]
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == camera
    for channel, stain in enumerate(STAINS):
        assert abs(level(canvas.layer(stain)) - level_of(3, 3, 1, channel)) < 9, (
            "they are of the well shown now"
        )


@pytest.mark.parametrize("number", range(1, 6))
def test_keys_1_to_5_work_right_after_the_first_picture(first_picture, qtbot, number):
    viewer, canvas, _ = first_picture
    qtbot.keyClick(canvas_widget(), str(number))
    stain = STAINS[number - 1]
    assert [layer.name for layer in viewer.layers] == [s.value for s in STAINS]
    assert [layer.name for layer in viewer.layers if layer.visible] == [stain.value]
    assert canvas.layer(stain).colormap.name == "gray"
    qtbot.keyClick(canvas_widget(), "0")
    assert [layer.name for layer in viewer.layers if layer.visible] == ["DNA", "ER", "AGP"]
    assert canvas.layer(Stain.MITO).colormap.name == "cellclip-Mito"


def test_what_waits_goes_with_its_plate(first_picture, qtbot, tmp_path):
    viewer, canvas, session = first_picture
    session.set_plate(open_plate(write_plate(tmp_path / "other")), None)
    canvas.fields.complete()
    assert len(viewer.layers) == 0
    assert canvas.fields.stains == ()


def test_the_letters_of_the_label_are_made_unseen(make_napari_viewer_proxy, plate, qtbot):
    viewer = make_napari_viewer_proxy(show=True)
    text, session = viewer.canvas.overlays.text, controller_of(viewer).session
    session.set_plate(plate)
    assert (text.visible, text.opacity) == (True, 0)
    assert text.text == f"{plate.wells[0].name} · site 1\ntoy"
    qtbot.waitUntil(lambda: not text.visible, timeout=20_000)
    assert text.opacity == 1
    session.show("toy/C06")
    idle(qtbot, session)
    assert (text.visible, text.opacity) == (True, 1)


def canvas_widget():
    return next(
        w for w in QApplication.allWidgets() if type(w).__name__ == "CanvasBackendDesktop" and w.isVisible()
    )


def test_keys_1_to_5_draw_one_stain_alone_in_grey_and_0_the_composite(shown, qtbot):
    viewer, canvas, _ = shown
    widget = canvas_widget()

    def visible():
        return [layer.name for layer in viewer.layers if layer.visible]

    assert visible() == ["DNA", "ER", "AGP"]
    for key, stain in zip("12345", STAINS, strict=True):
        qtbot.keyClick(widget, key)
        assert visible() == [stain.value]
        assert canvas.layer(stain).colormap.name == "gray"
    qtbot.keyClick(widget, "0")
    assert visible() == ["DNA", "ER", "AGP"]
    assert canvas.layer(Stain.MITO).colormap.name == "cellclip-Mito"
    qtbot.keyClick(widget, "2")
    qtbot.keyClick(widget, "2")
    assert visible() == ["DNA", "ER", "AGP"], "the same key again brings the composite back"


def bar_of(qtbot):
    return next(w for w in QApplication.allWidgets() if isinstance(w, CanvasBar))


def test_the_canvas_has_its_size_before_the_first_picture(make_napari_viewer, plate, platemap):
    """The bar came with the first field, and everything was laid out and painted once more."""
    viewer = make_napari_viewer(show=True)
    session = controller_of(viewer).session
    assert "Canvas" not in viewer.window.dock_widgets
    session.set_plate(plate, platemap)
    assert "Canvas" in viewer.window.dock_widgets
    assert len(viewer.layers) == 0
    controller_of(viewer).close()


def test_the_bar_changes_stains_and_contrast(shown, qtbot):
    viewer, canvas, _session = shown
    bar = bar_of(qtbot)
    assert bar.isVisible()
    assert all(button.toolTip() for button in (*bar.stains.values(), bar.contrast, bar.mosaic, bar.versus))
    qtbot.mouseClick(bar.stains[Stain.MITO], Qt.MouseButton.LeftButton)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["Mito"]
    assert bar.stains[Stain.MITO].isChecked()
    qtbot.mouseClick(bar.composite, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(bar.stains[Stain.MITO], Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier)
    assert bar.value().composite == (Stain.DNA, Stain.ER, Stain.AGP, Stain.MITO)
    assert [layer.name for layer in viewer.layers if layer.visible] == ["DNA", "ER", "AGP", "Mito"]
    plate_limits = tuple(canvas.layer(Stain.DNA).contrast_limits)
    qtbot.mouseClick(bar.contrast, Qt.MouseButton.LeftButton)
    own = tuple(canvas.layer(Stain.DNA).contrast_limits)
    values = np.asarray(canvas.layer(Stain.DNA).data)
    black = np.percentile(values, 1)
    assert own != plate_limits
    assert own[0] >= black
    assert own[1] - black == pytest.approx(256), "at least 256 counts: noise is not blown up"
    assert bar.contrast.text() == "Contrast: well"
    qtbot.mouseClick(bar.contrast, Qt.MouseButton.LeftButton)
    assert tuple(canvas.layer(Stain.DNA).contrast_limits) == pytest.approx(plate_limits)


def test_versus_draws_the_nearest_control_at_equal_contrast_with_one_camera(shown, qtbot):
    viewer, canvas, session = shown
    qtbot.mouseClick(bar_of(qtbot).versus, Qt.MouseButton.LeftButton)
    idle(qtbot, session)
    assert abs(level(canvas.layer(Stain.DNA)) - level_of(2, 5, 1, 0)) < 9
    beside = canvas.fields.of(1)
    assert abs(level(beside[Stain.DNA]) - level_of(2, 4, 1, 0)) < 9, "C05 is the control next to C06"
    for stain, layer in canvas.fields.of().items():
        assert tuple(layer.contrast_limits) == tuple(beside[stain].contrast_limits)
    beside[Stain.ER].contrast_limits = (500, 900)
    assert tuple(canvas.layer(Stain.ER).contrast_limits) == (500, 900), "contrast stays equal by hand too"
    grid = viewer.canvas.grid
    assert grid.enabled
    assert grid.actual_shape(viewer.layers) == (1, 2)
    first = {viewer.layers[i].name for i in grid.contents_at((0, 0), viewer.layers)}
    assert {"DNA", "ER", "AGP"} <= first, "the hit is on the left"
    captions = [x.name for x in viewer.layers if "caption" in x.metadata.get("cellclip", {})]
    assert any("C05" in text and "negative control" in text for text in captions)
    assert any("C06" in text and "score 9.0" in text for text in captions)
    assert not viewer.canvas.overlays.text.visible
    session.show("toy/D06")
    idle(qtbot, session)
    assert abs(level(canvas.layer(Stain.DNA)) - level_of(3, 5, 1, 0)) < 9
    qtbot.mouseClick(bar_of(qtbot).versus, Qt.MouseButton.LeftButton)
    idle(qtbot, session)
    five(qtbot, viewer)
    assert not grid.enabled
    assert [x.name for x in viewer.layers] == [s.value for s in STAINS]
    assert "D06" in label(viewer)


def test_several_wells_beside_each_other(shown, qtbot):
    viewer, canvas, session = shown
    session.request(VersusRequest(("toy/C06", "toy/E04", "toy/E07", "toy/D04")))
    idle(qtbot, session)
    grid = viewer.canvas.grid
    assert grid.actual_shape(viewer.layers) == (2, 2)
    drawn = {level(canvas.fields.of(k)[Stain.DNA]) for k in range(4)}
    expected = [level_of(2, 5, 1, 0), level_of(4, 3, 1, 0), level_of(4, 6, 1, 0), level_of(3, 3, 1, 0)]
    assert all(any(abs(a - b) < 9 for a in drawn) for b in expected)


def test_without_a_control_versus_says_so_and_shows_the_well(shown, qtbot, plate):
    _viewer, canvas, session = shown
    session.set_plate(plate, None)
    session.set_screen(None)
    messages = []
    session.message.connect(lambda _, text: messages.append(text))
    session.request(VersusRequest(("toy/C06",)))
    idle(qtbot, session)
    assert any("no imaged negative control" in text for text in messages)
    assert abs(level(canvas.layer(Stain.DNA)) - level_of(2, 5, 1, 0)) < 9


def test_the_mosaic_shows_all_sites_of_the_well(shown, qtbot):
    viewer, canvas, session = shown
    qtbot.mouseClick(bar_of(qtbot).mosaic, Qt.MouseButton.LeftButton)
    idle(qtbot, session)
    picture = np.asarray(canvas.layer(Stain.DNA).data)
    assert picture.shape == (24, 64), "two sites of 24 x 32 pixels, whose positions are not known"
    assert abs(int(np.median(picture[:, :32])) - level_of(2, 5, 1, 0)) < 9
    assert abs(int(np.median(picture[:, 32:])) - level_of(2, 5, 2, 0)) < 9
    assert "2 sites" in label(viewer)
    qtbot.mouseClick(bar_of(qtbot).mosaic, Qt.MouseButton.LeftButton)
    idle(qtbot, session)
    assert canvas.layer(Stain.DNA).data.shape == (24, 32)
