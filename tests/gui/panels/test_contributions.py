"""Stain contributions: the panel, its button, and the worker behind it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_cellclip.gui.panels.explain.contributions_panel import BARS, FIRST_STAIN, WELL, ContributionsPanel
from napari_cellclip.gui.panels.stain_bars import BARS_ROLE
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.screen import Progress
from napari_cellclip.vocabulary import STAINS, ScreenError
from tests.gui.toy_screens import answer_for, contributions


@pytest.fixture
def panel(qtbot, full_session):
    panel = ContributionsPanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(700, 300)
    panel.show()
    return panel


def test_numbers_and_bars_are_those_of_the_session(panel):
    panel.session.explanations.contributions = contributions(["toy/C06", "toy/D04"])
    assert panel.value() is panel.session.explanations.contributions
    assert [panel.table.item(row, WELL).text() for row in range(2)] == ["C06", "D04"]
    shown = [panel.table.item(1, FIRST_STAIN + i).text() for i in range(5)]
    assert shown == ["+2.00", "+4.00", "+6.00", "+8.00", "-10.00"], (
        "a cosine of 1 is worth a score of 100 here"
    )
    values, full = panel.table.item(1, BARS).data(BARS_ROLE)
    assert values == pytest.approx([2, 4, 6, 8, -10])
    assert full == pytest.approx(10)


def test_where_scores_are_no_line_of_the_cosine_its_parts_are_shown(panel):
    answer = panel.session.answer
    crooked = answer.scores.assign(score=answer.scores["score"] ** 2 + np.arange(len(answer.scores)))
    panel.session.answer = dataclasses.replace(answer, scores=crooked)
    panel.session.explanations.contributions = contributions(["toy/C06"])
    assert panel.table.item(0, FIRST_STAIN).text() == "+0.010"


def test_bars_are_painted_in_the_colours_of_the_stains(panel, qtbot):
    panel.session.explanations.contributions = contributions(["toy/C06", "toy/D04"])
    qtbot.wait(50)
    picture = panel.table.grab(panel.table.visualItemRect(panel.table.item(1, BARS))).toImage()
    seen = {picture.pixelColor(x, y).name() for x in range(picture.width()) for y in range(picture.height())}
    assert {stain.colour.lower() for stain in STAINS} <= seen


def test_a_new_answer_drops_the_old_explanation(panel):
    panel.session.explanations.contributions = contributions(["toy/C06"])
    panel.session.answer = answer_for(panel.session.screen, {"toy/D04": 4.0})
    assert panel.session.explanations.contributions is None
    assert panel.table.rowCount() == 0
    assert panel.state.text() == "Press Explain for the best well, or select others first."


def test_double_click_shows_the_well(panel):
    panel.session.explanations.contributions = contributions(["toy/C06"])
    panel.table.cellDoubleClicked.emit(0, 0)
    assert panel.session.shown_well == "toy/C06"


def explain_with(monkeypatch, steps):
    monkeypatch.setattr(
        "napari_cellclip.explore.explanation.stain_contributions.iter_stain_contributions", steps
    )


def test_button_explains_the_selected_wells_best_first(panel, qtbot, monkeypatch):
    asked = []

    def steps(screen, wells, direction):
        asked.append((screen, wells, direction))
        yield Progress(1, 2, "explaining C06", stage="explanation")
        return contributions(list(wells))

    explain_with(monkeypatch, steps)
    controller = Controller(panel.session)
    panel.session.selection.replace(["toy/E07", "toy/C06"])
    assert panel.state.text() == "Press Explain for the selected 2 wells."
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.session.explanations.contributions is not None)
    qtbot.waitUntil(lambda: panel.session.work(Task.EXPLAIN) is None)
    ((screen, wells, direction),) = asked
    assert screen is panel.session.screen
    assert wells == ("toy/C06", "toy/E07")
    assert direction is panel.session.answer.direction
    assert panel.button.text() == "Explain"
    controller.close()


def test_failure_is_one_sentence_and_the_button_comes_back(panel, qtbot, monkeypatch):
    def steps(screen, wells, direction):
        yield Progress(1, 2, "explaining", stage="explanation")
        raise ScreenError("none of these wells has an encoded field")

    explain_with(monkeypatch, steps)
    controller = Controller(panel.session)
    messages = []
    panel.session.message.connect(lambda task, message: messages.append((task, message)))
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(messages))
    assert messages == [(Task.EXPLAIN, "none of these wells has an encoded field")]
    qtbot.waitUntil(lambda: panel.session.work(Task.EXPLAIN) is None)
    assert panel.button.isEnabled()
    controller.close()


def test_the_button_cancels_what_runs(panel, qtbot, monkeypatch):
    closed = []

    def steps(screen, wells, direction):
        try:
            for i in range(10_000):
                qtbot_free_sleep()
                yield Progress(i, 10_000, "explaining", stage="explanation")
        finally:
            closed.append(True)

    explain_with(monkeypatch, steps)
    controller = Controller(panel.session)
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "of 10000" in panel.state.text())
    assert panel.button.text() == "Cancel"
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(closed))
    assert panel.session.explanations.contributions is None
    assert panel.button.text() == "Explain"
    controller.close()


def qtbot_free_sleep():
    """A moment of work in the thread."""
    import time

    time.sleep(0.002)
