"""q-values: the formulas, and error rates that are kept when inactive treatments are left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from benchmarks.accuracy.fdr_filter import RATES, realised
from napari_cellclip.explore.calibration.q_values import (
    FILTER_P,
    benjamini_hochberg,
    inactive_left_out,
    p_after_filter,
    q_values,
    simes,
)

DOCS = Path(__file__).parents[3] / "docs"


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=40))
def test_q_is_that_of_scipy_and_rises_with_p(values) -> None:
    p = np.array(values)
    q = benjamini_hochberg(p)
    np.testing.assert_allclose(q, false_discovery_control(p), rtol=1e-9)
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12).all()
    padded = benjamini_hochberg(np.concatenate([p, [np.nan]]))
    np.testing.assert_allclose(padded[:-1], q)
    assert np.isnan(padded[-1])


def test_nothing_tested_gives_nothing() -> None:
    assert np.isnan(benjamini_hochberg(np.full(3, np.nan))).all()
    assert benjamini_hochberg(np.zeros(0)).shape == (0,)
    assert np.isnan(simes(np.full((2, 3), np.nan))).all()


def test_simes_is_the_smallest_q_of_benjamini_and_hochberg() -> None:
    p = np.random.default_rng(0).uniform(size=(7, 5))
    p[3, 2] = np.nan
    np.testing.assert_allclose(simes(p), [np.nanmin(benjamini_hochberg(column)) for column in p.T])


def test_inactive_treatments_are_left_out_only_where_they_are_many() -> None:
    activity, testable = np.array([0.01, 0.5, 0.9, np.nan, 0.7, 0.8]), np.ones(6, bool)
    assert inactive_left_out(activity, testable).tolist() == [False, True, True, False, True, True]
    testable[4:] = False
    assert not inactive_left_out(activity, testable).any()
    assert not inactive_left_out(activity, np.zeros(6, bool)).any()
    p, left_out = np.array([0.01, 0.2, 0.9, np.nan]), np.array([False, True, False, True])
    np.testing.assert_allclose(q_values(p, left_out), [0.02, 1.0, 0.9, np.nan])


def test_the_filter_is_paid_for_by_the_p_that_activity_is_part_of() -> None:
    inactivity, fit = np.array([1e-3, 0.05, 1e-9]), np.array([1e-3, 1e-3, 0.3])
    np.testing.assert_allclose(p_after_filter(inactivity, fit, filtered=False), [1e-3, 0.05, 0.3])
    np.testing.assert_allclose(p_after_filter(inactivity, fit, filtered=True), [1e-3 / FILTER_P, 0.5, 0.3])


def test_false_discoveries_stay_below_the_rate_where_nothing_is_active() -> None:
    found = realised(100)
    for rate in RATES:
        assert found["corrected"][f"{rate:g}"] <= rate
    # The simulation can fail: without the correction every third question has a match at 20 %.
    assert found["uncorrected"]["0.2"] > 0.25


@pytest.mark.parametrize("controls", [16, 64])
def test_figures_of_the_page_are_those_measured(controls) -> None:
    figures = json.loads((DOCS / "fdr_filter.json").read_text(encoding="utf-8"))
    page = (DOCS / "calibration.md").read_text(encoding="utf-8")
    found = figures[f"{controls} controls"]
    for way in ("corrected", "uncorrected", "unfiltered"):
        values = " | ".join(f"{100 * found[way][f'{rate:g}']:.1f}" for rate in RATES)
        assert f"| {controls} | {way} | {values} |" in page
        if way == "corrected":
            assert all(found[way][f"{rate:g}"] <= rate for rate in RATES)
