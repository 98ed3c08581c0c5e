"""The header: what is open, messages and running work, on lines that never move."""

from __future__ import annotations

import dataclasses

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui.panels.header import LEAST_SHARE, Header
from napari_cellclip.gui.panels.menu_button import MenuButton
from napari_cellclip.gui.panels.next_step import (
    ASK,
    ENCODE,
    EXPLORE,
    NAME_STAINS,
    NO_IMAGES,
    PLATE_MAP,
    START,
    next_step,
)
from napari_cellclip.gui.panels.query.query_panel import QueryPanel
from napari_cellclip.gui.panels.status_line import StatusLine
from napari_cellclip.gui.state.requests import CancelRequest
from napari_cellclip.gui.state.setup import FoundScreen
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import STAINS
from tests.gui.toy_screens import FakeScreen, answer_for, write_plate


def test_header_badges_simulations_and_gives_the_licence(full_session, qtbot):
    header = Header(full_session)
    qtbot.addWidget(header)
    header.show()
    assert "11 wells" in header.plate.name()
    assert "BSD-3-Clause" in header.model.name()
    assert header.badge.isVisible()
    assert "the model is a simulation" in header.badge.toolTip()
    assert header.badge.text() == "simulated model", "of a real plate, 'simulated' alone would be untrue"
    screen = full_session.screen
    real = dataclasses.replace(screen)
    real.card = screen.card.model_copy(update={"simulated": False})
    full_session.set_screen(real)
    assert not header.badge.isVisible()


def test_names_share_the_line_by_what_they_need(full_session, qtbot):
    """The plate was shortened beside a screen and a model that had room to spare."""
    header = Header(full_session)
    qtbot.addWidget(header)
    asked = [button.needed() for button in (header.plate, header.screen_button, header.model)]
    badge = header.badge.sizeHint().width()
    header.resize(sum(max(width, LEAST_SHARE) for width in asked) + badge + 40, header.sizeHint().height())
    header.show()
    qtbot.waitExposed(header)
    for button in (header.plate, header.screen_button, header.model):
        assert button.text() == button.name().replace("&", "&&")


def test_screens_of_the_plate_come_first_in_the_menu(full_session, qtbot, tmp_path):
    full_session.setup.screens = (FoundScreen(tmp_path / "mine.screen", "demo", ("toy",)),)
    header = Header(full_session)
    qtbot.addWidget(header)
    header.screen_button.fill()
    texts = [action.text() for action in header.screen_button.menu().actions() if not action.isSeparator()]
    assert texts[:2] == ["mine.screen · demo", "Open screen folder …"]


def test_wells_without_images_say_so(full_session, qtbot):
    """Nothing told why the canvas was empty, and pictures could be asked for."""
    assert next_step(full_session) == EXPLORE
    screen, answer = full_session.screen, full_session.answer
    full_session.set_plate(None)
    full_session.set_screen(screen)
    full_session.answer = answer
    assert next_step(full_session) == NO_IMAGES


def test_header_shows_one_sentence_until_it_is_closed(full_session, qtbot):
    header = Header(full_session)
    qtbot.addWidget(header)
    header.show()
    full_session.message.emit(Task.OPEN, "That folder is empty: choose another.")
    assert header.status.message.text() == "That folder is empty: choose another."
    qtbot.mouseClick(header.status.dismiss, Qt.MouseButton.LeftButton)
    assert header.status.message.text() == EXPLORE, "what can be done next"
    assert not header.status.dismiss.isVisible()


def test_header_keeps_what_went_wrong_when_the_work_ends(full_session, qtbot):
    header = Header(full_session)
    qtbot.addWidget(header)
    header.show()
    status = header.status
    full_session.set_work(Task.OPEN, Work("Opening x"))
    assert status.job.text() == "Opening x …"
    full_session.message.emit(Task.OPEN, "x holds no plate.")
    full_session.set_work(Task.OPEN, None)
    assert status.message.text() == "x holds no plate."
    assert status.job.text() == ""
    full_session.set_work(Task.OPEN, Work("Opening y"))
    assert status.message.text() == EXPLORE, "other work was started"


def test_messages_and_work_move_nothing(full_session, qtbot):
    """A long message, work and notes come and go: no widget of the header or the query changes its place."""
    header, query = Header(full_session), QueryPanel(full_session)
    for panel in (header, query):
        qtbot.addWidget(panel)
        panel.resize(560, panel.sizeHint().height())
        panel.show()
    status = header.status
    watched = [
        *(header.plate, header.screen_button, header.model),
        *(status, status.cancel, status.progress, status.more, status.dismiss),
        *(query.line, query.button, query.evidence, query.fdr, query.highlight, query.info, query.sent),
    ]

    def places() -> list:
        QApplication.processEvents()
        return [(w.mapTo(w.window(), w.rect().topLeft()), w.size()) for w in watched]

    before = places()
    full_session.message.emit(Task.OPEN, "A sentence that is much too long for the line. " * 9)
    assert status.more.isVisible()
    full_session.set_work(Task.ENCODE, Work("Encoding a plate with a very long name indeed", 3, 9))
    assert places() == before
    qtbot.mouseClick(status.more, Qt.MouseButton.LeftButton)
    assert status.popup.isVisible()
    assert status.whole.text() == "A sentence that is much too long for the line. " * 9
    status.popup.close()
    qtbot.mouseClick(query.info, Qt.MouseButton.LeftButton)
    assert query.notes.isVisible()
    assert places() == before
    query.notes_popup.close()
    full_session.look(highlight="all")
    full_session.set_work(Task.ENCODE, None)
    assert places() == before


def test_running_work_is_told_and_cancelled_from_the_header(full_session, qtbot):
    header, asked = Header(full_session), []
    qtbot.addWidget(header)
    header.show()
    full_session.requested.connect(asked.append)
    full_session.set_work(Task.MAP, Work("Computing the map"))
    full_session.set_work(Task.ENCODE, Work("Encoding toy", 144, 384))
    assert header.status.job.text() == "Encoding toy · 144 of 384 · and more"
    assert header.status.progress.value() == 144
    qtbot.mouseClick(header.status.cancel, Qt.MouseButton.LeftButton)
    assert asked == [CancelRequest(Task.ENCODE)]
    full_session.set_work(Task.ENCODE, None)
    assert header.status.job.text() == "Computing the map …"


def test_what_can_be_done_next_is_said_at_every_stage(session, plate, platemap, qtbot, tmp_path):
    """Who opens the window for the first time reads where to begin, and then the next step."""
    header = Header(session)
    qtbot.addWidget(header)
    line = header.status.message
    assert line.text() == START
    session.set_plate(plate, None)
    assert line.text() == PLATE_MAP
    session.set_plate(plate, platemap)
    assert line.text() == ENCODE
    folder = write_plate(tmp_path / "unnamed")
    for number, stain in enumerate(STAINS, 1):
        for file in folder.glob(f"*_{stain.value}.tif"):
            file.rename(file.with_name(file.name.replace(stain.value, f"ch{number}")))
    session.set_plate(open_plate(folder), platemap)
    assert line.text() == NAME_STAINS
    session.set_plate(plate, platemap)
    screen = FakeScreen.of(plate)
    session.set_screen(screen)
    assert line.text() == ASK
    session.message.emit(Task.ASK, "The model is not there: fetch it.")
    session.answer = answer_for(screen, {"toy/C06": 9.0})
    assert line.text() == "The model is not there: fetch it.", "a message stays until it is closed"
    qtbot.mouseClick(header.status.dismiss, Qt.MouseButton.LeftButton)
    assert line.text() == EXPLORE


def test_numbers_of_wells_stay_whole_where_a_name_is_long(qtbot):
    """They were cut out of the middle: "simulated-96 · 9…ells · 192 sites"."""
    button = MenuButton("Plate", lambda menu: None)
    qtbot.addWidget(button)
    letter = button.fontMetrics().averageCharWidth()
    button.show()
    button.resize(34 * letter, 30)
    button.set_name("BR00117006_treated_48h_repeat", " · 384 wells")
    assert button.text().endswith(" · 384 wells")
    assert "…" in button.text()
    assert button.name() == "BR00117006_treated_48h_repeat · 384 wells"
    button.resize(14 * letter, 30)
    assert "…" in button.text(), "where nothing would be left of the name, all of it is shortened"
    button.resize(80 * letter, 30)
    assert button.text() == button.name()


def test_running_work_has_the_line_where_there_is_no_message(full_session, qtbot):
    """What can be done next took more than half of it, and "144 of 384" was cut."""
    status = StatusLine(full_session)
    qtbot.addWidget(status)
    status.resize(90 * status.fontMetrics().averageCharWidth(), status.sizeHint().height())
    status.show()
    assert status.message.isVisible(), "what can be done next"
    full_session.set_work(Task.ENCODE, Work("Encoding the plate BR00117006", 144, 384))
    assert not status.message.isVisible()
    assert status.job.text() == "Encoding the plate BR00117006 · 144 of 384"
    full_session.message.emit(Task.OPEN, "plate.csv is empty: export the table again")
    assert status.message.isVisible()
    full_session.set_work(Task.ENCODE, None)
    status.dismiss.click()
    assert status.message.isVisible()
    assert status.message.text() == EXPLORE


@pytest.mark.parametrize("length", [30, 150, 400])
def test_a_message_is_whole_in_its_popup(length, full_session, qtbot):
    """The lower half of its last line was cut."""
    status = StatusLine(full_session)
    qtbot.addWidget(status)
    status.resize(600, status.sizeHint().height())
    status.setStyleSheet("Popup { border: 1px solid red; }")
    status.show()
    full_session.message.emit(Task.OPEN, "word " * (length // 5))
    status.popup.open_below(status.message, status.width())
    qtbot.wait(20)
    label = status.whole
    assert label.height() >= label.heightForWidth(label.width())
    assert status.popup.contentsRect().contains(label.geometry())
    status.popup.close()
