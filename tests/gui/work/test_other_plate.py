"""A screen of several plates: a well of another plate is shown without asking where its images are."""

from __future__ import annotations

import pytest

from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from tests.tiny import tiny_model, write_tiff_plate


@pytest.fixture(scope="module")
def two_plates(tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("two"), tiny_model()
    for seed, name in enumerate(("P1", "P2")):
        encode(open_plate(write_tiff_plate(folder / name, seed=seed)), None, model, folder / "screen")
    return folder


@pytest.fixture
def live(qtbot, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    session = Session()
    controller = Controller(session)
    yield session
    controller.close()


def idle(qtbot, session: Session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=60_000)


def test_a_well_of_another_plate_opens_it_and_keeps_screen_and_selection(live, qtbot, two_plates):
    messages = []
    live.message.connect(lambda _task, text: messages.append(text))
    live.request(OpenRequest(two_plates / "screen"))
    idle(qtbot, live)
    screen = live.screen
    assert (live.plate.name, set(screen.plates)) == ("P1", {"P1", "P2"})
    live.selection.replace(["P1/A01", "P2/B01"])
    live.show("P2/B01")
    qtbot.waitUntil(lambda: live.shown == "P2/B01/1", timeout=60_000)
    assert live.plate.name == live.view.plate == "P2"
    assert live.plate.path == two_plates / "P2"
    assert live.screen is screen
    assert live.selection.ids == {"P1/A01", "P2/B01"}
    live.show("P1/A02/2")
    qtbot.waitUntil(lambda: live.shown == "P1/A02/2", timeout=60_000)
    idle(qtbot, live)
    assert messages == []


def test_where_its_images_have_moved_it_says_so(live, qtbot, two_plates, tmp_path):
    import shutil

    for name in ("P1", "P2", "screen"):
        shutil.copytree(two_plates / name, tmp_path / name)
    messages = []
    live.message.connect(lambda _task, text: messages.append(text))
    live.request(OpenRequest(tmp_path / "screen"))
    idle(qtbot, live)
    moved = two_plates / "P2"
    away = moved.with_name("away")
    moved.rename(away)
    try:
        live.show("P2/B01")
        qtbot.waitUntil(lambda: bool(messages), timeout=60_000)
        idle(qtbot, live)
    finally:
        away.rename(moved)
    assert "images of P2 are not at" in messages[-1]
    assert live.plate.name == "P1"


def test_a_screen_whose_plate_has_moved_opens_says_so_and_takes_the_plate_from_its_new_place(
    live, qtbot, two_plates, tmp_path
):
    import shutil

    plate = open_plate(shutil.copytree(two_plates / "P1", tmp_path / "data" / "P1"))
    encode(plate, None, tiny_model(), tmp_path / "screen")
    messages = []
    live.message.connect(lambda _task, text: messages.append(text))
    (tmp_path / "data").rename(tmp_path / "archive")
    live.request(OpenRequest(tmp_path / "screen"))
    idle(qtbot, live)
    screen = live.screen
    assert live.plate is None
    assert messages == [
        f"The images of P1 are not at {plate.path} any more: choose their folder in the plate menu."
    ]
    live.selection.replace(["P1/A01"])
    live.request(OpenRequest(tmp_path / "archive" / "P1"))
    idle(qtbot, live)
    assert live.plate.path == tmp_path / "archive" / "P1"
    assert live.screen is screen
    assert live.selection.ids == {"P1/A01"}
    assert live.shown is not None


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))


def test_a_plate_whose_folder_was_renamed_keeps_its_screen(live, qtbot, tmp_path, own_cache):
    """Opened by the plate menu it was another plate, and its screen was closed."""
    messages = []
    live.message.connect(lambda _task, text: messages.append(text))
    encode(open_plate(write_tiff_plate(tmp_path / "P1")), None, tiny_model(), tmp_path / "screens" / "P1")
    live.request(OpenRequest(tmp_path / "screens" / "P1"))
    idle(qtbot, live)
    screen = live.screen
    live.selection.replace(["P1/A01"])
    (tmp_path / "P1").rename(tmp_path / "archived")
    live.request(OpenRequest(tmp_path / "archived"))
    idle(qtbot, live)
    assert (live.plate.name, live.plate.path) == ("P1", tmp_path / "archived")
    assert live.screen is screen
    assert live.selection.ids == {"P1/A01"}
    assert messages == ["archived was encoded as P1, and is open by that name."]
    assert live.setup.opened.options.name == "P1", "what is changed in Set-up opens it by that name again"
    assert [found.path for found in live.setup.screens] == [tmp_path / "screens" / "P1"]


@pytest.mark.parametrize("other", ["a copy beside it", "other images"])
def test_a_plate_that_is_another_one_is_not_taken_for_the_one_before(live, qtbot, tmp_path, own_cache, other):
    import shutil

    encode(open_plate(write_tiff_plate(tmp_path / "P1")), None, tiny_model(), tmp_path / "screens" / "P1")
    live.request(OpenRequest(tmp_path / "screens" / "P1"))
    idle(qtbot, live)
    if other == "a copy beside it":
        shutil.copytree(tmp_path / "P1", tmp_path / "P2")
    else:
        shutil.rmtree(tmp_path / "P1")
        write_tiff_plate(tmp_path / "P2", seed=1)
    live.request(OpenRequest(tmp_path / "P2"))
    idle(qtbot, live)
    assert live.plate.name == "P2"
    assert live.screen is None
