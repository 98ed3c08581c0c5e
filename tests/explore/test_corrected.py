"""Questions to embeddings that are corrected for batch effects."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.explore import ask, like, pca_map
from napari_cellclip.explore.corrected_texts import texts_beside
from napari_cellclip.explore.explanation.stain_contributions import stain_contributions
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.screen.correct import correct
from napari_cellclip.screen.plate_mixing import plate_mixing
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import tiny_model, write_tiny_plate


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def screen(model, tmp_path_factory) -> Screen:
    """Two plates of 24 wells; the tiny model has eight dimensions."""
    out = tmp_path_factory.mktemp("corrected")
    for seed in (5, 6):
        folder = write_tiny_plate(out / f"P{seed}", wells=24, sites=1, seed=seed)
        encode(open_plate(folder), PlateMap.read(folder / "platemap.csv"), model, out / "s", workers=0)
    opened = Screen.open(out / "s")
    controls = np.zeros(48, bool)
    controls[::2] = True  # more than the plate map has, so that eight dimensions can be sphered
    opened._labels = opened._labels.assign(Metadata_control_type=["negcon" if c else "" for c in controls])
    opened._model._model = model
    return opened


def test_embeddings_are_those_of_the_correction_on_the_unit_sphere(screen):
    corrected = screen.correct("sphering")
    unit = screen.embeddings / np.linalg.norm(screen.embeddings, axis=1, keepdims=True)
    expected = correct(unit.astype(float), screen.wells, "sphering").vectors
    np.testing.assert_allclose(corrected.embeddings, expected, rtol=2e-3, atol=2e-3)
    assert corrected.correction is not None
    assert screen.correction is None, "the screen itself stays as it is"
    np.testing.assert_array_equal(corrected.correct("none").embeddings, screen.embeddings)
    assert Screen.open(screen.path).correction is None, "nothing is written"


def test_maps_and_examples_rest_on_corrected_embeddings_and_say_so(screen):
    corrected = screen.correct("center")
    assert not np.allclose(pca_map(corrected).xy, pca_map(screen).xy)
    answer = like(corrected, [screen.well_ids[1]])
    assert any(
        "corrected for batch effects: center, fitted on 24 negative controls" in n for n in answer.notes
    )
    assert answer.null["correction"] == "center"
    plain = like(screen, [screen.well_ids[1]])
    assert "correction" not in plain.null
    assert not np.allclose(answer.scores["cosine"], plain.scores["cosine"].reindex(answer.scores.index))


def test_words_go_through_the_same_transform(screen, model):
    corrected = screen.correct("sphering")
    answer = ask(corrected, "tubulin inhibitor", evidence="words", model=model)
    assert any("texts went through the same transform" in note for note in answer.notes)
    vectors = texts_beside(corrected, model).embed_texts(list(answer.prompts))
    raw = model.embed_texts(list(answer.prompts))
    by_hand = corrected.correction.transform(raw / np.linalg.norm(raw, axis=1, keepdims=True))
    np.testing.assert_allclose(vectors, by_hand, rtol=1e-4, atol=1e-5)
    mean = (by_hand / np.linalg.norm(by_hand, axis=1, keepdims=True)).mean(0)
    well = corrected.embeddings[screen.well_ids.index(answer.scores.index[0])]
    cosine = well @ mean / np.linalg.norm(well) / np.linalg.norm(mean)
    assert answer.scores["cosine"].iloc[0] == pytest.approx(cosine, abs=1e-4)


@pytest.mark.parametrize("method", ["center", "tvn", "harmony"])
def test_words_meet_no_other_corrected_embeddings(screen, model, method):
    with pytest.raises(ScreenError, match=r"a text cannot be compared|differs between plates"):
        ask(screen.correct(method), "tubulin inhibitor", evidence="words", model=model)


def test_explanations_are_of_uncorrected_embeddings(screen, model):
    with pytest.raises(ScreenError, match=r"take the correction off \(screen.correct\('none'\)\)"):
        stain_contributions(
            screen.correct("center"), ["tubulin inhibitor"], [screen.well_ids[0]], model=model
        )


def test_a_correction_is_fitted_anew_on_other_labels(screen):
    """The controls of another plate map are what it is fitted on."""
    corrected = screen.correct("center")
    platemap = PlateMap.read(screen.path.parent / "P5" / "platemap.csv")
    with pytest.raises(ScreenError, match="too few"):
        corrected.with_platemap(platemap, plate="P5")


def test_mixing_tells_plates_apart():
    rng = np.random.default_rng(0)
    plates = ["a"] * 60 + ["b"] * 60
    mixed = rng.normal(size=(120, 6))
    apart = mixed + np.where(np.array(plates) == "a", 30, -30)[:, None]
    assert plate_mixing(mixed, plates) == pytest.approx(1, abs=0.05)
    assert plate_mixing(apart, plates) < 0.01
    assert plate_mixing(np.r_[mixed, np.full((1, 6), np.nan)], [*plates, "a"]) == plate_mixing(mixed, plates)
    with pytest.raises(ScreenError, match="this screen has one"):
        plate_mixing(mixed, ["a"] * 120)


def test_mixing_is_by_direction_and_by_a_third_of_few_wells():
    rng = np.random.default_rng(1)
    vectors, plates = rng.normal(size=(30, 4)), ["a", "b", "c"] * 10
    longer = vectors * rng.uniform(1, 50, size=(30, 1))
    assert plate_mixing(longer, plates) == pytest.approx(plate_mixing(vectors, plates))
    assert plate_mixing(vectors, plates) == plate_mixing(vectors, plates, neighbours=10)
    assert plate_mixing(vectors, plates) != plate_mixing(vectors, plates, neighbours=9)


@pytest.mark.parametrize("wells", [2, 3, 4])
def test_mixing_of_a_handful_of_wells(wells):
    assert np.isfinite(plate_mixing(np.eye(4)[:wells], ["a", "b", "a", "b"][:wells]))
