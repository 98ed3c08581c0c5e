"""Scores of a text: formulas, what they may not depend on, and what is said when controls lack."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_cellclip.explore import Answer, Verdict, ask
from napari_cellclip.explore.calibration import screen_calibration
from napari_cellclip.explore.calibration.findings import best_first
from napari_cellclip.explore.calibration.robust import grouped_median, robust_z
from napari_cellclip.explore.wording.direction import direction
from napari_cellclip.vocabulary import CellClipError, ScreenError

TEXT = ["x"]
EAST = {"x": [1.0, 0.0]}


def at(*degrees: float) -> np.ndarray:
    """Vectors of various lengths at these angles from the text ``x``."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * np.arange(1, len(degrees) + 1)[:, None]


def test_scores_are_cosines_on_the_scale_of_the_controls(make_screen) -> None:
    screen = make_screen(at(0, 60, 80, 90, 100), controls=(2, 3, 4), texts=EAST)
    answer = ask(screen, "what", prompts=TEXT)
    cosine = np.cos(np.radians([0, 60, 80, 90, 100]))
    table = answer.scores.reindex(screen.well_ids)
    np.testing.assert_allclose(table["cosine"], cosine, atol=1e-6)
    # One spread for the plate, moderated; the middle control is at 0.
    np.testing.assert_allclose(table["score"] / table["score"].iloc[0], cosine, atol=1e-6)
    assert table["score"].iloc[0] > 0
    assert table["rank"].tolist() == [1, 2, 3, 4, 5]
    assert (answer.query, answer.prompts, answer.source) == ("what", ("x",), "as given")
    assert answer.model == "known"
    assert (answer.evidence, answer.evidence_reason) == (
        "words",
        "Prompts of your own are for the text tower.",
    )
    assert answer.top(2).index.tolist() == list(screen.well_ids[:2])


def test_each_plate_is_compared_with_its_own_controls(make_screen) -> None:
    # The second plate looks all like the text: only what stands out there counts.
    near, far = (85, 90, 95, 60), (5, 10, 15, 3)
    screen = make_screen(at(*near, *far), (0, 1, 2, 4, 5, 6), ["P"] * 4 + ["Q"] * 4, texts=EAST)
    answer = ask(screen, "what", prompts=TEXT)
    scores = answer.scores["score"].reindex(screen.well_ids).to_numpy()
    for rows, plate in ((slice(0, 4), near), (slice(4, 8), far)):
        cosine = np.cos(np.radians(plate))
        away = cosine - np.median(cosine[:3])
        assert scores[rows][1] == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(scores[rows] / scores[rows][3], away / away[3], atol=1e-4)
    assert answer.scores.index[0] == "P/A04"


def test_prompts_are_averaged_on_the_unit_sphere(known_texts) -> None:
    model = known_texts({"long": [10.0, 0.0], "short": [0.0, 0.1]})
    np.testing.assert_allclose(direction(model, ["long", "short"]), [np.sqrt(0.5)] * 2, rtol=1e-6)
    opposed = known_texts({"a": [1.0, 0.0], "b": [-1.0, 0.0]})
    with pytest.raises(CellClipError, match="opposite"):
        direction(opposed, ["a", "b"])


def test_prompts_come_from_the_card_unless_given(make_screen) -> None:
    prompt = "A549 cells treated with crispr, targeting genes: TUBB"
    screen = make_screen(at(0, 10, 20), texts={prompt: [1.0, 0.0]})
    answer = ask(screen, "TUBB knockout")
    assert answer.prompts[0] == prompt
    assert answer.source == "templates of the model card 'known'"


@settings(deadline=None, max_examples=5)
@given(order=st.permutations(range(12)))
def test_permuting_treatment_labels_leaves_every_score_unchanged(make_screen, order) -> None:
    vectors = np.random.default_rng(3).normal(size=(12, 2))
    columns = ["cosine", "score", "rank", "z"]
    before = ask(make_screen(vectors, (1, 4, 7, 9), texts=EAST), "what", prompts=TEXT).scores
    screen = make_screen(vectors, (1, 4, 7, 9), texts=EAST)
    for column in ("Metadata_treatment", "Metadata_mechanism"):
        screen.wells[column] = screen.wells[column].to_numpy()[list(order)]
    pd.testing.assert_frame_equal(ask(screen, "what", prompts=TEXT).scores[columns], before[columns])


def test_only_control_type_and_cell_line_count_of_the_plate_map(make_screen) -> None:
    vectors, controls = at(0, 60, 80, 90, 100, 85), (2, 3, 4, 5)
    before = ask(make_screen(vectors, controls, texts=EAST), "what", prompts=TEXT).scores
    screen = make_screen(vectors, controls, texts=EAST)
    columns = ["Metadata_Plate", "Metadata_control_type", "Metadata_cell_line"]
    screen.wells = screen.wells[columns].assign(Metadata_treatment="")
    # Every treatment is named once, so grouping changes nothing either.
    pd.testing.assert_frame_equal(ask(screen, "what", prompts=TEXT).scores, before)


def test_wells_without_embedding_are_left_out_and_counted(make_screen) -> None:
    vectors = at(0, 60, 80, 90, 100, 45)
    vectors[5] = np.nan
    screen = make_screen(vectors, controls=(2, 3, 4, 5), texts=EAST)
    answer = ask(screen, "what", prompts=TEXT)
    assert list(answer.scores.index) == list(screen.well_ids[:5])
    assert "1 well has no embedding and cannot be scored (see the failed sites)." in answer.notes
    with pytest.raises(ScreenError, match="no well"):
        ask(make_screen(np.full_like(vectors, np.nan), texts=EAST), "what", prompts=TEXT)


@pytest.mark.parametrize(
    ("controls", "said"), [((), "no negative controls"), ((3,), "1 negative control with")]
)
def test_too_few_controls_are_said_and_all_wells_stand_in(make_screen, controls, said) -> None:
    degrees = (0, 70, 80, 90, 100)
    answer = ask(make_screen(at(*degrees), controls, texts=EAST), "what", prompts=TEXT)
    assert said in answer.notes[0]
    assert "relative to all its wells" in answer.notes[0]
    cosine = np.cos(np.radians(degrees))
    plain = robust_z(cosine, cosine)
    np.testing.assert_allclose(
        answer.scores["score"] / answer.scores["score"].iloc[0], plain / plain[0], atol=1e-4
    )
    assert (answer.match, answer.verdict) == (None, "Significance not tested")
    assert any("at least 4 negative controls" in note for note in answer.notes)


@pytest.mark.parametrize("n", [1, 2])
def test_wells_that_cannot_be_scored_are_ranked_by_cosine(make_screen, n) -> None:
    answer = ask(make_screen(at(*(50, 20)[:n]), texts=EAST), "what", prompts=TEXT)
    assert answer.scores["score"].isna().all()
    assert answer.scores["cosine"].is_monotonic_decreasing
    assert "ranked by cosine alone" in answer.notes[0]
    assert all(well["score"] is None for well in answer.to_json()["wells"])


def test_scored_plates_come_before_those_that_cannot_be(make_screen) -> None:
    screen = make_screen(at(80, 90, 100, 0), (0, 1, 2), ["P"] * 3 + ["Q"], texts=EAST)
    answer = ask(screen, "what", prompts=TEXT)
    assert list(answer.scores["cosine"].round(3)) == [0.174, 0.0, -0.174, 1.0]
    assert sum("Plate Q" in note for note in answer.notes) == 1


def test_controls_that_are_all_alike_do_not_divide_by_zero(make_screen) -> None:
    answer = ask(make_screen(at(0, 40, 90, 90, 90), (2, 3, 4), texts=EAST), "what", prompts=TEXT)
    assert "all alike" in answer.notes[0]
    assert not np.isinf(answer.scores["score"]).any()


def test_json_is_whole_and_strict(make_screen) -> None:
    answer = ask(make_screen(at(0, 60, 80, 90, 100), (2, 3, 4), texts=EAST), "what", prompts=TEXT, top=2)
    told = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    assert told["wells"][0] | {"score": 0, "z": 0} == {
        "id": "P/A01",
        "score": 0,
        "z": 0,
        "q": None,
        "cosine": pytest.approx(1),
        "rank": 1,
        "treatment": "t0",
    }
    assert {
        "query",
        "match",
        "verdict",
        "fdr",
        "q",
        "prompts",
        "source",
        "treatments",
        "wells",
        "null",
    } < set(told)
    assert {"kind", "n", "seed", "smallest_p", "model"} < set(told["null"])
    assert len(told["wells"]) == 2
    assert [row["treatment"] for row in told["treatments"]] == ["t0", "t1"]


def test_nothing_to_ask_and_wrong_model_are_refused(make_screen, known_texts) -> None:
    screen = make_screen(at(0, 1, 2), texts=EAST)
    for given_prompts in (None, [], ["  "]):
        with pytest.raises(CellClipError, match="nothing to ask"):
            ask(screen, " ", prompts=given_prompts)
    with pytest.raises(ScreenError, match="another model"):
        ask(screen, "what", model=known_texts(EAST))


@settings(deadline=None)
@given(arrays(np.float64, 9, elements=st.floats(-1, 1, width=32)), st.floats(0.01, 5), st.floats(-1, 1))
def test_robust_z_ignores_scale_and_offset(values, scale, offset) -> None:
    before, after = (
        robust_z(values, values[:5]),
        robust_z(scale * values + offset, scale * values[:5] + offset),
    )
    if np.abs(before).max() < 1e4 and np.isfinite(after).all():
        np.testing.assert_allclose(before, after, rtol=1e-6, atol=1e-6)


def test_robust_z_is_standard_for_normal_controls_and_unmoved_by_a_hit_among_them() -> None:
    controls = np.random.default_rng(0).normal(3, 2, 20_000)
    assert robust_z(np.array([3.0, 5.0]), controls) == pytest.approx([0, 1], abs=0.05)
    controls[:1000] = 1e6
    assert robust_z(np.array([5.0]), controls)[0] == pytest.approx(1, abs=0.15)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-10, 10)), min_size=1))
def test_medians_of_groups_are_those_of_numpy(pairs) -> None:
    groups, values = np.array([g for g, _ in pairs]), np.array([v for _, v in pairs])
    found = grouped_median(values, groups, np.bincount(groups, minlength=5))
    for group in range(5):
        own = values[groups == group]
        assert found[group] == np.median(own) if len(own) else np.isnan(found[group])


def test_order_is_by_score_then_cosine_then_position() -> None:
    nan = np.nan
    assert best_first(np.array([1.0, 3.0, 2.0]), np.zeros(3)).tolist() == [1, 2, 0]
    assert best_first(np.array([nan, 3.0, nan, -5.0]), np.array([0.1, 0, 0.9, 0])).tolist() == [1, 3, 2, 0]
    assert best_first(np.array([2.0, 2.0, 2.0, 3.0]), np.array([0.5, 0.7, 0.5, 0])).tolist() == [3, 1, 0, 2]


def test_asking_again_computes_neither_background_nor_calibration_again(make_screen, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    screen = make_screen(rng.normal(size=(48, 16)), range(16), texts={"x": rng.normal(size=16).tolist()})
    ask(screen, "what", prompts=TEXT)
    asked = screen.model.asked
    monkeypatch.setattr(screen_calibration, "Calibration", None)
    assert isinstance(ask(screen, "what", prompts=TEXT), Answer)
    assert screen.model.asked == asked + 1


@pytest.mark.parametrize("simulated", [True, False])
def test_a_model_of_simulated_cells_says_so(make_screen, simulated) -> None:
    screen = make_screen(at(0, 60, 80, 90, 100), controls=(2, 3, 4), texts=EAST, simulated=simulated)
    notes = ask(screen, "what", prompts=TEXT).notes
    assert any("simulated cells only" in note for note in notes) is simulated


def test_a_model_that_reads_structures_only_is_not_asked_in_words(make_screen) -> None:
    screen = make_screen(np.eye(4, 2), controls=(0, 1, 2), text_tower="fingerprint")
    with pytest.raises(CellClipError, match="reads structures and no words"):
        ask(screen, "tubulin inhibitor")


def test_wells_of_plates_with_spaces_in_their_names_stay_whole(make_screen) -> None:
    vectors = np.vstack([np.random.default_rng(0).normal(size=(12, 2)), [[9, 0.1], [8, 0.1]]])
    screen = make_screen(vectors, controls=tuple(range(12)), plates=["My first plate"] * 14)
    found = ask(screen, "tubulin inhibitor")
    listed = [well for row in found.to_json()["treatments"] for well in row["wells"]]
    assert sorted(listed) == sorted(screen.well_ids[12:])
    assert set(replace(found, outcome=Verdict.SIGNIFICANT, fdr=1.0).matching_wells) == set(
        screen.well_ids[12:]
    )
