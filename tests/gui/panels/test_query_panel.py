"""The query line when something else is opened: what can be asked of it stays, and has no answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from qtpy.QtCore import Qt

from napari_cellclip.gui.panels.query.query_panel import NOT_ASKED, QueryPanel
from napari_cellclip.gui.state.requests import AskRequest
from tests.gui.toy_screens import AnsweringSession, FakeScreen


@pytest.fixture
def other_plate(plate):
    """Another plate, which no screen was made of."""
    return _Named(plate, "other")


class _Named:
    """A plate by another name."""

    def __init__(self, plate, name: str) -> None:
        self._plate, self.name = plate, name

    def __getattr__(self, attribute: str):
        return getattr(self._plate, attribute)


@pytest.fixture
def panel(qtbot, plate):
    """A query panel whose question has an answer."""
    session = AnsweringSession()
    session.set_plate(plate)
    session.set_screen(FakeScreen.of(plate))
    panel = QueryPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.keyClicks(panel.line, "tubulin inhibitor")
    qtbot.keyClick(panel.line, Qt.Key.Key_Return)
    assert panel.verdict.text()
    return panel


def other_screen(plate) -> FakeScreen:
    return dataclasses.replace(FakeScreen.of(plate), path=Path("other.screen"), name="other")


def test_a_question_that_cannot_be_asked_is_gone_with_its_plate(panel, qtbot, other_plate):
    """It stayed, beside a plate it had never been asked of."""
    panel.session.set_plate(other_plate)
    qtbot.waitUntil(lambda: panel.line.text() == "")
    assert (panel.verdict.text(), panel.reason.text()) == ("", "")
    qtbot.keyClick(panel.line, Qt.Key.Key_Up)
    assert panel.line.text() == "tubulin inhibitor", "it can be had again"


def test_one_that_can_be_asked_of_another_screen_stays_and_says_that_it_was_not(panel, qtbot, plate):
    session = panel.session
    session.set_plate(None)  # as another screen is opened: with its plate, one after the other
    session.set_plate(plate)
    session.set_screen(other_screen(plate))
    qtbot.waitUntil(lambda: panel.reason.text() == NOT_ASKED)
    assert (panel.line.text(), panel.verdict.text()) == ("tubulin inhibitor", "")
    qtbot.keyClicks(panel.line, "s")
    assert panel.reason.text() == "", "that is another question"
    qtbot.keyClick(panel.line, Qt.Key.Key_Backspace)
    assert panel.reason.text() == NOT_ASKED
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    assert panel.verdict.text()
    assert panel.reason.text() != NOT_ASKED


def test_examples_of_another_screen_are_no_question_here(panel, qtbot, plate):
    session = panel.session
    session.request(AskRequest.by_example(["toy/C06"]))
    panel.setValue(session.questions.last)  # as the request itself does in a window
    assert panel.line.text() == "wells like C06"
    session.set_screen(other_screen(plate))
    qtbot.waitUntil(lambda: panel.line.text() == "")


def test_what_was_typed_and_not_asked_yet_stays(panel, qtbot, other_plate):
    panel.line.clear()
    qtbot.keyClicks(panel.line, "BRD4 knockout")
    panel.session.set_plate(other_plate)
    qtbot.waitUntil(lambda: not panel._opened.isActive())
    assert panel.line.text() == "BRD4 knockout"
    assert panel.reason.text() == ""
