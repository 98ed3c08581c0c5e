"""*Copy as Python* in ten states: each script is run, and gives the answer that the window shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import ask, like
from napari_cellclip.explore import build_references
from napari_cellclip.explore.references.reference_set import joined
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.gui.state.references import AddedPart, AddedReferences
from napari_cellclip.gui.state.requests import AskRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.work.files.python_script import python_script
from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import import_profiles
from napari_cellclip.vocabulary import Kind, Perturbation
from tests.profile_tables import made_table, write_annotations
from tests.tiny import encode_tiny_screen, load_tiny_model, write_tiny_plate


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """Twelve simulated wells, encoded by a tiny model that lies in a folder."""
    folder = tmp_path_factory.mktemp("words")
    return encode_tiny_screen(
        write_tiny_plate(folder / "P1"), load_tiny_model(folder / "model"), folder / "screen"
    )


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    """Measured profiles, whose references answer questions."""
    folder = tmp_path_factory.mktemp("profiles")
    made_table(controls=12, replicates=3).to_csv(folder / "P1.csv", index=False)
    return import_profiles(
        folder / "P1.csv", folder / "screen", annotations=write_annotations(folder / "more.tsv")
    )


def asked_in_window(session: Session, request: AskRequest) -> None:
    """Answer as the handler of the window does."""
    screen, fdr = session.screen, session.view.fdr
    assert screen is not None
    if request.like:
        answer = like(screen, request.like, request.but_not, fdr=fdr)
    else:
        answer = ask(
            screen,
            request.text,
            fdr=fdr,
            prompts=request.prompts,
            combine=request.combine,
            use_platemap=request.use_platemap,
            evidence=request.evidence,
            references=request.references.joined if request.references is not None else None,
            structures=request.structures,
            ticked_off=request.ticked_off,
        )
    session.show_answer(answer, request)


def other_platemap(screen: Any) -> PlateMap:
    """Labels as if the wells had been numbered from the other end."""
    names = [str(w).split("/")[1] for w in screen.wells.index]
    treated = [screen.perturbation(str(w)) for w in screen.wells.index][::-1]
    treated[0] = Perturbation(
        Kind.CRISPR, "BRD4", genes=("BRD4",), mechanism='it\'s a "quoted" one\n', dose=0.1, cell_line="A549"
    )
    return PlateMap.from_perturbations(dict(zip(names, treated, strict=True)))


WORDS = {
    "plain": AskRequest("tubulin inhibitor"),
    "best of several prompts": AskRequest("tubulin inhibitor + actin inhibitor", combine="max"),
    "edited prompts": AskRequest(
        "mine", (Prompt("cells without actin", 0.3), Prompt("round cells"), Prompt("left out", on=False))
    ),
    "without the plate map": AskRequest("HDAC inhibitor", use_platemap=False),
}
LOOKS = {
    "look-alikes": AskRequest("tubulin inhibitor", evidence="look-alikes"),
    "without structures, one ticked off": AskRequest(
        "tubulin inhibitor", structures=False, ticked_off=("colchicine",)
    ),
}


def check(session: Session) -> dict[str, Any]:
    """Run the script and compare scores, q, verdict and selection."""
    names: dict[str, Any] = {}
    exec(compile(python_script(session), "script", "exec"), names)
    answer = session.answer
    assert answer is not None
    pd.testing.assert_frame_equal(names["answer"].scores, answer.scores)
    pd.testing.assert_frame_equal(names["answer"].treatments_table, answer.treatments_table)
    assert names["answer"].verdict == answer.verdict
    assert names["answer"].fdr == answer.fdr
    return names


def opened(screen) -> Session:
    session = Session()
    session.set_screen(screen)
    return session


@pytest.mark.parametrize("state", WORDS)
def test_questions_in_words(encoded, state):
    session = opened(encoded)
    asked_in_window(session, WORDS[state])
    check(session)


@pytest.mark.parametrize("state", LOOKS)
def test_questions_by_look_alikes(profiles, state):
    session = opened(profiles)
    asked_in_window(session, LOOKS[state])
    check(session)


def test_references_of_another_screen(profiles):
    session = opened(profiles)
    part = AddedPart(profiles.path, build_references([profiles]))
    added = AddedReferences((part,), joined([part.references]))
    asked_in_window(session, AskRequest("HDAC inhibitor", references=added))
    check(session)


def test_examples_at_an_odd_rate_with_a_selection(profiles):
    session = opened(profiles)
    session.look(fdr=1 / 30)  # more digits than a short format keeps
    wells = [str(i) for i in profiles.wells.index[profiles.wells["Metadata_treatment"] == "nocodazole"]]
    asked_in_window(session, AskRequest.by_example(wells, [str(profiles.wells.index[0])]))
    session.selection.replace(wells)
    names = check(session)
    assert set(names["selected"].index) == set(wells)


def test_a_plate_map_loaded_since_is_part_of_the_script(encoded):
    """The script opened the screen folder, which holds the former labels: other controls, other scores."""
    session = opened(encoded)
    plate = next(iter(encoded.plates))
    session.set_screen(encoded.with_platemap(other_platemap(encoded), plate=plate))
    asked_in_window(session, AskRequest("tubulin inhibitor"))
    names = check(session)
    own = ask(encoded, "tubulin inhibitor")
    assert not np.allclose(own.scores["score"].sort_index(), session.answer.scores["score"].sort_index())
    columns = [c for c in encoded.wells if c in ("Metadata_treatment", "Metadata_mechanism", "Metadata_dose")]
    pd.testing.assert_frame_equal(names["screen"].wells[columns], session.screen.wells[columns])


def test_what_is_highlighted_is_named(encoded):
    session = opened(encoded)
    asked_in_window(session, AskRequest("tubulin inhibitor"))
    session.look(highlight="score", threshold=0.3)
    names = check(session)
    assert set(names["highlighted"]) == set(session.highlighted_wells)


def test_wells_without_an_embedding_can_be_selected(encoded):
    """A plate that is encoded in part has wells that the screen does not know."""
    session = opened(encoded)
    session.show_answer(ask(encoded, "tubulin inhibitor"), AskRequest("tubulin inhibitor"))
    some = [str(i) for i in encoded.wells.index[:2]]
    session.selection.replace([*some, "P1/H12"])
    names = check(session)
    assert set(names["selected"].index) == set(some)


def test_a_moved_screen_is_left_to_the_script(encoded, tmp_path):
    session = opened(encoded)
    session.screen.path, kept = tmp_path / "moved", session.screen.path
    try:
        assert str(tmp_path / "moved") in python_script(session)
    finally:
        session.screen.path = kept
