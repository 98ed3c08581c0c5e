"""Explanations against simulated truth, small: the bundled model passes, random weights fail."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import explanation as study
from benchmarks.accuracy.explanation import (
    ONE_STAIN,
    area,
    heat_at_pixels,
    heat_of_responding,
    leading_stains,
    picture,
    responding,
)
from benchmarks.accuracy.explanation_table import as_table
from benchmarks.accuracy.partial_fields import NO_CELL, OTHER, RESPONDING, partial_plate
from napari_cellclip.evaluation.protocols.report import write_report
from napari_cellclip.evaluation.protocols.simulated.blind_plates import encode_blind
from napari_cellclip.evaluation.protocols.simulated.random_weights import random_weights
from napari_cellclip.explore.explanation.match_heat_map import MatchHeatMap
from napari_cellclip.model import load_model
from napari_cellclip.simulation import Design, compound_treatment, dmso, simulate_plate, stains_changed
from napari_cellclip.vocabulary import STAINS
from napari_cellclip.vocabulary.mechanisms import MECHANISMS, mechanism

KEYS = {"er_stress", "mito_uncoupler", "pol1_inhibitor", "golgi_disruptor", "rock_inhibitor"}


@pytest.fixture(scope="module")
def model():
    return load_model("demo", device="cpu")


@pytest.fixture(scope="module")
def random(model):
    return random_weights(model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explanation")


@pytest.fixture(scope="module")
def one_stain_plate(folder):
    """Five mechanisms that change one stain each, at the top dose, and five vehicle wells."""
    wells = {f"A{i + 1:02d}": compound_treatment(m.compounds[0], m, 30.0) for i, m in enumerate(ONE_STAIN)}
    wells |= {f"B{i + 1:02d}": dmso() for i in range(5)}
    return simulate_plate(
        folder / "plate", design=Design(wells, (8, 12)), sites=1, size=(256, 256), seed=3, workers=1
    )


def test_one_stain_mechanisms_are_those_the_simulator_changes_in_one_stain() -> None:
    assert {m.key for m in ONE_STAIN} == KEYS
    assert all(stains_changed(m.key) == m.stains for m in ONE_STAIN)


def test_the_changed_stain_leads_and_random_weights_fail(one_stain_plate, model, random, folder) -> None:
    found = {}
    for judged in (model, random):
        plate = encode_blind(one_stain_plate, judged, folder / judged.card.name)
        found[judged] = leading_stains(plate, judged)
        assert set(found[judged]["mechanism"]) == KEYS
        assert not set(plate.screen.wells["Metadata_mechanism"]) - {""}
    assert found[model]["right"].mean() >= 0.8
    assert found[random]["right"].mean() < 0.6
    names = [str(stain) for stain in STAINS]
    leading = found[model][names].to_numpy().argmax(axis=1)
    assert [names[i] for i in leading] == found[model]["leading"].tolist()


def test_heat_maps_find_responding_places_and_random_weights_fail(model, random, folder) -> None:
    chosen = [mechanism("golgi_disruptor")]
    options = {"mechanisms": chosen, "arrangements": ("side",), "controls": 2, "size": 320}
    plate = partial_plate(folder, model, 94_001, **options)
    table = heat_of_responding(plate, model)
    assert table["mechanism"].tolist() == [m.key for m in chosen]
    assert (table["responding"] > 3).all()
    assert table["auc"].mean() >= 0.85
    same = heat_of_responding(partial_plate(folder, random, 94_001, **options), random)
    assert same["responding"].tolist() == table["responding"].tolist()
    assert same["auc"].mean() < 0.75
    truth = plate.truth(str(table.index[0]))
    assert set(np.unique(truth)) == {NO_CELL, OTHER, RESPONDING}
    assert truth.shape == (320, 320)


@pytest.mark.slow
def test_heat_maps_find_responding_places_of_many_mechanisms(model, random, folder) -> None:
    options = {"mechanisms": MECHANISMS[::3], "arrangements": ("side",), "controls": 4}
    areas = {
        judged: heat_of_responding(partial_plate(folder, judged, 94_002, **options), judged)["auc"]
        for judged in (model, random)
    }
    assert areas[model].mean() >= 0.85
    assert areas[random].mean() < 0.7


def test_random_weights_are_another_model_of_the_same_sizes(model, random) -> None:
    assert random.card.card_hash != model.card.card_hash
    assert random.card.encoder_hash != model.card.encoder_hash
    shapes = [{k: v.shape for k, v in m.cellclip.state_dict().items()} for m in (model, random)]
    assert shapes[0] == shapes[1]
    texts = ["U2OS cells treated with compound: nocodazole"]
    assert not np.allclose(model.embed_texts(texts), random.embed_texts(texts))
    np.testing.assert_array_equal(random.embed_texts(texts), random_weights(model).embed_texts(texts))
    assert not np.allclose(random.embed_texts(texts), random_weights(model, 1).embed_texts(texts))
    crops = np.random.default_rng(0).random((2, 5, 64, 64), np.float32)
    assert not np.allclose(model.encode_crops(crops), random.encode_crops(crops))


def test_blocks_respond_by_the_majority_of_their_cells_pixels() -> None:
    block = np.zeros((10, 10), np.uint8)
    assert responding(block) is None
    block[0, :5] = RESPONDING
    assert responding(block) is True
    block[1, :5] = OTHER
    assert responding(block) is False
    block[2, 0] = RESPONDING
    assert responding(block) is True


def test_areas_leave_out_what_is_neither() -> None:
    values = np.array([0.9, 0.1, 0.8, 0.3, 0.5])
    assert area(values, [True, False, True, None, False]) == 1
    assert area(values, [True, False, False, None, True]) == 0.75
    assert np.isnan(area(values, [True, True, None, None, True]))


def test_heat_is_read_at_every_pixel() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = SimpleNamespace(heat_map=MatchHeatMap(values, (4, 9)))
    np.testing.assert_array_equal(heat_at_pixels(found), values.repeat(2, 0).repeat(3, 1))


def test_the_whole_protocol_is_reported(monkeypatch, tmp_path, model, random) -> None:
    """Summary, table and picture of made-up wells and fields, through the writer of all protocols."""
    names = [str(stain) for stain in STAINS]

    def wells(plate, judged):
        good = judged is model
        rows = {
            f"{plate}/A{i:02d}": {
                "plate": plate, "mechanism": m.key, "treatment": m.compounds[0].name, "dose": dose,
                "effect": 0.9, "stain": str(m.stains[0]), "leading": str(m.stains[0]) if good else "DNA",
                "right": good, **{name: float(name == str(m.stains[0])) for name in names},
            }
            for i, (m, dose) in enumerate([(m, d) for m in ONE_STAIN for d in (3.0, 30.0)])
        }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")

    def heats(plate, judged):
        value = 0.95 if judged is model else 0.5
        rows = {
            f"{plate}/B{i:02d}/1": {
                "plate": plate, "mechanism": m.key, "treatment": m.compounds[0].name, "arrangement": how,
                "auc": value, "auc_tiles": value, "blocks": 64, "responding": 30,
            }
            for i, (m, how) in enumerate([(m, how) for m in MECHANISMS for how in ("side", "mixed")])
        }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")

    monkeypatch.setattr(study, "blind_plates", lambda folder, judged, seeds, **_: [f"blind-{seeds[0]}"])
    monkeypatch.setattr(study, "partial_plate", lambda folder, judged, seed, **_: f"partial-{seed}")
    monkeypatch.setattr(study, "leading_stains", wells)
    monkeypatch.setattr(study, "heat_of_responding", heats)
    told: list[str] = []
    result = study.explanation(tmp_path, model, random, plates=2, seed=7, report=told.append)
    assert len(told) == 2 * 2 + 2 + 1
    report = write_report(tmp_path / "out", "explanation", *result)
    summary = json.loads(report.figures.read_text())
    figures = summary["figures"]
    assert figures["changed stain leads, top dose"]["value"] == 1
    assert figures["changed stain leads, top dose"]["n"] == 10
    assert figures["changed stain leads, top dose, random weights"]["value"] == 0
    assert figures["AUC of responding places, side, heat map"]["value"] == pytest.approx(0.95)
    assert figures["AUC of responding places, mixed, tiles alone, random weights"]["value"] == pytest.approx(
        0.5
    )
    assert summary["mechanisms"]["model"]["changed stain leads"]["er_stress"] == [2, 2]
    assert summary["data"]["seeds"] == [7, 8]
    table = pd.read_csv(report.table)
    assert len(table) == 2 * 2 * 10 + (2 + 1) * 36
    assert report.picture.stat().st_size > 10_000
    assert len(picture(result[1]).axes) == 2


def test_documented_figures_are_those_of_the_file(repository) -> None:
    """The tables of docs/explain.md are made of docs/explain.json, measured on the bundled model."""
    summary = json.loads((repository / "docs" / "explain.json").read_text(encoding="utf-8"))
    page = (repository / "docs" / "explain.md").read_text(encoding="utf-8")
    assert as_table(summary) in page
    assert summary["model"]["card"] == load_model("demo", device="cpu").card.card_hash
    assert summary["data"]["plates"] >= 5
    figures = summary["figures"]
    assert figures["changed stain leads, top dose"]["value"] >= 0.9
    assert figures["changed stain leads, top dose, random weights"]["value"] < 0.6
    assert figures["AUC of responding places, side, heat map"]["value"] >= 0.85
    assert figures["AUC of responding places, side, heat map, random weights"]["value"] < 0.75
