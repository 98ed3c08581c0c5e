"""Shapley values against their definition over orders, in double precision, and against their axioms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_cellclip.explore.explanation.shapley import shapley_values, subsets

games = st.integers(1, 5).flatmap(
    lambda n: arrays(np.float64, 1 << n, elements=st.floats(-100, 100, allow_nan=False, width=32))
)


def by_definition(values: np.ndarray) -> np.ndarray:
    """Mean gain of each player over all orders of arrival, one order after the other."""
    n = len(values).bit_length() - 1
    gains = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        present = 0
        for player in order:
            gains[player] += values[present | 1 << player] - values[present]
            present |= 1 << player
    return gains / len(orders)


@given(games)
def test_values_are_mean_gains_over_all_orders(values) -> None:
    np.testing.assert_allclose(shapley_values(values), by_definition(values), atol=1e-9)


@given(games)
def test_shares_add_up(values) -> None:
    assert shapley_values(values).sum() == pytest.approx(values[-1] - values[0], abs=1e-9)


@given(games, st.data())
def test_players_who_add_the_same_get_the_same(values, data) -> None:
    n = len(values).bit_length() - 1
    one, other = (data.draw(st.integers(0, n - 1)) for _ in range(2))
    swapped = subsets(n)
    swapped[:, [one, other]] = swapped[:, [other, one]]
    partner = swapped @ (1 << np.arange(n))
    shares = shapley_values((values + values[partner]) / 2)
    assert shares[one] == pytest.approx(shares[other], abs=1e-9)


@given(games, st.data())
def test_who_adds_nothing_gets_nothing(values, data) -> None:
    n = len(values).bit_length() - 1
    idle = data.draw(st.integers(0, n - 1))
    without = np.arange(1 << n) & ~(1 << idle)
    assert shapley_values(values[without])[idle] == pytest.approx(0, abs=1e-9)


def test_an_additive_value_is_given_back() -> None:
    own = np.array([0.5, -1.0, 2.0, 0.0, 3.25])
    np.testing.assert_allclose(shapley_values(7 + subsets(5) @ own), own, atol=1e-12)


def test_many_games_at_once() -> None:
    many = np.random.default_rng(0).normal(size=(3, 2, 32))
    np.testing.assert_allclose(shapley_values(many)[2, 1], by_definition(many[2, 1]), atol=1e-12)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 6), (1 << 13,)])
def test_values_that_are_not_those_of_all_subsets_are_refused(shape) -> None:
    with pytest.raises(ValueError, match="subsets"):
        shapley_values(np.zeros(shape))
