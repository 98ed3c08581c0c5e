"""A session whose plate lies elsewhere now: the question that is asked, what may be answered, what comes back."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialog, QFileDialog, QLineEdit, QMessageBox

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.requests import AskRequest, OpenRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from tests.tiny import load_tiny_model, write_tiff_plate


@pytest.fixture
def encoded(tmp_path):
    """A plate whose images lie in a folder within its own, named by its folder alone; its screen beside it."""
    plate = open_plate(write_tiff_plate(tmp_path / "data" / "P1" / "Images").parent)
    encode(plate, None, load_tiny_model(tmp_path / "model"), tmp_path / "screen")


class Answers:
    """Answers dialogs by their own controls, one after the other; a path is typed, ``None`` is Cancel."""

    def __init__(self, *answers: object) -> None:
        self.left, self.titles = list(answers), []
        self.timer = QTimer()
        self.timer.timeout.connect(self.answer)
        self.timer.start(50)

    def answer(self) -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QDialog):
            return
        self.titles.append(dialog.windowTitle())
        answer = self.left.pop(0) if self.left else None
        if isinstance(dialog, QMessageBox):
            QTest.mouseClick(
                dialog.button(answer or QMessageBox.StandardButton.No), Qt.MouseButton.LeftButton
            )
        elif answer is None:
            dialog.reject()
        else:
            line = dialog.findChild(QLineEdit, "fileNameEdit")
            line.setText(str(answer))
            QTest.keyClick(line, Qt.Key.Key_Return)


def idle(qtbot, session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=60_000)


@pytest.fixture
def explorer(make_napari_viewer, qtbot, encoded, tmp_path, monkeypatch):
    """An Explorer in which the plate was opened, asked and saved as a session; then the plate was moved."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    viewer = make_napari_viewer()
    explorer = Explorer(viewer)
    qtbot.addWidget(explorer)
    session = explorer.session
    session.request(OpenRequest(tmp_path / "data" / "P1"))
    idle(qtbot, session)
    session.request(OpenRequest(tmp_path / "screen"))
    idle(qtbot, session)
    session.request(AskRequest("tubulin"))
    qtbot.waitUntil(lambda: session.answer is not None, timeout=30_000)
    session.look(fdr=0.2, highlight="all")
    session.selection.replace(list(session.wells.index)[:2])
    session.show(list(session.wells.index)[2])
    idle(qtbot, session)
    explorer.footer.session_menu.save(tmp_path / "walk.cellclip.json")
    idle(qtbot, session)
    session.set_screen(None)
    session.set_plate(None)
    assert session.answer is None
    explorer.texts = []
    session.message.connect(lambda _task, text: explorer.texts.append(text))
    yield explorer
    controller_of(viewer).close()


def is_back(session) -> bool:
    wells = list(session.wells.index)
    return (
        session.answer is not None
        and (session.asked.text, session.view.fdr) == ("tubulin", 0.2)
        and session.selection.ids == frozenset(wells[:2])
    )


@pytest.mark.parametrize("inside", [False, True], ids=["the plate's folder", "the folder named"])
@pytest.mark.parametrize("name", ["P1", "P1 of last year"])
def test_either_folder_brings_all_back_whatever_it_is_called(explorer, qtbot, tmp_path, name, inside):
    """A plate that is called after its folder was no plate of its screen any more, and was closed."""
    place, session = tmp_path / "archive" / name, explorer.session
    was = open_plate(tmp_path / "data" / "P1").path
    place.parent.mkdir()
    shutil.move(tmp_path / "data" / "P1", place)
    tail = was.relative_to(tmp_path / "data" / "P1")
    answers = Answers(place / tail if inside else place)
    explorer.footer.session_menu.open(tmp_path / "walk.cellclip.json")
    qtbot.waitUntil(lambda: session.answer is not None, timeout=30_000)
    idle(qtbot, session)
    assert answers.titles == [f"Where is the plate {was} now?"]
    assert is_back(session)
    assert session.plate is not None
    assert session.plate.name == "P1"
    assert session.plate.path == place / tail
    assert session.shown == f"{list(session.wells.index)[2]}/1"


def test_a_folder_that_is_not_the_plate_is_told_and_asked_again(explorer, qtbot, tmp_path):
    session, place = explorer.session, tmp_path / "archive"
    shutil.move(tmp_path / "data", place)
    other = write_tiff_plate(tmp_path / "other", wells=("A01",))
    (tmp_path / "empty").mkdir()
    answers = Answers(tmp_path / "empty", other, place / "P1")
    explorer.footer.session_menu.open(tmp_path / "walk.cellclip.json")
    qtbot.waitUntil(lambda: session.answer is not None, timeout=30_000)
    idle(qtbot, session)
    assert len(answers.titles) == 3
    assert len(set(answers.titles)) == 1
    told = [text for text in explorer.texts if "that is not the plate" in text]
    assert "empty" in told[0]
    assert "has no site" in told[1]
    assert is_back(session)
    assert session.plate is not None


def test_without_the_plate_the_rest_comes_back(explorer, qtbot, tmp_path):
    session = explorer.session
    shutil.rmtree(tmp_path / "data")
    answers = Answers(None, QMessageBox.StandardButton.Yes)
    explorer.footer.session_menu.open(tmp_path / "walk.cellclip.json")
    qtbot.waitUntil(lambda: session.answer is not None, timeout=30_000)
    idle(qtbot, session)
    assert answers.titles[1] == "Open session"
    assert is_back(session)
    assert session.plate is None
    assert any("images of P1 are not at" in text for text in explorer.texts)


def test_who_cancels_both_questions_keeps_what_is_open(explorer, qtbot, tmp_path):
    session = explorer.session
    shutil.rmtree(tmp_path / "data")
    answers = Answers(None, QMessageBox.StandardButton.No)
    explorer.footer.session_menu.open(tmp_path / "walk.cellclip.json")
    qtbot.waitUntil(lambda: len(answers.titles) == 2, timeout=60_000)
    idle(qtbot, session)
    assert (session.plate, session.screen) == (None, None)
    assert any("the plate is not at" in text for text in explorer.texts)


def test_the_name_a_user_types_in_full_is_kept(explorer, qtbot, tmp_path, monkeypatch):
    menu = explorer.footer.session_menu
    for typed, written in (
        ("a.cellclip", "a.cellclip"),
        ("b.cellclip.json", "b.cellclip.json"),
        ("c", "c.cellclip"),
        ("d.json", "d.json.cellclip"),
    ):
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *_, typed=typed: (str(tmp_path / typed), "")
        )
        menu._save()
        idle(qtbot, explorer.session)
        assert (tmp_path / written).is_file()
    explorer.session.request(OpenRequest(tmp_path / "b.cellclip.json"))  # as a drop on the window
    idle(qtbot, explorer.session)
    assert explorer.texts[-1] == f"Session saved: {tmp_path / 'd.json.cellclip'}"
