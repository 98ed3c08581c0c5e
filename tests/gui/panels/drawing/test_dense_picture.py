"""The picture of very many points: counts, colours and the outline of a selection, pixel by pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.gui.panels.drawing.dense_picture import dense_picture, pixel_of

GREY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
VIEW = (0.0, 0.0, 20.0, 10.0)
SIZE = (20, 10)
RING = (255, 0, 255)


def drawn(xy, bright=None, selected=()):
    n = len(xy)
    return dense_picture(
        np.asarray(xy, float),
        VIEW,
        SIZE,
        grey=GREY,
        rgb=np.tile(np.array([[10, 200, 30]], np.uint8), (n, 1)),
        bright=np.zeros(n, bool) if bright is None else np.asarray(bright),
        selected=np.asarray(selected, np.intp),
        ring=RING,
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 300), st.integers(0, 50))
def test_every_point_in_sight_has_its_pixel_and_no_other(n, seed):
    xy = np.random.default_rng(seed).uniform((-3, -3), (23, 13), (n, 2))
    picture = drawn(xy)
    expected = np.zeros((10, 20), bool)
    for x, y in xy:
        if 0 <= x < 20 and 0 <= y < 10:
            expected[int(y), int(x)] = True
    assert ((picture[..., 3] > 0) == expected).all()


def test_more_points_are_lighter_and_colours_lie_on_top():
    xy = [(1.5, 1.5)] * 50 + [(5.5, 1.5)] + [(9.5, 1.5)]
    picture = drawn(xy, bright=[False] * 51 + [True])
    assert picture[1, 1, 0] == 255
    assert 0 < picture[1, 5, 0] < 255
    assert tuple(picture[1, 9, :3]) == (10, 200, 30)


def test_a_selection_is_outlined_at_its_edge_and_not_over_its_points():
    picture = drawn([(10.5, 5.5), (2.5, 5.5)], selected=[0])
    ring = (picture[..., :3] == RING).all(axis=2)
    assert ring.any()
    assert not ring[5, 10]
    rows, columns = np.nonzero(ring)
    away = np.maximum(np.abs(rows - 5), np.abs(columns - 10))
    assert set(away) == {4}, "three pixels of room, then one of line"


def test_points_outside_have_no_pixel():
    assert list(pixel_of(np.array([(-0.1, 1.0), (20.0, 1.0), (1.0, 10.0)]), VIEW, SIZE)) == [-1, -1, -1]
