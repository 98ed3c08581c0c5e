"""The demo window and the flat forms."""

from __future__ import annotations

from time import sleep

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.io import imread

from napari_cellclip.gui import demo, forms
from napari_cellclip.gui.panels.hits.chips import LazyPictures
from napari_cellclip.gui.state.requests import EncodeRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.vocabulary import CellClipError
from tests.gui.toy_screens import FakeScreen, answer_for, projection_for


@pytest.fixture
def quick_answers(monkeypatch):
    monkeypatch.setattr("napari_cellclip.explore.pca_map", lambda s, **_: projection_for(s, "pca"))
    monkeypatch.setattr("napari_cellclip.explore.umap_map", lambda s, **_: projection_for(s, "umap"))
    monkeypatch.setattr(
        "napari_cellclip.explore.ask",
        lambda screen, text, **_: answer_for(screen, {"toy/D06": 9.0}, text),
    )


def test_picture_shows_image_plate_map_and_hits(plate, quick_answers, tmp_path, qapp):
    path = demo.picture(
        plate, FakeScreen.of(plate), "tubulin inhibitor", tmp_path / "deep" / "demo.png", (1280, 800)
    )
    image = imread(path)[..., :3].astype(int)
    height, width = image.shape[:2]
    assert width >= 1280
    assert height >= 800
    chroma = image.max(axis=2) - image.min(axis=2)
    assert (chroma[:, : width // 2] > 40).mean() > 0.005, "the field on the canvas"
    ramp_end = np.abs(image - (253, 231, 36)).sum(axis=2) < 40
    assert ramp_end[:, width // 2 :].sum() > 60, "the matching well on plate and map"


def test_picture_waits_for_the_pictures_of_the_hits(plate, quick_answers, tmp_path, qapp, monkeypatch):
    plain, there = FakeScreen.preview, []
    monkeypatch.setattr(FakeScreen, "preview", lambda screen, well: sleep(0.15) or plain(screen, well))

    def screenshot(viewer, *args, **options):
        docks = viewer.window.dock_widgets.values()
        there.extend(pictures.complete for dock in docks for pictures in dock.findChildren(LazyPictures))

    monkeypatch.setattr("napari.Viewer.screenshot", screenshot)
    demo.picture(plate, FakeScreen.of(plate), "tubulin inhibitor", tmp_path / "demo.png", (1280, 800))
    assert there
    assert all(there)


def test_picture_tells_why_it_could_not_be_made(plate, quick_answers, tmp_path, qapp, monkeypatch):
    def refuse(screen, text, **_):
        raise CellClipError("the model of this screen is not here")

    monkeypatch.setattr("napari_cellclip.explore.ask", refuse)
    with pytest.raises(CellClipError, match="the model of this screen is not here"):
        demo.picture(plate, FakeScreen.of(plate), "x", tmp_path / "demo.png", patience=20)
    assert not (tmp_path / "demo.png").exists()


def test_encode_form_sends_the_request(plate, qapp):
    viewer = ViewerModel()
    session = controller_of(viewer).session
    session.set_plate(plate)
    sent = []
    session.requested.disconnect()
    session.requested.connect(sent.append)
    form = forms.encode_form(viewer)
    form.model.value = "cellclip"
    form.batch_size.value = 5
    form.call_button.native.click()
    assert sent == [EncodeRequest("cellclip", None, 5, "auto")]


def test_export_form_writes(plate, tmp_path, qapp, qtbot, monkeypatch):
    viewer = ViewerModel()
    controller_of(viewer).session.set_plate(plate)
    told = []
    monkeypatch.setattr(forms, "show_info", told.append)
    monkeypatch.setattr(forms, "show_error", told.append)
    form = forms.export_form(viewer)
    form(path=tmp_path / "wells.csv")
    qtbot.waitUntil(lambda: len(told) == 1)
    form(path=tmp_path / "wells.doc")
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[0].startswith("Written: ")
    assert "choose a name" in told[1]
    assert (tmp_path / "wells.csv").read_text().count("\n") == 12


def test_simulate_form_opens_what_it_made(plate_folder, monkeypatch, tmp_path, qapp, qtbot):
    viewer = ViewerModel()
    session = controller_of(viewer).session
    asked = {}

    def simulate_plate(out, **options):
        assert not asked, "simulated twice"
        asked.update(options, out=out)
        return plate_folder

    monkeypatch.setattr("napari_cellclip.simulation.simulate_plate", simulate_plate)
    form = forms.simulate_form(viewer)
    form.out.value = tmp_path / "new"
    form.wells.value = 384
    form.call_button.native.click()
    form.call_button.native.click()
    qtbot.waitUntil(lambda: session.plate is not None and session.work(Task.OPEN) is None)
    assert asked["wells"] == 384
    assert asked["out"] == tmp_path / "new"
