"""Undo of everything in a session, alone: no Qt, no napari."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.gui.state.edits import Edits
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.selection import Mode
from napari_cellclip.gui.state.session import Session
from tests.gui.toy_screens import AnsweringSession, FakeScreen

WELLS = [f"toy/{row}{column:02d}" for row in "CDE" for column in range(4, 8)]
IDS = st.frozensets(st.sampled_from(WELLS))
NAMES = st.sampled_from(["hits", "edge", "odd"])
TEXTS = st.sampled_from(["tubulin", "actin", "BRD4"])
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "colour_by": st.sampled_from(["score", "treatment", "rank"]),
    "statistic": st.sampled_from(["mean", "sd"]),
    "clip": st.booleans(),
    "highlight": st.sampled_from(["significant", "score", "all"]),
    "threshold": st.floats(0, 9),
    "fdr": st.sampled_from([0.01, 0.05, 0.2]),
    "map_method": st.sampled_from(["umap", "pca"]),
    "evidence": st.sampled_from(["auto", "words"]),
    "filter": st.text("ab", max_size=3),
    "hits": st.sampled_from(["treatments", "wells", "gallery"]),
}


def state(session: Session) -> dict[str, Any]:
    """All of a session that can be undone."""
    asked = session.asked
    return {
        "selection": session.selection.ids,
        "saved": list(session.named_selections.sets.items()),
        "view": {k: v for k, v in asdict(session.view).items() if k != "tab"},
        "question": (asked.text, asked.ticked_off, asked.evidence) if asked is not None else None,
        "prompts": session.prompts.value,
    }


@pytest.fixture
def answering(plate, platemap):
    session = AnsweringSession()
    session.set_plate(plate, platemap)
    session.set_screen(FakeScreen.of(plate))
    return session


def act(session: Session, data: st.DataObject) -> None:
    """Do one thing that a user can do."""
    what = data.draw(st.sampled_from(["select", "save", "rename", "delete", "look", "ask", "tick", "prompt"]))
    names = list(session.named_selections.sets)
    if what == "select":
        session.selection.apply(data.draw(IDS), data.draw(st.sampled_from(list(Mode))))
    elif what == "save":
        session.named_selections.save(data.draw(NAMES), data.draw(IDS))
    elif what == "rename" and names:
        session.named_selections.rename(data.draw(st.sampled_from(names)), data.draw(NAMES))
    elif what == "delete" and names:
        session.named_selections.delete(data.draw(st.sampled_from(names)))
    elif what == "look":
        key = data.draw(st.sampled_from(list(CHANGES)))
        session.look(**{key: data.draw(CHANGES[key])})
        if key in ("fdr", "evidence"):  # as their boxes do
            session.questions.ask_again()
    elif what == "ask":
        session.request(session.questions.of(data.draw(TEXTS)))
    elif what == "tick" and session.asked is not None:
        off = data.draw(st.sampled_from([(), ("taxol",), ("taxol", "nocodazole")]))
        session.request(AskRequest(session.asked.text, evidence=session.view.evidence, ticked_off=off))
    elif what == "prompt" and session.prompts.value:
        session.prompts.edit((*session.prompts.value[:2], Prompt(data.draw(TEXTS))))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), steps=st.integers(1, 12))
def test_undo_walks_back_through_every_state_and_redo_forward(plate_and_map, data, steps):
    session = AnsweringSession()
    session.set_plate(*plate_and_map)
    session.set_screen(FakeScreen.of(plate_and_map[0]))
    before = state(session)
    for _ in range(steps):
        act(session, data)
    after, taken = state(session), 0
    while session.edits.to_undo is not None:
        session.edits.undo()
        taken += 1
    # An answer that is gone took its prompts and its suggested threshold with it; what was chosen is back.
    assert comparable(state(session)) == comparable(before)
    for _ in range(taken):
        session.edits.redo()
    assert session.edits.to_redo is None
    assert comparable(state(session)) == comparable(after)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out the threshold, which follows the answer until the user sets it."""
    return {**found, "view": {k: v for k, v in found["view"].items() if k != "threshold"}}


@pytest.fixture(scope="session")
def plate_and_map(plate_folder):
    from napari_cellclip.plates import PlateMap, open_plate

    return open_plate(plate_folder), PlateMap.read(plate_folder / "platemap.csv")


class EditsMachine(RuleBasedStateMachine):
    """The line of undo against a plain list of all states."""

    @initialize()
    def begin(self) -> None:
        self.edits, self.now = Edits(), {"a": 0, "b": 0}
        for part in self.now:
            self.edits.keep(part, lambda value, part=part: self.now.update({part: value}))
        self.states, self.at = [dict(self.now)], 0

    @rule(part=st.sampled_from("ab"), value=st.integers(0, 3))
    def change(self, part: str, value: int) -> None:
        before, self.now[part] = self.now[part], value
        self.edits.record(part, before, value)
        if before != value:
            self.states[self.at + 1 :] = [dict(self.now)]
            self.at += 1

    @rule()
    def undo(self) -> None:
        self.edits.undo()
        self.at = max(0, self.at - 1)

    @rule()
    def redo(self) -> None:
        self.edits.redo()
        self.at = min(len(self.states) - 1, self.at + 1)

    @invariant()
    def it_is_the_state_of_this_step(self) -> None:
        assert self.now == self.states[self.at]
        assert (self.edits.to_undo is None) == (self.at == 0)
        assert (self.edits.to_redo is None) == (self.at == len(self.states) - 1)


TestEdits = EditsMachine.TestCase


def test_the_turns_of_a_box_are_one_step_and_those_of_another_are_not(full_session):
    full_session.edits.forget()
    for value in (5.0, 5.5, 6.0):
        full_session.look(threshold=value)
    full_session.look(colour_by="rank")
    full_session.look(threshold=7.0)
    full_session.edits.undo()
    assert full_session.view.threshold == 6.0
    full_session.edits.undo()
    full_session.edits.undo()
    assert full_session.view.threshold == 4.5
    assert full_session.edits.to_undo is None


def test_the_letters_of_a_filter_are_one_step_that_undo_ends(full_session):
    full_session.edits.forget()
    for text in ("q", "q <", "q < 1"):
        full_session.look(filter=text)
    full_session.edits.undo()
    assert full_session.view.filter == ""
    full_session.edits.redo()
    full_session.look(filter="q < 2")
    full_session.edits.undo()
    assert full_session.view.filter == "q < 1", "what is typed after an undo is a step of its own"


def test_undo_asks_again_where_the_answer_rests_on_what_changed(answering):
    answering.request(answering.questions.of("tubulin"))
    answering.look(evidence="words")
    answering.questions.ask_again()
    assert answering.asked.evidence == "words"
    assert answering.edits.to_undo == "view", "one step, not one for the view and one for the question"
    answering.edits.undo()
    assert answering.asked.evidence == "auto"
    assert answering.edits.to_undo == "question"


def test_references_that_were_ticked_off_come_back(answering):
    answering.request(answering.questions.of("tubulin"))
    answering.request(AskRequest("tubulin", ticked_off=("taxol",)))
    answering.edits.undo()
    assert answering.asked.ticked_off == ()
    answering.edits.redo()
    assert answering.asked.ticked_off == ("taxol",)


def test_a_question_that_is_put_back_late_is_no_step_of_its_own(full_session):
    """The controller answers in a worker: the answer comes after the undo is over."""
    session, asked = full_session, []
    session.edits.forget()
    session.requested.connect(asked.append)
    session.show_answer(session.answer, AskRequest("tubulin"))
    session.show_answer(session.answer, AskRequest("actin"))
    session.edits.undo()
    assert asked[-1].text == "tubulin"
    session.show_answer(session.answer, asked[-1])
    assert session.edits.to_redo == "question"
    session.edits.undo()
    assert session.answer is None


def test_steps_on_other_data_are_forgotten(full_session, plate_folder):
    from napari_cellclip.plates import open_plate

    full_session.selection.replace(["toy/C04"])
    full_session.set_plate(open_plate(plate_folder, name="other"))
    assert full_session.edits.to_undo is None


def test_a_look_at_another_tab_is_no_step(full_session):
    full_session.edits.forget()
    full_session.look(tab="Why")
    assert full_session.edits.to_undo is None
