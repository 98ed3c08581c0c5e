"""Moderated spreads: between what a plate's controls say and what is expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.explore.calibration.robust import RobustSpread, robust_z
from napari_cellclip.explore.calibration.scale import PlateScale


def spread_values(n: int, n_prompts: int, factor: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, n_prompts)) * factor


def test_prompts_of_one_spread_are_all_given_that_spread() -> None:
    values = spread_values(12, 400, np.full(400, 2.0))
    scale = PlateScale.of(values, np.zeros(12, int), ("P",), np.ones(12, bool))
    own = robust_z(values[:, 0], values[:, 0])
    z = scale(values[:, 0])
    # Differences between MADs of 12 values are chance: each is drawn far towards the common spread.
    mads = np.array([np.ptp(scale(v)) / np.ptp(v) for v in values.T[:50]])
    plain = np.array([np.ptp(robust_z(v, v)) / np.ptp(v) for v in values.T[:50]])
    assert np.log(mads).std() < 0.5 * np.log(plain).std()
    assert np.median(1 / mads) == pytest.approx(2.0, rel=0.15)
    np.testing.assert_allclose(z / z[0], own / own[0], rtol=1e-6)  # scores are in single precision


def test_prompts_that_truly_differ_keep_their_spreads_where_controls_are_many() -> None:
    factor = np.exp(np.linspace(-1.5, 1.5, 60))
    values = spread_values(400, 60, factor)
    scale = PlateScale.of(values, np.zeros(400, int), ("P",), np.ones(400, bool))
    for i in (0, 30, 59):
        np.testing.assert_allclose(scale(values[:, i]), robust_z(values[:, i], values[:, i]), rtol=0.08)


def test_plates_that_agree_lend_each_other_their_spread() -> None:
    plates = np.repeat(np.arange(8), 10)
    factor = np.exp(np.random.default_rng(1).normal(size=200))
    values = spread_values(80, 200, factor)
    names = tuple("ABCDEFGH")
    scale = PlateScale.of(values, plates, names, np.ones(80, bool))
    assert scale.common > 10 * scale.special
    ratios = []
    for i in range(40):
        z = scale(values[:, i])
        spreads = [np.ptp(values[plates == p, i]) / np.ptp(z[plates == p]) for p in range(8)]
        assert np.log(spreads).std() < 0.15
        ratios.append(np.median(spreads) / factor[i])
    # A MAD of ten values is a little small on average, and that of eighty is off by a tenth.
    assert np.median(ratios) == pytest.approx(0.9, abs=0.1)
    assert np.log(ratios).std() < 0.25


def test_scores_do_not_depend_on_the_order_of_wells() -> None:
    values = spread_values(40, 30, np.ones(30))
    plates, controls = np.arange(40) % 2, np.arange(40) % 3 == 0
    order = np.random.default_rng(0).permutation(40)
    before = PlateScale.of(values, plates, ("P", "Q"), controls)(values[:, 3])
    after = PlateScale.of(values[order], plates[order], ("P", "Q"), controls[order])(values[order, 3])
    np.testing.assert_allclose(after, before[order], rtol=1e-12)


def test_a_plate_without_controls_is_measured_by_its_wells_and_said() -> None:
    values = spread_values(30, 20, np.ones(20))
    plates = np.repeat([0, 1], 15)
    controls = np.arange(30) < 8
    scale = PlateScale.of(values, plates, ("P", "Q"), controls)
    assert len(scale.notes) == 1
    assert "Plate Q has no negative controls" in scale.notes[0]
    assert scale.compared_with.sum() == 8 + 15


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_plates_measured_at_once_are_those_measured_one_by_one(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.integers(0, 5, len(groups)).astype(float)
    found = RobustSpread.of(values, groups, len(sizes))
    mixed = rng.permutation(len(groups))  # no group after the other: one by one
    apart = RobustSpread.of(values[mixed], groups[mixed], len(sizes))
    for i, size in enumerate(sizes):
        own = values[groups == i]
        mad = 1.4826 * np.median(np.abs(own - np.median(own))) if size >= 3 else 0
        for spread in (found, apart):
            assert spread.counts[i] == size
            if mad > 0:
                assert spread.median[i] == np.median(own)
                assert spread.spread[i] == pytest.approx(mad, rel=1e-4)
            else:
                assert np.isnan([spread.median[i], spread.spread[i]]).all()
