"""Sessions as files: written, opened as they were, and asked for what has moved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import AskRequest, EncodeRequest, OpenRequest, PlateMapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller, controller_of
from napari_cellclip.gui.work.files.session_file import (
    SessionFile,
    SessionFileError,
    StoredPlate,
    read_session_file,
    write_session_file,
)
from napari_cellclip.gui.work.files.session_files import stored


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")


def idle(qtbot, session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=120_000)


def test_paths_are_relative_to_the_file_and_absolute_when_read(tmp_path):
    plate = tmp_path / "data" / "P1"
    path = tmp_path / "notes" / "a.cellclip"
    path.parent.mkdir()
    write_session_file(path, SessionFile(plate=StoredPlate(path=plate), screen=tmp_path / "s"))
    text = json.loads(path.read_text())
    assert (text["plate"]["path"], text["screen"]) == (str(Path("../data/P1")), str(Path("../s")))
    assert read_session_file(path).plate.path == plate
    moved = tmp_path / "elsewhere" / "notes"
    shutil.copytree(path.parent, moved)
    assert read_session_file(moved / "a.cellclip").plate.path == tmp_path / "elsewhere" / "data" / "P1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no session file"),
        (b"\xff\xfe\x00", "no session file"),
        (b"[1, 2]", "no session file"),
        (b'{"format": 99}', "newer program"),
        (b'{"selection": 5}', r"selection"),
        (b"[" * 100_000, "no session file"),
    ],
)
def test_files_that_are_none_are_refused_in_words(tmp_path, content, words):
    path = tmp_path / "a.cellclip"
    path.write_bytes(content)
    with pytest.raises(SessionFileError, match=words):
        read_session_file(path)


@pytest.mark.slow
def test_a_session_comes_back_as_it_was(make_napari_viewer, qtbot, repository, tmp_path, monkeypatch):
    """Saved from one window by its menu, dropped on another one, after its plate has moved."""
    plate = tmp_path / "data" / "P1"
    shutil.copytree(repository / "sample_data" / "simulated-24", plate)
    first = Session()
    controller = Controller(first)
    first.request(OpenRequest(plate))
    idle(qtbot, first)
    chosen = PlateMapRequest(first.setup.platemap.path, columns=(("mechanism", None),))
    first.request(chosen)
    idle(qtbot, first)
    first.request(EncodeRequest("demo", tmp_path / "screen"))
    idle(qtbot, first)
    first.look(highlight="all", fdr=0.1)
    first.request(AskRequest("tubulin polymerisation inhibitor", combine="max"))
    idle(qtbot, first)
    wells = list(first.wells.index)
    first.selection.replace(wells[:3])
    first.named_selections.save("row B", wells[6:12])
    first.show(f"{wells[7]}/1")
    idle(qtbot, first)
    file = tmp_path / "notes.cellclip"
    from napari_cellclip.gui.state.requests import SaveSessionRequest

    first.request(SaveSessionRequest(file))
    idle(qtbot, first)
    controller.close()

    moved = tmp_path / "archive"
    shutil.move(plate.parent, moved)
    viewer = make_napari_viewer(show=True)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    second, asked = explorer.session, []
    was = first.plate.path
    answers = iter([str(moved / "P1")])

    def choose(_parent, title, *_):
        asked.append(title)
        return next(answers)

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (choose(*a), ""))
    explorer.footer.session_menu.open(file)
    qtbot.waitUntil(lambda: second.answer is not None, timeout=120_000)
    idle(qtbot, second)
    assert asked == [f"Where is the plate {was} now?"], "the plate map lies beside it, and is found"
    assert second.plate.path.is_relative_to(moved / "P1")
    assert second.screen.path == tmp_path / "screen"
    assert second.view.highlight == "all"
    assert second.view.fdr == 0.1
    assert second.asked.combine == "max"
    pd.testing.assert_series_equal(second.answer.scores["score"], first.answer.scores["score"], rtol=1e-5)
    assert second.selection.ids == frozenset(wells[:3])
    assert second.named_selections.sets == {"row B": frozenset(wells[6:12])}
    assert second.shown == f"{wells[7]}/1"
    assert (second.wells["mechanism"] == "").all(), "the plate map is read with the columns chosen"
    assert stored(second).model_dump(exclude={"plate", "platemap"}) == stored(first).model_dump(
        exclude={"plate", "platemap"}
    )
    controller_of(viewer).close()


def test_selections_by_name_in_the_footer(full_session, qtbot, monkeypatch):
    from napari_cellclip.gui.panels.footer import Footer

    footer = Footer(full_session)
    qtbot.addWidget(footer)
    footer.show()
    menu = footer.selection
    full_session.selection.replace(["toy/C04", "toy/C05"])
    monkeypatch.setattr(
        "napari_cellclip.gui.panels.session_menus.QInputDialog.getText", lambda *_: (" mine ", True)
    )

    def act(*titles: str) -> None:
        menu.fill()
        actions = menu.menu().actions()
        for title in titles:
            action = next(a for a in actions if a.text().startswith(title))
            actions = action.menu().actions() if action.menu() is not None else []
        action.trigger()

    act("Save selection as")
    assert full_session.named_selections.sets == {"mine": {"toy/C04", "toy/C05"}}
    full_session.selection.replace(["toy/C05", "toy/C06"])
    act("mine", "Take out")
    assert full_session.selection.ids == {"toy/C06"}
    act("Undo: selection (")
    assert full_session.selection.ids == {"toy/C05", "toy/C06"}
    act("mine", "Keep only")
    assert full_session.selection.ids == {"toy/C05"}
    act("mine", "Delete")
    assert full_session.named_selections.sets == {}
    act("Undo: saved selections")
    assert full_session.named_selections.sets == {"mine": {"toy/C04", "toy/C05"}}
    act("Redo: saved selections")
    assert full_session.named_selections.sets == {}
    act("Undo: saved selections")
    monkeypatch.setattr(
        "napari_cellclip.gui.panels.session_menus.QInputDialog.getText", lambda *_, **__: ("best", True)
    )
    act("mine", "Rename")
    assert list(full_session.named_selections.sets) == ["best"]
    act("Undo: saved selections")
    assert list(full_session.named_selections.sets) == ["mine"]
    qtbot.mouseClick(footer.select, Qt.MouseButton.LeftButton)
