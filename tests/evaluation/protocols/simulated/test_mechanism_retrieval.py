"""The retrieval protocol: who counts, what may not matter, and the bundled model on a small plate."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.evaluation.protocols.simulated.blind_plates import (
    BlindPlate,
    blind_plates,
    encode_blind,
    mean_intensities,
)
from napari_cellclip.evaluation.protocols.simulated.mechanism_retrieval import (
    as_table,
    intensity_scores,
    text_scores,
)
from napari_cellclip.evaluation.protocols.simulated.relevance import (
    mean_precision,
    per_mechanism,
    precision_of,
    relevance_of,
    shuffled_captions,
)
from napari_cellclip.explore import ask
from napari_cellclip.model import Model, load_model
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import encode
from napari_cellclip.simulation import simulate_plate
from napari_cellclip.training.demo.held_out import HELD_OUT
from napari_cellclip.training.demo.mean_intensity import IntensityReadout, relative_means
from napari_cellclip.vocabulary.mechanisms import MECHANISMS
from tests.tiny import tiny_model

NAMES = {found.key: found.name for found in MECHANISMS}


def truth_table() -> pd.DataFrame:
    rows = {
        "p/A01": ("nocodazole", "tubulin polymerisation inhibitor", 0.9),
        "p/A02": ("vinblastine", "tubulin polymerisation inhibitor", 0.8),
        "p/A03": ("nocodazole", "tubulin polymerisation inhibitor", 0.2),
        "p/A04": ("paclitaxel", "microtubule stabiliser", 0.9),
        "p/A05": ("DMSO", "", 0.0),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["treatment", "mechanism", "effect"])


def test_weak_wells_of_the_mechanism_are_left_out() -> None:
    relevance = relevance_of(truth_table(), "tubulin polymerisation inhibitor")
    assert list(relevance.relevant[relevance.relevant].index) == ["p/A01", "p/A02"]
    assert list(relevance.left_out[relevance.left_out].index) == ["p/A03"]


def test_half_of_the_full_effect_is_enough() -> None:
    truth = truth_table()
    truth.loc[["p/A01", "p/A02"], "effect"] = [0.49, 0.5]
    relevance = relevance_of(truth, "tubulin polymerisation inhibitor")
    assert list(relevance.relevant[relevance.relevant].index) == ["p/A02"]
    assert list(relevance.left_out[relevance.left_out].index) == ["p/A01", "p/A03"]


def test_for_held_out_compounds_the_known_ones_are_left_out() -> None:
    relevance = relevance_of(
        truth_table(), "tubulin polymerisation inhibitor", HELD_OUT["tubulin_destabiliser"]
    )
    assert list(relevance.relevant[relevance.relevant].index) == ["p/A02"]
    assert set(relevance.left_out[relevance.left_out].index) == {"p/A01", "p/A03"}


def test_a_left_out_well_cannot_help_or_hurt() -> None:
    relevance = relevance_of(truth_table(), "tubulin polymerisation inhibitor")
    scores = pd.Series({"p/A03": 99.0, "p/A01": 3.0, "p/A04": 2.0, "p/A02": 1.0, "p/A05": 0.0})
    assert precision_of(scores, relevance) == pytest.approx((1 + 2 / 3) / 2)
    scores["p/A03"] = -99.0
    assert precision_of(scores, relevance) == pytest.approx((1 + 2 / 3) / 2)


def test_plates_are_ranked_one_by_one_or_together() -> None:
    one = truth_table()
    two = one.rename(index=lambda well: well.replace("p/", "q/"))
    truth = pd.concat([one, two])
    scores = pd.DataFrame(0.0, index=truth.index, columns=list(NAMES))
    # Right order on each plate, but every score of the second plate lies above all of the first.
    scores["tubulin_stabiliser"] = [
        float(well.endswith("A04")) + 10 * well.startswith("q") for well in truth.index
    ]
    apart, together = (per_mechanism(scores, truth, pooled=pooled) for pooled in (False, True))
    assert apart.loc["tubulin_stabiliser", "ap"] == 1.0
    assert together.loc["tubulin_stabiliser", "ap"] == pytest.approx((1 + 2 / 6) / 2)
    assert apart.loc["tubulin_stabiliser", "wells"] == together.loc["tubulin_stabiliser", "wells"] == 2
    assert np.isnan(apart.loc["rock_inhibitor", "ap"])


def test_exchanged_queries_never_answer_themselves() -> None:
    scores = pd.DataFrame(np.eye(len(MECHANISMS)), columns=[found.key for found in MECHANISMS])
    shifts = shuffled_captions(scores)
    assert len(shifts) == len(MECHANISMS) - 1
    for shifted in shifts:
        assert not (shifted.to_numpy() * np.eye(len(MECHANISMS))).any()
    assert np.allclose(sum(s.to_numpy() for s in shifts), 1 - np.eye(len(MECHANISMS)))


def test_the_intensity_read_out_learns_a_linear_rule(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    means = rng.normal(0, 0.1, (300, 5))
    means[np.arange(300), labels] += 1.0
    readout = IntensityReadout.fit(means, [f"m{i}" for i in labels], np.ones(300))
    scores = readout.scores(means)
    best = np.argmax([scores[f"m{i}"] for i in range(3)], axis=0)
    assert (best == labels).mean() > 0.98
    assert np.allclose(np.exp(list(scores.values())).sum(0), 1.0)
    readout.save(tmp_path / "r.json", model="x")
    again = IntensityReadout.load(tmp_path / "r.json").scores(means)
    np.testing.assert_allclose(again["m1"], scores["m1"], atol=1e-3)


def test_relative_means_lose_the_gain_of_the_plate() -> None:
    means = pd.DataFrame(np.random.default_rng(1).uniform(1, 2, (6, 5)))
    negative = [True, True, False, False, False, True]
    gain = np.array([0.5, 2.0, 1.0, 3.0, 10.0])
    np.testing.assert_allclose(relative_means(means * gain, negative), relative_means(means, negative))


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("demo", device="cpu")


@pytest.fixture(scope="module")
def plate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plates") / "small"
    return simulate_plate(folder, wells=48, sites=1, seed=424_242, size=(256, 256), name="small", workers=1)


@pytest.fixture(scope="module")
def blind(plate_folder: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> BlindPlate:
    return encode_blind(plate_folder, model, tmp_path_factory.mktemp("screens") / "blind")


@pytest.fixture(scope="module")
def exchanged(plate_folder: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> BlindPlate:
    """The same plate with the images of its wells exchanged on disk."""
    folder = tmp_path_factory.mktemp("plates") / "exchanged"
    shutil.copytree(plate_folder, folder)
    by_well: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("r??c??f*.tiff")):
        by_well.setdefault(path.name[:6], []).append(path)
    assert len(by_well) == 48
    names = sorted(by_well)
    order = np.random.default_rng(7).permutation(len(names))
    content = {name: [path.read_bytes() for path in by_well[name]] for name in names}
    for name, other in zip(names, order, strict=True):
        for path, pixels in zip(by_well[name], content[names[other]], strict=True):
            path.write_bytes(pixels)
    return encode_blind(folder, model, tmp_path_factory.mktemp("screens") / "exchanged")


def test_plates_and_screens_of_an_evaluation_are_kept_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = partial(simulate_plate, workers=1)  # no processes for six wells
    monkeypatch.setattr("napari_cellclip.evaluation.protocols.simulated.blind_plates.simulate_plate", alone)
    model, format_ = tiny_model(), {"wells": 6, "sites": 1, "size": (64, 64)}
    found = list(blind_plates(tmp_path, model, (90_011, 90_012), **format_))
    assert [plate.plate.name for plate in found] == ["blind-90011", "blind-90012"]
    assert not np.allclose(found[0].screen.embeddings, found[1].screen.embeddings)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tiff")}
    assert len(kept) == 2 * 6 * 5
    (again,) = blind_plates(tmp_path, model, [90_012], **format_)
    assert again.screen.path == found[1].screen.path
    np.testing.assert_array_equal(again.screen.embeddings, found[1].screen.embeddings)
    assert kept == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tiff")}


def test_the_screen_of_the_evaluation_knows_no_treatment(blind: BlindPlate) -> None:
    wells = blind.screen.wells
    assert set(wells["Metadata_control_type"]) <= {"negcon", ""}
    assert (wells["Metadata_control_type"] == "negcon").sum() == blind.negative.sum() > 0
    for column in ("Metadata_smiles", "Metadata_genes", "Metadata_mechanism"):
        assert set(wells[column]) == {""}
    treated = {name for name in blind.truth["treatment"] if name != "DMSO"}
    assert not treated & set(wells["Metadata_treatment"])
    assert wells["Metadata_dose"].isna().all()


def test_the_bundled_model_finds_mechanisms_by_their_words(blind: BlindPlate, model: Model) -> None:
    table = per_mechanism(text_scores([blind], model, NAMES), blind.truth)
    assert table["ap"].mean() >= 0.8
    assert table["ap"].mean() > 4 * table["chance"].mean()


def test_permuted_treatment_labels_leave_every_score_unchanged(
    blind: BlindPlate, plate_folder: Path, model: Model, tmp_path: Path
) -> None:
    labels = PlateMap.read(plate_folder / "platemap.csv")
    treated = [well for well, p in labels.wells.items() if not p.is_negative_control]
    order = np.random.default_rng(3).permutation(treated)
    moved = dict(labels.wells) | {a: labels.wells[b] for a, b in zip(treated, order, strict=True)}
    assert any(moved[well] != labels.wells[well] for well in treated)
    screen = encode(open_plate(plate_folder), PlateMap.from_perturbations(moved), model, tmp_path / "moved")
    assert set(screen.wells["Metadata_mechanism"]) >= set(NAMES.values())
    for text in (*NAMES.values(), "nocodazole", "TUBB knockout"):
        # Labels say which wells are replicates, and so enter q; they may word a question, unless that is off.
        one, two = (
            ask(s, text, evidence="words", model=model, use_platemap=False).scores.drop(columns="q")
            for s in (blind.screen, screen)
        )
        pd.testing.assert_frame_equal(one, two.loc[one.index])


def test_exchanged_pixels_drop_the_precision_to_chance(
    blind: BlindPlate, exchanged: BlindPlate, model: Model
) -> None:
    right, _ = mean_precision(text_scores([blind], model, NAMES), blind.truth)
    table = per_mechanism(text_scores([exchanged], model, NAMES), exchanged.truth)
    chance = table["chance"].mean()
    # Standard error of the mean over the mechanisms: what random orders would vary by.
    spread = table["ap"].std() / np.sqrt(len(table))
    assert abs(table["ap"].mean() - chance) < 3 * spread + 0.02
    assert table["ap"].mean() < right / 2


def test_mean_intensities_tell_less_than_the_model(blind: BlindPlate, model: Model) -> None:
    means = mean_intensities(blind.plate)
    assert means.shape == (48, 5)
    assert set(means.index) == set(blind.truth.index)
    baseline, _ = mean_precision(intensity_scores([blind], IntensityReadout.load()), blind.truth)
    right, _ = mean_precision(text_scores([blind], model, NAMES), blind.truth)
    assert baseline < right / 2


def test_the_published_figures_are_those_of_the_bundled_weights(model: Model) -> None:
    figures = json.loads((Path(__file__).parents[4] / "docs" / "demo_model.json").read_text(encoding="utf-8"))
    assert figures["model"]["card"] == model.card.card_hash
    assert figures["map"] >= 0.8
    assert figures["comparisons"]["five mean intensities, linear read-out"]["map"] < figures["map"] / 2


def test_the_table_names_every_mechanism() -> None:
    row = dict.fromkeys(
        ("wells", "ap", "held_out_wells", "ap_held_out", "ap_phrases", "ap_mean_intensity", "chance"), 0.5
    )
    result = {
        "model": {"name": "demo"},
        "map": 0.9,
        "map_held_out": 0.8,
        "map_phrases": 0.85,
        "all plates together, by score": {"map": 0.7, "map_held_out": 0.6},
        "all plates together, by cosine": {"map": 0.75, "map_held_out": 0.65},
        "mechanisms": {found.key: row | {"name": found.name} for found in MECHANISMS},
        "comparisons": {"random order": {"map": 0.05}},
    }
    text = as_table(result)
    assert all(found.name in text for found in MECHANISMS)
    assert "| random order | 0.05 |  |" in text
