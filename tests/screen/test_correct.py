"""Batch correction against formulas, against golden numbers, and where it must refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.screen.correct import METHODS, MIN_CONTROLS, correct
from napari_cellclip.vocabulary import ScreenError

PLATES, CONTROLS, TREATED, WIDTH = 3, 12, 9, 5


@pytest.fixture
def wells() -> pd.DataFrame:
    plate = np.repeat([f"P{i}" for i in range(PLATES)], CONTROLS + TREATED)
    control = np.tile(["negcon"] * CONTROLS + [""] * TREATED, PLATES)
    return pd.DataFrame({"Metadata_Plate": plate, "Metadata_control_type": control})


@pytest.fixture
def vectors(wells: pd.DataFrame) -> np.ndarray:
    """Plates differ by a shift and a gain, dimensions are correlated."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(len(wells), WIDTH)) @ rng.normal(size=(WIDTH, WIDTH))
    plate = wells["Metadata_Plate"].str[1:].astype(int).to_numpy()
    return mixed * (1 + plate[:, None]) + 5 * plate[:, None]


def negative(wells: pd.DataFrame) -> np.ndarray:
    return (wells["Metadata_control_type"] == "negcon").to_numpy()


def standardised(x: np.ndarray, on: np.ndarray) -> np.ndarray:
    return (x - x[on].mean(0)) / x[on].std(0)


def principal(x: np.ndarray, on: np.ndarray) -> np.ndarray:
    middle = x[on].mean(0)
    return (x - middle) @ np.linalg.svd(x[on] - middle, full_matrices=False)[2].T


def by_plate(x: np.ndarray, wells: pd.DataFrame) -> np.ndarray:
    out = np.empty_like(x)
    for plate in set(wells["Metadata_Plate"]):
        here = (wells["Metadata_Plate"] == plate).to_numpy()
        out[here] = standardised(x, here & negative(wells))[here]
    return out


def gram(x: np.ndarray) -> np.ndarray:
    """Inner products: the sign of a principal component is nobody's business."""
    return x @ x.T


def test_none_changes_nothing(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    corrected = correct(vectors, wells)
    np.testing.assert_array_equal(corrected.vectors, vectors)
    np.testing.assert_array_equal(corrected.transform(vectors[:2]), vectors[:2])


def test_center_is_a_z_score_against_the_controls_of_the_plate(
    vectors: np.ndarray, wells: pd.DataFrame
) -> None:
    np.testing.assert_allclose(correct(vectors, wells, "center").vectors, by_plate(vectors, wells))


def test_sphering_makes_controls_uncorrelated_and_keeps_directions(
    vectors: np.ndarray, wells: pd.DataFrame
) -> None:
    corrected = correct(vectors, wells, "sphering")
    on = negative(wells)
    np.testing.assert_allclose(np.cov(corrected.vectors[on], rowvar=False), np.eye(WIDTH), atol=1e-4)
    # ZCA is the symmetric whitening: cov^(-1/2).
    values, axes = np.linalg.eigh(np.cov(vectors[on], rowvar=False))
    expected = (vectors - vectors[on].mean(0)) @ (axes / np.sqrt(values)) @ axes.T
    np.testing.assert_allclose(corrected.vectors, expected, atol=1e-4)


def test_sphering_of_very_many_controls_is_fitted_on_some_of_every_plate(
    vectors: np.ndarray, wells: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = np.flatnonzero(negative(wells))
    some = np.isin(np.arange(len(wells)), on[np.linspace(0, len(on) - 1, 12).astype(int)])
    assert wells["Metadata_Plate"][some].nunique() == PLATES
    expected = correct(vectors, wells, "sphering", controls=some)
    monkeypatch.setattr(sys.modules[correct.__module__], "MOST_CONTROLS", 12)
    found = correct(vectors, wells, "sphering")
    assert found.settings == expected.settings
    np.testing.assert_allclose(found.vectors, expected.vectors)


def test_tvn_by_its_definition(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    on = negative(wells)
    expected = standardised(principal(standardised(vectors, on), on), on)
    for plate in set(wells["Metadata_Plate"]):
        here = (wells["Metadata_Plate"] == plate).to_numpy()
        values, axes = np.linalg.eigh(np.cov(expected[here & on], rowvar=False) + 0.5 * np.eye(WIDTH))
        expected[here] = expected[here] @ axes @ np.diag(values**-0.5) @ axes.T
    np.testing.assert_allclose(gram(correct(vectors, wells, "tvn").vectors), gram(expected), atol=1e-9)


def test_pca_is_turned_then_centred_on_each_plate(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    expected = by_plate(principal(vectors, negative(wells)), wells)
    np.testing.assert_allclose(gram(correct(vectors, wells, "pca").vectors), gram(expected), atol=1e-8)


def test_a_linear_kernel_is_pca(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    kernel = correct(vectors, wells, "kernel_pca", kernel="linear", components=WIDTH)
    np.testing.assert_allclose(gram(kernel.vectors), gram(correct(vectors, wells, "pca").vectors), atol=1e-8)


@pytest.mark.parametrize("method", ["center", "sphering", "tvn", "pca", "kernel_pca"])
def test_a_vector_goes_through_the_transform_of_the_wells(
    method: str, vectors: np.ndarray, wells: pd.DataFrame
) -> None:
    corrected = correct(vectors, wells, method, kernel="linear", components=4)
    for row in (0, 25, 60):
        plate = wells["Metadata_Plate"].iloc[row] if corrected.by_plate else None
        np.testing.assert_allclose(
            corrected.transform(vectors[row], plate)[0], corrected.vectors[row], atol=1e-9
        )


def test_a_text_may_not_meet_wells_corrected_otherwise(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    with pytest.raises(ScreenError, match="not linear"):
        correct(vectors, wells, "kernel_pca", components=4).transform(vectors[:1], "P0")
    with pytest.raises(ScreenError, match="differs between plates: say which"):
        correct(vectors, wells, "tvn").transform(vectors[:1])
    with pytest.raises(ScreenError, match="P0, P1, P2"):
        correct(vectors, wells, "center").transform(vectors[:1], "P9")


def test_wells_without_an_embedding_stay_without(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    holes = vectors.copy()
    holes[[0, 3, 15]] = np.nan
    for method in METHODS[1:]:
        got = correct(holes, wells, method, components=4).vectors
        assert np.isnan(got[[0, 3, 15]]).all()
        assert np.isfinite(np.delete(got, [0, 3, 15], axis=0)).all()
    without = np.delete(np.arange(len(wells)), [0, 3, 15])
    np.testing.assert_allclose(
        correct(holes, wells, "tvn").vectors[without],
        correct(vectors[without], wells.iloc[without], "tvn").vectors,
    )


def test_fewer_controls_than_dimensions_do_not_blow_up(wells: pd.DataFrame) -> None:
    wide = np.random.default_rng(1).normal(size=(len(wells), 100))
    for method in ("tvn", "pca", "sphering"):
        corrected = correct(wide, wells, method)
        assert np.abs(corrected.vectors).max() < 1e3
    assert correct(wide, wells, "tvn").vectors.shape[1] == PLATES * CONTROLS - 1


def test_the_scaler_on_all_wells_is_another_correction(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    got = correct(vectors, wells, "kernel_pca", components=3, scaler="all wells").vectors
    for plate in set(wells["Metadata_Plate"]):
        here = got[(wells["Metadata_Plate"] == plate).to_numpy()]
        np.testing.assert_allclose(here.mean(0), 0, atol=1e-9)
        np.testing.assert_allclose(here.std(0), 1)


def test_too_few_controls_are_refused(vectors: np.ndarray, wells: pd.DataFrame) -> None:
    last = (wells["Metadata_Plate"] == "P2").to_numpy() & negative(wells)
    few = wells.assign(Metadata_control_type=np.where(last, "", wells["Metadata_control_type"]))
    with pytest.raises(ScreenError, match="plate P2 has 0 negative controls"):
        correct(vectors, few, "center")
    correct(vectors, few, "sphering")  # one transform for all plates
    none = wells.assign(Metadata_control_type="")
    with pytest.raises(ScreenError, match=f"0 negative controls .* at least {MIN_CONTROLS}"):
        correct(vectors, none, "sphering")
    assert correct(vectors, none, "center", controls=negative(wells)).settings["controls"] == 36


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"method": "magic"}, "there is no correction 'magic'"),
        ({"drop": "Metadata_Plate"}, {"method": "center"}, "no column 'Metadata_Plate'"),
        ({"drop": "Metadata_control_type"}, {"method": "center"}, "which of them are controls"),
        ({"rows": 5}, {"method": "center"}, "do not fit 5 wells"),
        ({}, {"method": "center", "controls": [True]}, "controls of shape"),
        ({}, {"method": "kernel_pca", "kernel": "sigmoid"}, "there is no kernel 'sigmoid'"),
        ({}, {"method": "kernel_pca", "components": 0}, "at least one component"),
        ({}, {"method": "kernel_pca", "scaler": "some"}, "not on 'some'"),
    ],
)
def test_bad_input_is_one_sentence(
    change: dict, options: dict, words: str, vectors: np.ndarray, wells: pd.DataFrame
) -> None:
    table = wells.drop(columns=change["drop"]) if "drop" in change else wells.iloc[: change.get("rows")]
    with pytest.raises(ScreenError, match=words):
        correct(vectors, table, **options)


def test_dimensions_that_cannot_be_sphered(
    vectors: np.ndarray, wells: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ScreenError, match="constant or repeat"):
        correct(np.hstack([vectors, vectors[:, :1]]), wells, "sphering")
    with pytest.raises(ScreenError, match="do not differ at all"):
        correct(np.ones((len(wells), 3)), wells, "tvn")
    monkeypatch.setitem(sys.modules, "pycytominer.operations.transform", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[evaluate\]"):
        correct(vectors, wells, "sphering")


@pytest.mark.parity
@pytest.mark.parametrize(("method", "key"), [("center", "centerscale"), ("tvn", "tvn")])
def test_as_efaar_has_it(method: str, key: str, golden: Path) -> None:
    with np.load(golden / "efaar.npz", allow_pickle=False) as z:
        wells = pd.DataFrame({"Metadata_Plate": z["batch"]})
        got = correct(z["emb"], wells, method, controls=z["pert"] == "ctl").vectors
        np.testing.assert_allclose(gram(got), gram(z[key]), atol=1e-10)


@pytest.mark.parity
@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
@pytest.mark.parametrize("scaler", ["controls", "all wells"])
def test_as_the_published_kernel_correction_has_it(kernel: str, scaler: str, golden: Path) -> None:
    with np.load(golden / "kernel_correction.npz", allow_pickle=False) as z:
        wells = pd.DataFrame({"Metadata_Plate": z["plate"]})
        got = correct(
            z["features"],
            wells,
            "kernel_pca",
            controls=z["negcon"] == 1,
            kernel=kernel,
            components=8,
            scaler=scaler,
        ).vectors
        unit = got / np.linalg.norm(got, axis=1, keepdims=True)
        expected = z[f"cos_{kernel}_scaler_{scaler.replace(' ', '_')}"]
        np.testing.assert_allclose(gram(unit), expected, atol=1e-10)


def test_harmony_pulls_plates_together(wells: pd.DataFrame, vectors: np.ndarray) -> None:
    """Means of plates that lie five apart come together; what has no embedding stays so."""
    rng = np.random.default_rng(1)
    table = pd.concat([wells] * 4, ignore_index=True)
    plate = table["Metadata_Plate"].str[1:].astype(int).to_numpy()
    given = rng.normal(size=(len(table), 6)) + 5 * plate[:, None] * np.eye(6)[0]
    given[3] = np.nan
    found = correct(given, table, "harmony")
    assert np.isnan(found.vectors[3]).all()
    assert found.settings == {"batch": "Metadata_Plate", "plates": PLATES, "dimensions": 6}
    assert found.described == "harmony, without controls"

    def apart(x: np.ndarray) -> float:
        means = [np.nanmean(x[plate == p], axis=0) for p in range(PLATES)]
        return float(np.linalg.norm(means[0] - means[2]))

    assert apart(found.vectors) < 0.6 * apart(given)
    np.testing.assert_array_equal(correct(given, table, "harmony").vectors, found.vectors)
    with pytest.raises(ScreenError, match="not linear"):
        found.transform(given[:1])


def test_harmony_of_one_plate_or_without_its_library_is_refused(
    wells: pd.DataFrame, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = (wells["Metadata_Plate"] == "P0").to_numpy()
    with pytest.raises(ScreenError, match="more than one plate"):
        correct(vectors[here], wells[here], "harmony")
    monkeypatch.setitem(sys.modules, "harmonypy", None)
    with pytest.raises(ScreenError, match=r"pip install \"napari-cellclip\[harmony\]\""):
        correct(vectors, wells, "harmony")
