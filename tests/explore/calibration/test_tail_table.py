"""Shares looked up in tables of upper tails, against counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.explore.calibration.nulls import random_directions
from napari_cellclip.explore.calibration.nulls.random_directions import RandomDirections
from napari_cellclip.explore.calibration.nulls.tail_table import LEVELS, TailTable, kept_ranks
from napari_cellclip.model.unit_vectors import unit_rows


def table_of(values: np.ndarray) -> TailTable:
    table = TailTable.empty(values.shape[1], len(values))
    table.fill(0, values[:2].astype(np.float32))
    table.fill(2, values[2:].astype(np.float32))
    return table


def counted(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    near = values.astype(np.float32) >= asked.astype(np.float32)[:, None]
    return (1 + near.sum(axis=1)) / (1 + values.shape[1])


@given(st.integers(1, 20_000))
def test_ranks_rise_from_first_to_last_in_small_steps(n):
    ranks = kept_ranks(n)
    assert len(ranks) <= LEVELS
    assert (ranks[0], ranks[-1]) == (1, n)
    steps = np.diff(ranks)
    assert (steps >= 1).all()
    assert (ranks[1:] <= np.maximum(ranks[:-1] + 1, 1.1 * ranks[:-1] + 1)).all()


def test_shares_of_few_values_are_exact():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 30, (7, 100)).astype(float)  # with ties
    asked = np.array([-1, 0, 3, 15, 29, 30, 12.5])
    np.testing.assert_array_equal(table_of(values).share_as_near(asked), counted(values, asked))


def test_shares_of_many_values_are_never_too_small_and_at_most_a_step_too_large():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((300, 9_999))
    asked = rng.uniform(-4, 4.5, 300)
    exact, found = counted(values, asked), table_of(values).share_as_near(asked)
    assert (found >= exact).all()
    assert (found <= 1.07 * exact).all()
    far = exact <= 10 / 10_000
    assert far.sum() > 20
    np.testing.assert_array_equal(found[far], exact[far])


def test_many_treatments_are_looked_up_in_a_table(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(2)
    directions = RandomDirections.of(unit_rows(rng.normal(size=(30, 16))), n=2_000)
    points = unit_rows(rng.normal(size=(50, 16)))
    cosine = points @ directions.basis.T @ directions.drawn[5]
    exact = directions.against([points[:2], points[2:]], len(points)).share_as_near(cosine)
    monkeypatch.setattr(random_directions, "MOST_SORTED", 1_000)
    monkeypatch.setattr(random_directions, "AT_ONCE", 16_000)
    table = directions.against([points[:2], points[2:]], len(points))
    assert isinstance(table, TailTable)
    found = table.share_as_near(cosine)
    # Products of blocks may differ in their last bit: by one direction, here and there.
    assert (found >= exact - 1.01 / 2_001).all()
    assert (found <= 1.07 * exact + 1.01 / 2_001).all()
