"""The session alone: state, history, what opening something else does."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from pathlib import Path

import pytest
from napari.components import ViewerModel

from napari_cellclip.gui.state.references import Mechanisms
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.work.controller import Controller, controller_of
from napari_cellclip.gui.work.files.exports import export_work, hit_list
from napari_cellclip.gui.work.files.python_script import python_script
from napari_cellclip.vocabulary import ScreenError
from tests.gui.toy_screens import FakeScreen, answer_for, contributions, projection_for


class Proxy:
    """Stands for napari's public proxy."""

    def __init__(self, viewer):
        self.__wrapped__ = viewer


def test_one_session_per_viewer_that_dies_with_it(qapp):
    viewer, other = ViewerModel(), ViewerModel()
    session = controller_of(viewer).session
    assert controller_of(Proxy(viewer)).session is session
    assert controller_of(other).session is not session
    gone = weakref.ref(session)
    del viewer, session
    gc.collect()
    assert gone() is None


def test_matching_follows_the_threshold(full_session):
    assert full_session.highlighted_wells == ["toy/C06", "toy/D04"]
    full_session.look(threshold=0.5)
    assert full_session.highlighted_wells == ["toy/C06", "toy/D04", "toy/E07"]


def test_threshold_follows_the_answer_until_the_user_sets_it(full_session):
    full_session.answer = answer_for(full_session.screen, {"toy/C06": 30.0, "toy/D04": 16.0, "toy/E07": 14.0})
    assert full_session.view.threshold == 15.0
    assert full_session.highlighted_wells == ["toy/C06", "toy/D04"]
    full_session.answer = answer_for(full_session.screen, {"toy/C06": 4.0})
    assert full_session.view.threshold == 3.0, "never below what controls do"
    full_session.look(threshold=5.5)
    full_session.answer = answer_for(full_session.screen, {"toy/C06": 30.0})
    assert full_session.view.threshold == 5.5


def test_looking_the_same_way_says_nothing(full_session):
    heard = []
    full_session.view_changed.connect(heard.append)
    full_session.look(threshold=full_session.view.threshold)
    assert heard == []


def test_walk_over_sites_and_wells(full_session):
    full_session.show("toy/C04")
    assert full_session.shown == "toy/C04/1"
    full_session.step_site(1)
    assert full_session.shown == "toy/C04/2"
    full_session.step_site(1)
    assert full_session.shown == "toy/C04/1"
    full_session.step_well(-1)
    assert full_session.shown_well == "toy/E07"
    assert full_session.selection.ids == {"toy/E07"}


def test_showing_a_well_without_pixels_says_what_to_do(plate):
    session, messages = Session(), []
    session.message.connect(lambda task, message: messages.append(message))
    session.set_screen(FakeScreen.of(plate))
    session.show("toy/C04")
    assert session.shown is None
    assert "drop its plate folder" in messages[0]


def test_another_plate_forgets_screen_answer_and_selection(full_session, plate_folder):
    from napari_cellclip.plates import open_plate

    full_session.selection.replace(["toy/C04"])
    full_session.set_plate(open_plate(plate_folder, name="other"))
    assert full_session.screen is None
    assert full_session.answer is None
    assert not full_session.selection.ids
    assert not full_session.maps.by_method
    assert set(full_session.wells["plate"]) == {"other"}


def test_the_same_plate_keeps_its_screen(full_session, plate, platemap):
    full_session.set_plate(plate, platemap)
    assert full_session.screen is not None
    assert full_session.highlighted_wells == ["toy/C06", "toy/D04"]


def test_a_new_plate_map_drops_what_rested_on_the_old_one_and_asks_again(full_session, platemap):
    """Controls may be others, and treatments: score, q, contributions, heat map and names go with them."""
    session, asked, told = full_session, [], []
    question = AskRequest("tubulin inhibitor", combine="max")
    session.show_answer(session.answer, question)
    session.explanations.contributions = contributions(["toy/C06"])
    session.clusters = ["a name"]
    session.references.mechanisms = Mechanisms(None, "tested")
    session.requested.connect(asked.append)
    session.labels_changed.connect(lambda: told.append(session.answer))
    maps, number = session.maps, session.screen_number
    session.set_platemap(platemap.blind())
    assert session.answer is None
    assert session.wells["score"].isna().all()
    assert (
        session.explanations.contributions
        is session.explanations.heat_map
        is session.references.mechanisms
        is None
    )
    assert session.clusters == ()
    assert session.wells.loc["toy/C07", "treatment"] == ""
    assert session.maps is maps, "places on the map do not depend on labels"
    assert session.screen_number > number, "so that late results are dropped"
    assert asked == [question]
    assert told == [None]


def test_the_plate_map_that_the_screen_has_changes_nothing(full_session, platemap):
    answer, asked = full_session.answer, []
    full_session.requested.connect(asked.append)
    full_session.set_platemap(platemap)
    assert full_session.answer is answer
    assert asked == []


def test_a_screen_that_grows_keeps_question_and_selection(full_session):
    session, asked, heard = full_session, [], []
    session.show_answer(session.answer, AskRequest("tubulin"))
    session.selection.replace(["toy/C04"])
    session.requested.connect(asked.append)
    session.screen_changed.connect(lambda: heard.append("changed"))
    session.screen_grew.connect(lambda: heard.append("grew"))
    part = dataclasses.replace(session.screen)
    session.grow_screen(part)
    assert session.screen is part
    assert session.growing
    assert session.selection.ids == {"toy/C04"}
    assert session.answer is not None, "until the new one is there"
    whole = dataclasses.replace(part)
    session.grow_screen(whole, finished=True)
    assert not session.growing
    assert heard == ["grew", "grew"]
    assert [request.text for request in asked] == ["tubulin", "tubulin"]
    assert session.selection.ids == {"toy/C04"}


def test_asking_remembers_each_question_once(session):
    for text in ("a", "b", "a"):
        session.questions.remember(AskRequest(text))
    assert [query.text for query in session.questions.asked] == ["b", "a"]


def test_an_empty_query_clears_the_answer(full_session, qapp):
    controller = Controller(full_session)
    full_session.request(AskRequest("  "))
    controller.close()
    assert full_session.answer is None
    assert full_session.wells["score"].isna().all()


def test_maps_fall_back_to_what_there_is(session, plate):
    session.set_screen(FakeScreen.of(plate))
    session.add_map(projection_for(session.screen, "pca"))
    assert session.maps.get("umap").method == "pca"


def test_hit_list_is_sorted_and_says_where_from(full_session):
    table = hit_list(full_session)
    assert list(table.index[:2]) == ["toy/C06", "toy/D04"]
    assert set(table["query"]) == {"tubulin inhibitor"}
    assert set(table["model"]) == {"demo"}
    assert list(hit_list(full_session, ["toy/E07"]).index) == ["toy/E07"]


def test_export_writes_csv_and_refuses_other_names(full_session, tmp_path):
    import pandas as pd

    full_session.selection.replace(["toy/D04"])
    told = export_work(full_session, tmp_path / "hits.csv", selected_only=True)()
    assert told == f"Written: 1 selected well to {tmp_path / 'hits.csv'}"
    written = pd.read_csv(tmp_path / "hits.csv", index_col=0)
    assert list(written.index) == ["toy/D04"]
    with pytest.raises(ScreenError, match="choose a name"):
        export_work(full_session, tmp_path / "hits.doc")()
    with pytest.raises(ScreenError, match="Nothing is encoded"):
        export_work(Session(), tmp_path / "x.h5ad")()


def test_what_is_exported_is_what_was_open_when_it_was_asked_for(full_session, tmp_path):
    work = export_work(full_session, tmp_path / "hits.csv")
    full_session.set_plate(None)
    assert len((work() and (tmp_path / "hits.csv").read_text()).splitlines()) == 12


def test_script_asks_what_was_answered_whatever_was_asked_since(full_session):
    """A later query that failed is in the history, and the rate chosen since is not the answer's."""
    by_example = AskRequest.by_example(["toy/C06"])
    answer = dataclasses.replace(full_session.answer, query=by_example.text, fdr=0.2)
    full_session.show_answer(answer, by_example)
    before = python_script(full_session)
    assert "answer = like(screen, ['toy/C06'], fdr=0.2)" in before
    full_session.questions.remember(AskRequest("nothing that could be read", combine="max"))
    full_session.look(fdr=0.01)
    assert python_script(full_session) == before


def test_script_gives_the_same_hits(full_session, monkeypatch):
    full_session.selection.replace(["toy/C04"])
    script = python_script(full_session)
    screen = full_session.screen
    asked = {}

    class Opened:
        @staticmethod
        def open(path):
            assert Path(path) == screen.path
            return screen

    def ask(asked_screen, text, **options):
        asked.update(text=text, **options)
        return answer_for(asked_screen, {"toy/C06": 9.0, "toy/D04": 5.0})

    import napari_cellclip

    monkeypatch.setattr(napari_cellclip, "Screen", Opened, raising=False)
    monkeypatch.setattr(napari_cellclip, "ask", ask, raising=False)
    names: dict = {}
    exec(script, names)
    assert list(names["answer"].top(2).index) == full_session.highlighted_wells
    assert asked == {"text": "tubulin inhibitor", "fdr": 0.05}
    assert list(names["selected"].index) == ["toy/C04"]
