"""Nulls: shares that are uniform where nothing is meant, and the formulas behind them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest
from scipy.stats import t as student

from napari_cellclip.explore.calibration.activity import activity
from napari_cellclip.explore.calibration.nulls import control_null
from napari_cellclip.explore.calibration.nulls.control_null import ControlNull, medians_of_some, upper_tail
from napari_cellclip.explore.calibration.nulls.random_directions import RandomDirections
from napari_cellclip.explore.calibration.scale import PlateScale
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.model.unit_vectors import unit_rows


def bank(n: int = 150, dim: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return unit_rows(rng.normal(size=(n, dim)) * np.linspace(2, 0.3, dim) + 0.4)


def test_a_direction_like_the_decoys_gets_a_uniform_share() -> None:
    directions = RandomDirections.of(bank(), n=999, seed=1)
    questions = RandomDirections.of(bank(), n=600, seed=2)
    point = unit_rows(np.ones((1, 6)))
    shares = [
        directions.share_as_near(point, (q @ questions.basis @ point[0])[None])[0] for q in questions.drawn
    ]
    assert kstest(shares, "uniform").pvalue > 0.01


def test_shares_are_counts_and_the_sorted_ones_agree() -> None:
    directions, rng = RandomDirections.of(bank(), n=499), np.random.default_rng(3)
    points = unit_rows(rng.normal(size=(40, 6)))
    cosine = points @ unit_rows(rng.normal(size=(1, 6)))[0]
    full = directions.drawn @ directions.basis @ points.T
    expected = (1 + (full >= cosine - 1e-7).sum(axis=0)) / 500
    np.testing.assert_allclose(directions.share_as_near(points, cosine), expected, atol=2 / 500)
    prepared = directions.against([points[:2], points[2:]], len(points))
    assert prepared is not None
    np.testing.assert_allclose(
        prepared.share_as_near(cosine), directions.share_as_near(points, cosine), atol=1.01 / 500
    )


def test_decoys_lie_in_the_span_of_the_bank_and_repeat() -> None:
    flat = np.zeros((50, 6), np.float32)
    flat[:, :2] = np.random.default_rng(0).normal(size=(50, 2))
    directions = RandomDirections.of(unit_rows(flat), n=99)
    drawn = directions.drawn @ directions.basis
    assert np.abs(drawn[:, 2:]).max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(RandomDirections.of(unit_rows(flat), n=99).drawn, directions.drawn)
    assert directions.mixed((1.0,)) is directions
    assert not np.array_equal(directions.mixed((1.0, -0.5)).drawn, directions.drawn)


def test_a_tail_counts_the_value_itself() -> None:
    null = np.array([1.0, 2.0, 2.0, 5.0])
    np.testing.assert_allclose(upper_tail(null, np.array([6.0, 2.0, 0.0])), [1 / 5, 4 / 5, 1.0])


def controls_of(n_plates: int = 3, n: int = 14, dim: int = 6, seed: int = 5):
    """Control-like wells of some plates: cosines with a bank, plates, and their scale."""
    rng = np.random.default_rng(seed)
    plates = np.repeat(np.arange(n_plates), 2 * n)
    shift = rng.normal(size=(n_plates, dim))
    unit = unit_rows(3 * shift[plates] + rng.normal(size=(len(plates), dim)))
    controls = np.tile(np.r_[np.ones(n, bool), np.zeros(n, bool)], n_plates)
    cosines = unit @ bank(60, dim).T
    names = tuple("PQR"[:n_plates])
    return unit, cosines, plates, controls, PlateScale.of(cosines, plates, names, controls)


@pytest.mark.parametrize("size", [1, 3])
def test_inactive_treatments_get_a_uniform_p_from_sets_of_controls(size) -> None:
    shares = []
    for seed in range(12):
        _, cosines, plates, controls, scale = controls_of(seed=seed)
        null = ControlNull(cosines[controls], plates[controls], scale, seed=seed)
        rng = np.random.default_rng(seed)
        for plate in range(3):
            free = np.flatnonzero((plates == plate) & ~controls)
            rows = rng.choice(free, size, replace=False)
            for column in rng.choice(60, 4, replace=False):
                score = scale(cosines[:, column])[rows].mean()
                shares.append(upper_tail(null.of(((plate, size),)), np.array([score]))[0])
    shares = np.array(shares)
    assert 0.4 < shares.mean() < 0.6
    assert (shares <= 0.05).mean() <= 0.1
    assert (shares <= 0.2).mean() == pytest.approx(0.2, abs=0.09)


def test_sets_keep_the_plates_of_the_treatment_they_stand_for() -> None:
    _, cosines, plates, controls, scale = controls_of()
    null = ControlNull(cosines[controls], plates[controls], scale)
    one, both = null.of(((0, 1),)), null.of(((0, 1), (1, 1)))
    # Means of wells of two plates stray less than one well.
    assert both.std() < 0.85 * one.std()
    assert null.of(((0, 1),)) is one
    assert not null.has_enough(7)


def test_activity_is_hotellings_test_on_one_plate() -> None:
    rng = np.random.default_rng(0)
    unit = unit_rows(np.array([4.0, 0, 0, 0]) + rng.normal(size=(40, 4)))
    plates, controls = np.zeros(40, int), np.arange(40) < 30
    axes = np.eye(4)[:, :]
    rows, starts = np.arange(30, 34), np.array([0, 4])
    prompts = unit_rows(np.concatenate([axes, -axes]))
    p = activity(WellVectors.of(unit), plates, controls, prompts, rows, starts)
    own = unit[controls].astype(float)
    difference = unit[rows].astype(float).mean(axis=0) - own.mean(axis=0)
    t2 = difference @ np.linalg.inv(np.cov(own.T)) @ difference / (1 / 4 + 1 / 30)
    from scipy.stats import f

    assert p[0] == pytest.approx(f.sf(t2 * (30 - 4) / (4 * 29), 4, 30 - 4), rel=1e-4)


def test_activity_is_uniform_for_controls_and_small_for_others() -> None:
    found = []
    for seed in range(150):
        unit, _, plates, controls, _ = controls_of(seed=seed)
        rows = np.flatnonzero(~controls)[[0, 1, 20, 21]]
        found.append(activity(WellVectors.of(unit), plates, controls, bank(60), rows, np.array([0, 4]))[0])
    assert kstest(found, "uniform").pvalue > 0.001
    moved = unit.copy()
    moved[rows] = unit_rows(moved[rows] + 3 * np.eye(6, dtype=np.float32)[5])
    assert activity(WellVectors.of(moved), plates, controls, bank(60), rows, np.array([0, 4]))[0] < 1e-3
    few = np.zeros_like(controls)
    few[:2] = True
    assert np.isnan(activity(WellVectors.of(unit), plates, few, bank(60), rows, np.array([0, 4]))).all()


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_medians_of_some_are_those_of_numpy(m: int, sets: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3, 4, (m, 6)).astype(float)
    chosen = rng.random((sets, m)) < 0.5
    chosen[:, rng.integers(m)] = True
    order = np.argsort(values, axis=0)
    rising = np.take_along_axis(values, order, axis=0)
    median, apart = np.empty((sets, 6)), np.empty((sets, 6))
    medians_of_some(0, sets, rising.T.copy(), order.T.copy(), chosen, median, apart)
    for k, own in enumerate(chosen):
        np.testing.assert_allclose(median[k], np.median(values[own], axis=0))
        np.testing.assert_allclose(
            apart[k], np.median(np.abs(values[own] - np.median(values[own], axis=0)), axis=0)
        )


def test_sets_of_many_controls_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    _, cosines, plates, controls, scale = controls_of()
    few = ControlNull(cosines[controls], plates[controls], scale).of(((0, 2), (1, 1)))
    monkeypatch.setattr(control_null, "MANY_CONTROLS", 1)
    many = ControlNull(cosines[controls], plates[controls], scale).of(((0, 2), (1, 1)))
    np.testing.assert_allclose(many, few, rtol=1e-6)


def test_four_controls_allow_one_axis_on_which_a_well_is_told_by_a_t_test() -> None:
    """Three degrees of freedom an axis; of three controls there are two, and nothing can be told."""
    rng = np.random.default_rng(3)
    bank, unit, plates = rng.normal(size=(30, 5)), unit_rows(rng.normal(size=(6, 5))), np.zeros(6, int)
    rows, starts = np.array([4, 5]), np.array([0, 1, 2])
    axis = np.linalg.svd(bank - bank.mean(axis=0))[2][0]
    along, controls = unit @ axis, np.arange(6) < 4
    distance = (along[4:] - along[:4].mean()) / (along[:4].std(ddof=1) * np.sqrt(1 + 1 / 4))
    found = activity(WellVectors.of(unit), plates, controls, bank, rows, starts)
    np.testing.assert_allclose(found, 2 * student.sf(np.abs(distance), 3), rtol=1e-5)
    assert np.isnan(activity(WellVectors.of(unit), plates, np.arange(6) < 3, bank, rows, starts)).all()
