"""Marks moved apart on the screen, and tiles on a grid."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from napari_cellclip.explore.maps.spread import grid_places, remove_overlaps


def test_a_clump_is_opened_and_stays_where_it_was() -> None:
    clump = np.random.default_rng(0).normal((200, 100), size=(60, 2))
    moved = remove_overlaps(clump, 9, steps=200)
    assert pdist(clump).min() < 0.5
    assert pdist(moved).min() > 0.95 * 9
    np.testing.assert_allclose(moved.mean(axis=0), clump.mean(axis=0), atol=1)
    # 60 discs of 9 px fill a disc of 35 px radius: the clump grows no more than packing asks for.
    assert np.hypot(*(moved - clump.mean(axis=0)).T).max() < 1.6 * 35


def test_points_that_are_alone_stay_exactly() -> None:
    apart = np.array([(0.0, 0.0), (50.0, 0.0), (0.0, 50.0)])
    assert (remove_overlaps(apart, 9) == apart).all()
    mixed = np.vstack([apart, (0.5, 0.0)])
    assert (remove_overlaps(mixed, 9)[1:3] == apart[1:]).all()


def test_coincident_points_are_told_apart_and_repeat() -> None:
    same = np.zeros((12, 2))
    once = remove_overlaps(same, 10, steps=200)
    assert pdist(once).min() > 9
    assert (remove_overlaps(same, 10, steps=200) == once).all()


def test_nothing_and_one() -> None:
    assert remove_overlaps(np.zeros((0, 2)), 5).shape == (0, 2)
    assert (remove_overlaps([(3.0, 4.0)], 5) == [(3, 4)]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(0, 99), st.floats(0.1, 50))
def test_every_tile_has_a_cell_of_its_own(n: int, seed: int, cell: float) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 2)) * 3
    places = grid_places(points, cell)
    steps = np.round(places / cell)
    np.testing.assert_allclose(places, steps * cell)
    assert len(np.unique(steps, axis=0)) == n
    if n:  # the first chooses freely: no other cell is nearer to it
        assert np.abs(places[0] - points[0]).max() <= cell / 2 + 1e-9
