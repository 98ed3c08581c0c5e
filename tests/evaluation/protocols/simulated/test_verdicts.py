"""The protocol for verdicts: its plates, its arithmetic, and the figures that the documentation quotes."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from napari_cellclip.cli.program import app
from napari_cellclip.evaluation.protocols.labelled_screen import labelled_screen
from napari_cellclip.evaluation.protocols.simulated.null_screens import (
    control_screens,
    matches,
    turned_screens,
)
from napari_cellclip.evaluation.protocols.simulated.verdict_answers import (
    Bank,
    Wells,
    ask_layout,
    by_question,
    figures_of,
    look_alikes,
    measure_empirical_null,
)
from napari_cellclip.evaluation.protocols.simulated.verdict_plates import (
    FIRST_SEED,
    absent_mechanisms,
    coded,
    query_design,
)
from napari_cellclip.evaluation.protocols.simulated.verdicts import calibration_curve
from napari_cellclip.model import PromptTemplates, load_model
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.plates import PlateMap
from napari_cellclip.training.demo.demo_captions import caption_vocabulary
from napari_cellclip.training.demo.held_out import known_mechanisms
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS
from tests.explore.cards import memory_card

DOCS = Path(__file__).parents[4] / "docs"
KEYS = [mechanism.key for mechanism in MECHANISMS]


def test_three_layouts_leave_out_each_mechanism_once() -> None:
    for first in (FIRST_SEED, FIRST_SEED + 3):
        absent = [m.key for i in range(3) for m in absent_mechanisms(first + i)]
        assert sorted(absent) == sorted(KEYS)


def test_a_layout_has_replicates_doses_and_controls() -> None:
    design = query_design(FIRST_SEED)
    wells = list(design.wells.values())
    assert len(wells) == 96
    assert sum(w.perturbation.is_negative_control for w in wells) == 16
    counts = Counter(
        (w.perturbation.name, w.perturbation.dose) for w in wells if w.perturbation.control is None
    )
    assert set(counts.values()) == {2}
    there = {w.mechanism for w in wells} - {""}
    assert there == set(KEYS) - {m.key for m in absent_mechanisms(FIRST_SEED)}
    assert query_design(FIRST_SEED) == design
    assert query_design(FIRST_SEED + 1) != design


def test_codes_tell_replicates_and_doses_and_nothing_else() -> None:
    platemap = PlateMap({name: t.perturbation for name, t in query_design(FIRST_SEED).wells.items()})
    table = coded(platemap).table
    assert set(table["Metadata_smiles"]) | set(table["Metadata_mechanism"]) | set(
        table["Metadata_genes"]
    ) == {""}
    assert set(table["Metadata_treatment"].str.fullmatch(r"T\d{3}|")) == {True}
    joined = table.merge(platemap.table, on="Metadata_Well")
    treated = joined[joined["Metadata_control_type_y"] == ""]
    assert treated.groupby("Metadata_treatment_x")["Metadata_treatment_y"].nunique().eq(1).all()
    pd.testing.assert_series_equal(joined["Metadata_dose_x"], joined["Metadata_dose_y"], check_names=False)


def test_look_alikes_are_mutual_and_not_everything() -> None:
    alike = look_alikes()
    for key, others in alike.items():
        assert key not in others
        assert all(key in alike[other] for other in others)
    assert "plk_inhibitor" in alike["tubulin_destabiliser"]
    assert alike["rock_inhibitor"] == frozenset()


def test_arithmetic_of_questions() -> None:
    answers = pd.DataFrame(
        {
            "layout": [1] * 4 + [2] * 4,
            "asked": ["tubulin_destabiliser", "tubulin_destabiliser", "rock_inhibitor", "rock_inhibitor"] * 2,
            "truth": ["tubulin_destabiliser", "", "tubulin_destabiliser", ""] * 2,
            "dose": [3.0, 30.0] * 4,
            "q": [0.01, 0.02, 0.5, 0.5, 0.2, 0.9, 0.01, 0.9],
        }
    )
    questions = by_question(answers, 0.05).set_index(["layout", "asked"])
    assert questions.loc[(1, "tubulin_destabiliser"), "fdp"] == 0.5
    assert questions["present"].tolist() == [False, True, False, True]
    assert questions["match"].tolist() == [False, True, True, False]
    figures = figures_of(answers, draws=10)
    assert figures["false discoveries, mechanisms present, at 5 %"]["value"] == 0.25
    assert figures["match, absent mechanisms, at 5 %"]["value"] == 0.5
    assert figures["match, absent with a look-alike present, at 5 %"] is None
    assert figures["power at 3 µM, at 5 %"]["value"] == 0.5
    assert figures["power at the two highest doses, at 5 %"]["value"] == 0.5  # 3 µM is one of them
    assert figures["wrong of all called a match, at 5 %"] == {"value": 2 / 3, "n": 3}
    assert calibration_curve(answers)["nominal"].is_monotonic_increasing


@pytest.fixture(scope="module")
def made() -> tuple[Wells, Bank]:
    """One plate in a space where each mechanism has an axis, and a bank of mixtures."""
    rng = np.random.default_rng(0)
    dim = len(KEYS) + 6
    axes = unit_rows(np.eye(dim)[: len(KEYS)] + 0.15)
    design = query_design(FIRST_SEED)
    platemap = PlateMap({name: t.perturbation for name, t in design.wells.items()})
    labels = coded(platemap).table.assign(Metadata_Plate="P")
    truth = platemap.table.rename(columns=lambda name: name.removeprefix("Metadata_"))
    truth["effect"] = [t.effect for t in design.wells.values()]
    base = rng.normal(size=dim) * 0.5
    vectors = base + 0.12 * rng.normal(size=(96, dim))
    for row, treatment in enumerate(design.wells.values()):
        if treatment.mechanism:
            vectors[row] += 4 * treatment.effect * axes[KEYS.index(treatment.mechanism)]
    ids = pd.Index([f"P/{well}" for well in labels["Metadata_Well"]])
    wells = Wells(FIRST_SEED, unit_rows(vectors), labels.set_axis(ids), truth.set_axis(ids))
    return wells, Bank(axes, unit_rows(rng.normal(size=(150, dim)) + 0.3), np.ones(len(axes), bool))


def test_a_model_that_knows_is_right_and_one_that_does_not_stays_silent(made) -> None:
    wells, bank = made
    answers = ask_layout(wells, bank)
    figures = figures_of(answers, draws=10)
    assert figures["power at the two highest doses, at 5 %"]["value"] > 0.9
    assert figures["match, absent mechanisms, at 5 %"]["value"] == 0
    assert figures["false discoveries, all questions, at 5 %"]["value"] < 0.05
    rng = np.random.default_rng(1)
    lost = replace(bank, questions=unit_rows(rng.normal(size=bank.questions.shape) + 0.3))
    assert by_question(ask_layout(wells, lost), 0.05)["match"].mean() <= 0.06
    reference = measure_empirical_null(answers, "made")
    assert reference.pairs > 300
    assert reference.p_values(np.array([1.0]))[0] == 1


def test_screens_without_an_answer_have_none(made) -> None:
    wells, bank = made
    screens = list(control_screens([wells], 6))
    assert len({s.unit.tobytes() for s in screens}) == 6
    np.testing.assert_allclose(np.linalg.norm(screens[0].unit, axis=1), 1, rtol=1e-5)
    found = matches(iter(screens), bank, None, (0.05,))
    assert found["questions"].tolist() == [18] * 6
    assert found[0.05].sum() <= 5
    turned = next(turned_screens([wells], bank, 1))
    controls = (wells.labels["Metadata_control_type"] == "negcon").to_numpy()
    np.testing.assert_allclose(turned.unit[controls], wells.unit[controls], atol=1e-4)
    assert np.abs(turned.unit[~controls] - wells.unit[~controls]).max() > 0.1


def test_a_labelled_screen_is_judged_by_its_plate_map(made) -> None:
    wells, bank = made
    templates = PromptTemplates()
    known = {templates.for_mechanism(m.name): v for m, v in zip(MECHANISMS, bank.questions, strict=True)}
    rng = np.random.default_rng(0)

    class Knowing:
        card = memory_card("made", training={"vocabulary": {m.key: [m.name] for m in MECHANISMS}})

        def embed_texts(self, texts):
            return np.stack([known.get(t, rng.normal(size=bank.questions.shape[1]) + 0.3) for t in texts])

    labels = wells.labels.assign(Metadata_mechanism=wells.truth["mechanism"].fillna(""))
    labelled = Wells(0, wells.unit, labels, labels)
    summary, table, _ = labelled_screen(labelled, Knowing(), draws=20)
    assert len(table) == 12
    assert table["recall"].mean() > 0.6
    assert summary["figures"]["false discoveries at 5 %"]["value"] < 0.1
    with pytest.raises(CellClipError, match="nothing can be asked"):
        labelled_screen(labelled, Knowing(), least=1000)


def test_words_outside_the_vocabulary_match_nothing(made) -> None:
    wells, bank = made
    known = ask_layout(wells, bank)
    assert (known["q"] <= 0.05).any()
    unknown = ask_layout(wells, replace(bank, in_vocabulary=np.zeros_like(bank.in_vocabulary)))
    assert (unknown["q"] == 1.0).all()
    np.testing.assert_array_equal(known["p"], unknown["p"])


def test_the_bundled_card_lists_its_vocabulary() -> None:
    model = load_model("demo")
    assert model.card.vocabulary == caption_vocabulary(known_mechanisms(), INERT_COMPOUNDS)


def test_the_documentation_quotes_the_figures_that_were_measured() -> None:
    figures = json.loads((DOCS / "calibration.json").read_text(encoding="utf-8"))["figures"]
    text = (DOCS / "calibration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \| (\d+) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for name, value, low, high, n in rows:
        found = figures[name.strip("`")]
        assert [f"{100 * found[k]:.1f}" for k in ("value", "low", "high")] == [value, low, high], name
        assert found["n"] == int(n)


def test_figures_with_a_reference_and_of_other_permutations_are_those_measured() -> None:
    text = (DOCS / "calibration.md").read_text(encoding="utf-8")
    figures = json.loads((DOCS / "calibration_reference.json").read_text(encoding="utf-8"))["figures"]
    rows = re.findall(r"^\| ([^|`]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|$", text, re.MULTILINE)
    assert len(rows) == 10
    for name, *called in rows:
        assert [f"{100 * figures[name][k]:.1f}" for k in ("value", "low", "high")] == called, name
    others = json.loads((DOCS / "calibration_permuted.json").read_text(encoding="utf-8"))["figures"]
    for rate, among in (("at 5 %", "3.3 and 3.3 %"), ("at 10 %", "6.7 and 6.1 %")):
        assert " and ".join(f"{100 * others[f'shuffle seed {n}'][rate]:.1f}" for n in (2, 3)) + " %" == among
        assert among in " ".join(text.split())
        assert f"{100 * np.mean([one[rate] for one in others.values()]):.1f}" in text


def test_the_verb_explains_itself() -> None:
    told = CliRunner().invoke(app, ["evaluate", "query", "--help"])
    assert told.exit_code == 0
    assert "--random-weights" in told.output
