"""A screen of profiles, which has no pixels, no previews and no head, in the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellclip import import_profiles
from napari_cellclip.gui.state.requests import AskRequest, MapRequest, OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from tests.profile_tables import made_table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    made_table().to_csv(tmp_path / "P1.csv", index=False)
    return import_profiles(tmp_path / "P1.csv", tmp_path / "screen").path


def test_it_opens_and_what_it_cannot_do_is_said(qtbot, folder: Path) -> None:
    session = Session()
    controller = Controller(session)
    messages: list[tuple[str, str]] = []
    session.message.connect(lambda task, text: messages.append((task, text)))

    def idle() -> bool:
        return all(session.work(task) is None for task in Task)

    try:
        session.request(OpenRequest(folder))
        qtbot.waitUntil(lambda: session.screen is not None, timeout=20_000)
        assert session.wells.loc["P1/A07", "treatment"] == "nocodazole"
        session.request(MapRequest("pca"))
        qtbot.waitUntil(lambda: "pca" in session.maps.by_method, timeout=20_000)
        session.show("P1/A07")
        qtbot.waitUntil(lambda: bool(messages), timeout=20_000)
        assert messages[-1][1].startswith("The pixels of this screen are not open")
        session.request(AskRequest("tubulin inhibitor"))
        qtbot.waitUntil(
            lambda: any("no reference treatments" in text for _, text in messages), timeout=20_000
        )
        assert session.answer is None
        qtbot.waitUntil(idle, timeout=20_000)
    finally:
        controller.close()


def test_panels_show_it(qtbot, folder: Path) -> None:
    from napari.components import ViewerModel

    from napari_cellclip.gui.explorer import Explorer
    from napari_cellclip.gui.work.controller import controller_of
    from napari_cellclip.screen import Screen

    viewer = ViewerModel()
    explorer = Explorer(viewer)
    qtbot.addWidget(explorer)
    session = controller_of(viewer).session
    session.set_screen(Screen.open(folder))
    session.selection.replace(["P1/A07"])
    explorer.show()
    qtbot.wait(100)
    assert explorer.isVisible()
    assert session.screen is not None
