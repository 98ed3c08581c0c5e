"""Screens in an object store, opened from the window by their address."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QMenu, QWidget

from napari_cellclip.gui.panels.open_menus import fill_screens
from napari_cellclip.gui.recent import read_recent
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.gui.work.files.session_file import read_session_file, write_session_file
from napari_cellclip.gui.work.files.session_files import stored
from tests.plates.remote.conftest import moto_url, s3  # noqa: F401
from tests.screen.test_object_store import bucket  # noqa: F401
from tests.tiny import encode_tiny_screen, tiny_model, write_tiny_plate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore", "ignore::ResourceWarning")


def idle(qtbot, session: Session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=120_000)


@pytest.mark.slow
def test_a_screen_in_a_store_is_opened_by_the_menu_and_with_a_session(
    qtbot,
    bucket,  # noqa: F811
    tmp_path,
    monkeypatch,
) -> None:
    plate = write_tiny_plate(tmp_path / "tiny-plate")
    encoded = encode_tiny_screen(plate, tiny_model(), bucket)
    session, messages, asked = Session(), [], []
    session.message.connect(lambda _task, text: messages.append(text))
    controller = Controller(session)
    parent = QWidget()
    qtbot.addWidget(parent)
    menu = QMenu(parent)
    fill_screens(menu, session, parent)
    (action,) = [one for one in menu.actions() if one.text() == "Open screen at an address …"]
    answers = iter([(bucket, False), ("  ", True), (f" {bucket} ", True)])

    def ask(_parent, *words):
        asked.append(words)
        return next(answers)

    monkeypatch.setattr("napari_cellclip.gui.panels.open_menus.QInputDialog.getText", ask)
    for _ in range(3):
        action.trigger()
    qtbot.waitUntil(lambda: session.screen is not None or bool(messages), timeout=120_000)
    idle(qtbot, session)
    assert (len(asked), messages) == (3, [])
    assert str(session.screen.path) == bucket
    np.testing.assert_array_equal(session.screen.embeddings, encoded.embeddings)
    assert session.plate.path.is_relative_to(plate), "its plate is still where it was"
    assert set(session.maps.by_method) == {"pca", "umap"}
    assert [one.path for one in read_recent().screens] == [Path(bucket)]

    write_session_file(tmp_path / "a.cellclip", stored(session))
    assert read_session_file(tmp_path / "a.cellclip").screen == Path(bucket)

    session.request(OpenRequest(Path("s3://screens/none")))
    qtbot.waitUntil(lambda: bool(messages), timeout=120_000)
    assert "s3://screens/none" in messages[0]
    controller.close()
