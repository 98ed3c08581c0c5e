"""Answers with a verdict: what is there is found, what is not is not, and names decide nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.explore import annotate_all, ask, describe, like
from napari_cellclip.explore.calibration import calibration
from napari_cellclip.explore.calibration import measured as measuring
from napari_cellclip.explore.calibration.nulls import random_directions
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.explore.calibration.replicates import ReplicateGroups
from napari_cellclip.explore.calibration.screen_calibration import calibration_of
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.explore.wording.model_vocabulary import ModelVocabulary
from napari_cellclip.explore.wording.reader import prompts_in_vocabulary, read_text
from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.model.prompts import PromptTemplates
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError
from tests.explore.cards import memory_card, with_fields

DIM = 24
THERE, ELSE, ABSENT = np.eye(DIM)[0], np.eye(DIM)[1], np.eye(DIM)[2]
TEXTS = {"there": THERE.tolist(), "else": ELSE.tolist(), "absent": ABSENT.tolist()}


@pytest.fixture(scope="session")
def planted(make_screen):
    """Two plates: 16 controls each, ten treatments in two wells each, the first of them like a text."""

    def make(strength: float = 3.0, names=None, controls: int = 16, seed: int = 0):
        rng = np.random.default_rng(seed)
        effects = rng.normal(size=(10, DIM)) * 0.7
        effects[0], effects[1] = strength * THERE, strength * ELSE
        vectors, plates, treatments = [], [], []
        for plate in "PQ":
            base = 0.5 * rng.normal(size=DIM)
            for i in range(16 + 20):
                effect = effects[(i - 16) // 2] if i >= 16 else 0
                vectors.append(base + effect + 0.25 * rng.normal(size=DIM))
                plates.append(plate)
                treatments.append("DMSO" if i < 16 else f"t{(i - 16) // 2}")
        own = [i for i in range(72) if i % 36 < controls]
        screen = make_screen(np.array(vectors), own, plates, texts=dict(TEXTS))
        screen.wells["Metadata_treatment"] = [names.get(t, t) if names else t for t in treatments]
        if controls < 16:
            spare = (screen.wells["Metadata_treatment"] == "DMSO") & ~screen.negative_controls
            screen.wells.loc[spare, "Metadata_control_type"] = "empty"
        return screen

    return make


def test_what_is_there_matches_and_what_is_not_does_not(planted) -> None:
    screen = planted()
    found = ask(screen, "there", prompts=["there"])
    assert found.match is True
    assert found.verdict == "4 wells of 1 treatment match (FDR ≤ 5 %)"
    assert found.matches["treatment"].tolist() == ["t0"]
    assert set(found.matching_wells) == set(screen.wells.index[screen.wells["Metadata_treatment"] == "t0"])
    missing = ask(screen, "absent", prompts=["absent"])
    assert (missing.match, missing.verdict) == (False, "No confident match")
    assert not len(missing.matches)
    assert missing.matching_wells == ()


def test_every_figure_can_be_traced_and_repeats(planted) -> None:
    screen = planted()
    one, two = (ask(planted(), "there", prompts=["there"]) for _ in range(2))
    pd.testing.assert_frame_equal(one.treatments_table, two.treatments_table)
    assert one.null["seed"] == 0
    assert one.null["control_wells"] == 32
    assert one.null["smallest_p"] == pytest.approx(1e-4)
    assert (one.treatments_table["p"] >= one.treatments_table["smallest_p"] - 1e-12).all()
    table = one.treatments_table
    assert table["n_wells"].tolist() == [4] * 10
    assert table["n_plates"].tolist() == [2] * 10
    told = json.loads(json.dumps(one.to_json(), allow_nan=False))
    assert told["q"] == pytest.approx(table["q"].min())
    assert told["treatments"][0]["treatment"] == "t0"
    assert ask(screen, "there", prompts=["there"], seed=5).null["seed"] == 5


def test_no_p_is_below_the_smallest_that_is_attainable(planted) -> None:
    # Few controls: sets of them alone give no p below 6e-4, Hotelling's test does.
    table = ask(planted(controls=6, strength=6.0), "there", prompts=["there"]).treatments_table
    assert (table["p"] >= table["smallest_p"] * (1 - 1e-9)).all()
    assert table["p"].min() < 6e-4
    best = ask(planted(), "x", prompts=["there", "else"], combine="max").treatments_table
    assert best["smallest_p"].min() == pytest.approx(2e-4, rel=1e-3)


def test_names_group_replicates_and_decide_nothing_else(planted) -> None:
    renamed = {f"t{i}": f"t{9 - i}" for i in range(10)}
    before = ask(planted(), "there", prompts=["there"]).treatments_table
    after = ask(planted(names=renamed), "there", prompts=["there"]).treatments_table
    columns = ["score", "p", "q"]
    pd.testing.assert_frame_equal(after[columns], before.loc[after.index, columns])


def test_the_order_of_wells_changes_nothing(planted) -> None:
    screen, other = planted(), planted()
    order = np.random.default_rng(1).permutation(72)
    other.embeddings, other.wells = other.embeddings[order], other.wells.iloc[order]
    before, after = (ask(s, "there", prompts=["there"]) for s in (screen, other))
    np.testing.assert_allclose(
        after.scores["score"].reindex(before.scores.index), before.scores["score"], rtol=1e-4, atol=1e-4
    )
    assert after.matches["treatment"].tolist() == before.matches["treatment"].tolist()


def test_no_labels_no_replicates_and_no_controls_are_said(planted) -> None:
    unnamed = planted()
    unnamed.wells["Metadata_treatment"] = ""
    answer = ask(unnamed, "there", prompts=["there"])
    assert any("names no treatments" in note for note in answer.notes)
    assert set(answer.treatments_table["n_wells"]) == {1}
    few = ask(planted(controls=3), "there", prompts=["there"])
    assert (few.match, few.verdict) == (None, "Significance not tested")
    assert any("at least 4 negative controls" in note for note in few.notes)
    assert any("only 6 negative controls in all" in note for note in few.notes)
    assert few.treatments_table["q"].isna().all()
    enough = ask(planted(controls=4), "there", prompts=["there"])
    assert enough.treatments_table["q"].notna().any()


def test_a_dose_leans_on_higher_ones_only_if_it_fits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearer than 95 % of the directions; else what fits at a higher dose lends it nothing."""
    treatments, rng = ["a", "a", "b", "b"] + ["DMSO"] * 6, np.random.default_rng(0)
    wells = pd.DataFrame(
        {
            "Metadata_treatment": treatments,
            "Metadata_dose": [0.3, 3.0, 0.3, 3.0] + [np.nan] * 6,
            "Metadata_control_type": [""] * 4 + ["negcon"] * 6,
        },
        index=[f"P/{n}" for n in range(10)],
    )
    unit = unit_rows(rng.normal(size=(10, 5)), np.float32)
    bank = unit_rows(rng.normal(size=(20, 5)), np.float32)
    made = calibration.Calibration(
        WellVectors.of(unit), wells, np.zeros(10, int), ("P",), np.arange(10) >= 4, bank
    )
    alone, together = np.array([0.049, 0.9, 0.051, 0.9]), np.array([0.01, 0.01])
    shares = iter([alone, together])
    monkeypatch.setattr(made, "_share_as_near", lambda *given, **options: next(shares))
    np.testing.assert_array_equal(made.score(unit[0]).random_share, [0.01, 0.9, 0.051, 0.9])


def test_a_dose_leans_on_the_higher_ones(make_screen) -> None:
    wells = pd.DataFrame(
        {
            "Metadata_treatment": ["a", "a", "a", "b", "b", "DMSO", ""],
            "Metadata_dose": [3.0, 0.3, 30.0, 1.0, np.nan, np.nan, np.nan],
            "Metadata_control_type": ["", "", "", "poscon", "", "negcon", ""],
        }
    )
    blocks = ReplicateGroups.of(wells, np.zeros(7, int))
    assert blocks.table["treatment"].tolist() == ["a", "a", "a", "b", "b", ""]
    upward = [
        sorted(blocks.upward_rows[a:b])
        for a, b in zip(blocks.upward_starts[:-1], blocks.upward_starts[1:], strict=True)
    ]
    assert blocks.higher.tolist() == [True, True, False, False, False, False]
    assert upward == [[0, 1, 2], [0, 2]]
    assert blocks.rows.tolist() == [1, 0, 2, 4, 3, 6]


def test_operators_ask_for_both_or_for_one_without_the_other(planted) -> None:
    screen = planted()
    both = ask(screen, '"there" AND "else"', use_platemap=False)
    assert both.match is False
    screen.model.vectors |= {f"A549 cells treated with compound: {t}": v for t, v in TEXTS.items()}
    one = ask(screen, "there AND NOT else", use_platemap=False)
    assert one.matches["treatment"].tolist() == ["t0"]
    other = ask(screen, "else AND NOT there", use_platemap=False)
    assert other.matches["treatment"].tolist() == ["t1"]
    best = ask(screen, "x", prompts=["there", "else"], combine="max")
    top = set(best.treatments_table["treatment"].iloc[:2])
    assert top == {"t0", "t1"}
    weighted = ask(
        screen, "x", prompts=[Prompt("there"), Prompt("else", weight=0.0), Prompt("absent", on=False)]
    )
    assert weighted.prompts == ("there",)


def test_like_these_but_not_those(planted) -> None:
    screen = planted()
    own = screen.wells.index[screen.wells["Metadata_treatment"] == "t0"]
    screen.wells.loc[own[2:], "Metadata_treatment"] = "twin"
    answer = like(screen, own[:2])
    assert answer.treatments_table["treatment"].iloc[0] == "twin"
    assert answer.source == "example wells"
    assert "t0" not in set(answer.treatments_table["treatment"])
    assert "treatments" in answer.null["kind"]
    other = like(screen, own[:2], but_not=own[2:])
    assert other.scores["score"].reindex(own).mean() < answer.scores["score"].reindex(own).mean()
    with pytest.raises(CellClipError, match="both like and unlike"):
        like(screen, own[:2], but_not=own[1:])
    with pytest.raises(CellClipError, match="has no embedding"):
        like(screen, ["P/Z99"])
    with pytest.raises(CellClipError, match="at least one well"):
        like(screen, [])


def test_words_outside_the_vocabulary_cannot_match(planted) -> None:
    screen = planted()
    words = {"a": ["actin inhibitor"], "b": ["tubulin inhibitor"]}
    screen.model.card = memory_card(training={"vocabulary": words})
    answer = ask(screen, "asdf", prompts=["there"])
    assert (answer.match, answer.verdict) == (False, "No confident match")
    assert any("Not in the vocabulary of the model 'known': 'asdf'" in note for note in answer.notes)
    assert answer.scores["score"].notna().all()
    assert answer.treatments_table["q"].isna().all()
    screen.model.card = memory_card(training={"vocabulary": words | {"a": ["there"]}})
    assert ask(screen, "asdf", prompts=["there"]).match is True  # what is sent counts, not what was typed


def test_what_is_in_a_vocabulary() -> None:
    groups = {f"m{i}": [f"thing{i} inhibitor"] for i in range(5)} | {
        "c": ["nocodazole", "COc1ccc2nc(cc2c1)=O"]
    }
    vocabulary = ModelVocabulary.of(groups)
    assert vocabulary.has_text("thing3 inhibitor")
    assert vocabulary.has_text("nocodazole")
    assert not vocabulary.has_text("an inhibitor of something else")
    assert vocabulary.has_text("U2OS cells treated with SMILES: COc1ccc2nc(cc2c1)=O")
    templates = PromptTemplates()
    sent = (Prompt("nocodazole", weight=0.2), Prompt("asdf"))
    assert not prompts_in_vocabulary(sent, vocabulary, templates)
    assert prompts_in_vocabulary((*sent, Prompt("nocodazole")), vocabulary, templates)
    assert not prompts_in_vocabulary((Prompt("nocodazole", on=False), Prompt("asdf")), vocabulary, templates)


@pytest.mark.parametrize(
    "told",
    [{}, {"a": 5}, {"a": None}, {"a": "nocodazole"}, {"a": ["  ", ""]}, ["nocodazole"], 7, {"a": [1, None]}],
)
def test_cards_that_tell_nothing_of_use_are_as_good_as_silent(told) -> None:
    assert ModelVocabulary.of_card(memory_card(training={"vocabulary": told})) is None


def test_an_empty_text_makes_nothing_known() -> None:
    vocabulary = ModelVocabulary.of_card(memory_card(training={"taught": {"a": ["  "], "b": ["nocodazole"]}}))
    assert vocabulary is not None
    for text in ("EGFR inhibitor", "asdf", "erlotinib"):
        assert not read_text(
            text, templates=PromptTemplates(), annotations=(), vocabulary=vocabulary
        ).in_vocabulary


def test_a_reference_is_a_share_of_wrong_pairs_rounded_up() -> None:
    wrong = np.random.default_rng(0).uniform(size=4000) ** 0.5
    measured = EmpiricalNull.measured(wrong, "made up")
    p = np.array([1e-5, 0.05, 0.3, 1.0])
    got = measured.p_values(p)
    assert (got >= (1 + (wrong[:, None] <= p).sum(axis=0)) / 4001).all()
    np.testing.assert_allclose(got[2:], p[2:] ** 2, atol=0.03)
    assert measured.smallest_p == got[0]
    scores = {
        "query-null": {
            "data": "x",
            "figures": {
                "random_share": measured.random_share.tolist(),
                "share": measured.wrong_share.tolist(),
                "pairs": 4000,
            },
        }
    }
    again = EmpiricalNull.of_card(scores)
    assert again is not None
    np.testing.assert_array_equal(again.p_values(p), got)
    assert EmpiricalNull.of_card({}) is None


def test_a_null_added_to_a_card_is_used_at_once(planted) -> None:
    """Scores are no part of a card's hash, and yet the null in them is part of a calibration."""
    screen = planted()
    before = calibration_of(screen, screen.model, cell_line="")
    figures = {"random_share": [0.001, 1.0], "share": [0.2, 1.0], "pairs": 9}
    screen.model.card = with_fields(screen.card, scores={"query-null": {"data": "x", "figures": figures}})
    after = calibration_of(screen, screen.model, cell_line="")
    assert before.empirical_null is None
    assert after.empirical_null is not None
    assert after.empirical_null.pairs == 9
    assert calibration_of(screen, screen.model, cell_line="") is after


def test_describe_names_what_fits_and_nothing_for_controls(planted) -> None:
    screen = planted()
    screen.model.vectors |= {f"A549 cells treated with compound: {t}": v for t, v in TEXTS.items()}
    own = screen.wells.index[screen.wells["Metadata_treatment"] == "t0"]
    found = describe(screen, own, list(TEXTS))
    assert found.table["term"].iloc[0] == "there"
    assert found.verdict == "there (FDR ≤ 5 %)"
    assert found.significant["term"].tolist() == ["there"]
    nothing = describe(screen, screen.wells.index[screen.negative_controls][:4], list(TEXTS))
    assert nothing.verdict == "Nothing stands out"
    table = annotate_all(screen, list(TEXTS)).set_index("treatment")
    assert (table.loc["t0", "term"], table.loc["t1", "term"]) == ("there", "else")
    assert table.loc["t0", "q"] <= 0.05
    with pytest.raises(CellClipError, match="no list of terms is called"):
        describe(screen, own, "spells")
    with pytest.raises(CellClipError, match="no terms"):
        describe(screen, own, [" "])
    with pytest.raises(CellClipError, match="none of the selected wells"):
        describe(screen, ["P/Z99"])


def test_a_rate_outside_its_range_is_refused(planted) -> None:
    for fdr in (0.0, 1.0, -1, float("nan")):
        with pytest.raises(CellClipError, match="false-discovery rate"):
            ask(planted(), "there", prompts=["there"], fdr=fdr)


def test_top_rows_are_those_of_the_whole_tables(planted) -> None:
    screen = planted(strength=3.0)
    whole = ask(screen, "there", prompts=["there"])
    for top in (1, 3, 30, 500):
        some = ask(screen, "there", prompts=["there"], top=top)
        pd.testing.assert_frame_equal(some.scores, whole.scores.head(top))
        shown = max(top, len(whole.matches))
        pd.testing.assert_frame_equal(some.treatments_table, whole.treatments_table.head(shown))
        assert some.verdict == whole.verdict


def test_tables_of_tails_give_the_p_values_of_counting(planted, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = ask(planted(), "there", prompts=["there"]).treatments_table
    monkeypatch.setattr(random_directions, "MOST_SORTED", 0)
    monkeypatch.setattr(measuring, "PATTERNS", 0)
    found = ask(planted(), "there", prompts=["there"]).treatments_table.loc[exact.index]
    assert (found["p"] >= exact["p"] - 1.01e-4).all()
    assert (found["p"] <= 1.07 * exact["p"] + 1.01e-4).all()
    assert found["p"].iloc[0] == exact["p"].iloc[0]
    np.testing.assert_allclose(found["score"], exact["score"])


def test_no_treatment_is_listed_that_fits_less_than_one_left_out(planted) -> None:
    found = ask(planted(strength=0.0), "absent", prompts=["absent"], top=2)
    assert found.match is False
    assert len(found.treatments_table) == 2
    whole = ask(planted(strength=0.0), "absent", prompts=["absent"])
    assert found.treatments_table.index.tolist() == whole.treatments_table.index[:2].tolist()
