"""Query line, footer, header: panels of text."""

from __future__ import annotations

import dataclasses

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui.panels.footer import Footer
from napari_cellclip.gui.panels.query.query_panel import QueryPanel, reason_sentence
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.gui.work.files.python_script import python_script
from tests.gui.toy_screens import answer_for


@pytest.fixture
def query(full_session, qtbot):
    panel = QueryPanel(full_session)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def choose(combo, data):
    """Choose an item as a user does."""
    combo.setCurrentIndex(combo.findData(data))
    combo.activated.emit(combo.currentIndex())


def test_typing_and_enter_asks(query, qtbot):
    asked = []
    query.session.requested.connect(asked.append)
    with qtbot.waitSignal(query.valueChanged):
        query.setValue(AskRequest(""))
        qtbot.keyClicks(query.line, "BRD4 knockout")
    assert query.value() == AskRequest("BRD4 knockout")
    qtbot.keyClick(query.line, Qt.Key.Key_Return)
    assert asked == [AskRequest("BRD4 knockout")]


def test_arrow_up_brings_back_earlier_questions(query, qtbot):
    query.session.questions.remember(AskRequest("first"))
    query.session.questions.remember(AskRequest("second"))
    for expected in ("second", "first", "first"):
        qtbot.keyClick(query.line, Qt.Key.Key_Up)
        assert query.line.text() == expected
    qtbot.keyClick(query.line, Qt.Key.Key_Down)
    assert query.line.text() == "second"


def test_prompts_sent_are_shown_ticked_and_asked_again(query, qtbot):
    assert query.sent.text() == "2 prompts sent"
    assert not query.editor.isVisible()
    qtbot.mouseClick(query.sent, Qt.MouseButton.LeftButton)
    assert query.editor.isVisible()
    assert [p.text for p in query.editor.value()] == ["prompt one", "prompt two"]
    asked = []
    query.session.requested.connect(asked.append)
    query.editor.table.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    query.line.setText("a title")
    qtbot.mouseClick(query.editor.button, Qt.MouseButton.LeftButton)
    (question,) = asked
    assert question.text == "a title"
    assert [(p.text, p.on) for p in question.prompts] == [("prompt one", True), ("prompt two", False)]


def test_options_of_wording_go_with_the_question(query, qtbot):
    asked = []
    query.session.requested.connect(asked.append)
    query.evidence.use_platemap.trigger()
    query.editor.combine.setCurrentIndex(query.editor.combine.findData("max"))
    query.line.setText("HDAC inhibitor")
    qtbot.mouseClick(query.button, Qt.MouseButton.LeftButton)
    assert asked == [AskRequest("HDAC inhibitor", combine="max", use_platemap=False)]


def test_notes_and_no_confident_match_in_those_words(query):
    assert query.notes.text() == "A note."
    assert "Significance not tested" in query.verdict.text()
    assert query.highlight.mode.currentData() == "score", "without a verdict the score decides"
    assert not query.highlight.mode.model().item(0).isEnabled()
    assert not query.highlight.threshold.isHidden()
    query.session.answer = answer_for(query.session.screen, {"toy/C06": 9.0}, match=False)
    assert "No confident match" in query.verdict.text()
    assert query.session.highlighted_wells == [], "nothing is in colour"
    assert query.highlight.threshold.isHidden()
    assert query.verdict.toolTip() == "No confident match\nkind: toy\nn: 99"


def test_a_match_colours_what_matches_and_a_stricter_rate_asks_again(query, qtbot):
    session = query.session
    session.questions.remember(AskRequest("tubulin inhibitor"))
    session.answer = answer_for(session.screen, {"toy/C06": 9.0, "toy/D04": 5.0, "toy/E07": 2.0}, match=True)
    assert session.highlighted_wells == ["toy/C06", "toy/D04"]
    asked = []
    session.requested.connect(asked.append)
    query.fdr.spin.setValue(0.1)
    assert session.view.fdr == pytest.approx(0.001)
    assert [q.text for q in asked] == ["tubulin inhibitor"]
    choose(query.highlight.mode, "score")
    session.look(threshold=1.5)
    assert session.highlighted_wells == ["toy/C06", "toy/D04", "toy/E07"]
    assert not query.highlight.threshold.isHidden()
    choose(query.highlight.mode, "all")
    assert len(session.highlighted_wells) == 11
    assert query.highlight.threshold.isHidden()


def test_wells_are_asked_for_by_example(query, qtbot):
    session, asked = query.session, []
    session.requested.connect(asked.append)
    session.requested.connect(session.questions.remember)  # as the controller does
    session.selection.replace([])
    assert not query.example.like.isEnabled()
    session.selection.replace(["toy/D04", "toy/C06"])
    query.example.like.trigger()
    assert asked[-1].like == ("toy/C06", "toy/D04")
    assert query.line.text() == "wells like C06, D04"
    assert not query.example.unlike.isEnabled()
    session.selection.replace(["toy/E07"])
    assert query.example.unlike.isEnabled()
    query.example.unlike.trigger()
    assert (asked[-1].like, asked[-1].but_not) == (("toy/C06", "toy/D04"), ("toy/E07",))
    qtbot.mouseClick(query.button, Qt.MouseButton.LeftButton)
    assert asked[-1].like == ("toy/C06", "toy/D04"), (
        "Ask repeats the examples instead of taking them for words"
    )
    qtbot.keyClick(query.line, Qt.Key.Key_Up)
    assert "wells like" not in query.line.text() or query.line.text() == asked[-1].text


def test_an_answer_by_example_says_what_was_not_tested(query):
    answer = dataclasses.replace(query.session.answer, evidence="example wells")
    assert reason_sentence(answer) == "By example wells. They and their replicates are not tested."


def test_script_of_an_example_or_chosen_prompts(full_session):
    full_session.show_answer(full_session.answer, AskRequest.by_example(["toy/C06"], ["toy/E07"]))
    assert "like(screen, ['toy/C06'], ['toy/E07'], fdr=0.05)" in python_script(full_session)
    full_session.show_answer(full_session.answer, AskRequest("mine", full_session.answer.sent, combine="max"))
    script = python_script(full_session)
    compile(script, "script", "exec")
    assert "Prompt('prompt two', 0.5, on=True)" in script
    assert "ask(screen, 'mine', fdr=0.05, prompts=prompts, combine='max')" in script


def test_threshold_both_ways(query):
    query.highlight.threshold.setValue(7.5)
    assert query.session.view.threshold == 7.5
    query.session.look(threshold=2.0)
    assert query.highlight.threshold.value() == 2.0


def test_asking_moves_nothing_and_another_question_may_follow_at_once(query, qtbot):
    """A button that grew by two pixels while it asked had every panel laid out and painted again, twice."""
    query.show()
    qtbot.waitExposed(query)
    before = query.sizeHint(), query.button.sizeHint()
    query.session.set_work(Task.ASK, Work("Asking"))
    assert (query.sizeHint(), query.button.sizeHint()) == before
    assert query.button.isEnabled(), "of several questions the newest is answered"


def test_footer_counts_selects_and_copies(full_session, qtbot, monkeypatch):
    footer = Footer(full_session)
    qtbot.addWidget(footer)
    assert footer.count.text() == "2 wells with score ≥ 4.5"
    qtbot.mouseClick(footer.select, Qt.MouseButton.LeftButton)
    assert full_session.selection.ids == {"toy/C06", "toy/D04"}
    assert "2 selected" in footer.count.text()
    told = []
    full_session.message.connect(lambda _task, text: told.append(text))
    qtbot.mouseClick(footer.copy, Qt.MouseButton.LeftButton)
    assert "Copied" in told[0]
    assert "ask(screen, 'tubulin inhibitor'" in QApplication.clipboard().text()


def test_footer_says_where_it_wrote_and_why_not(full_session, qtbot, tmp_path):
    footer, messages = Footer(full_session), []
    qtbot.addWidget(footer)
    full_session.message.connect(lambda task, message: messages.append(message))
    controller = Controller(full_session)
    (tmp_path / "file").touch()
    for n, name in enumerate(("hits.csv", "file/hits.csv", "hits.doc"), 1):
        footer.save(tmp_path / name)
        assert len(messages) < n, "written in the main thread"
        qtbot.waitUntil(lambda n=n: len(messages) == n)
    controller.close()
    assert messages[0] == f"Written: 11 wells to {tmp_path / 'hits.csv'}"
    assert "file" in messages[1]
    assert "choose a name" in messages[2]


def test_a_second_query_line_shows_what_was_asked(full_session, qtbot):
    full_session.questions.remember(AskRequest("tubulin"))
    panel = QueryPanel(full_session)
    qtbot.addWidget(panel)
    assert panel.line.text() == "tubulin"
