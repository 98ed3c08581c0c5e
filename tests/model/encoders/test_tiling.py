"""Tiling: whatever the field, the same crops every time, and the grid leaves no pixel out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_cellclip.model import Tiling

sides = st.integers(1, 90)


@given(
    sides,
    sides,
    st.sampled_from(["center", "grid", "random"]),
    st.integers(4, 50),
    st.integers(1, 5),
    st.integers(0, 9),
)
def test_crops_have_the_size_asked_for(height, width, mode, size, n, seed):
    field = np.arange(2 * height * width).reshape(2, height, width)
    tiling = Tiling(mode=mode, size=size, n=n, seed=seed)
    crops = tiling.crops(field)
    assert crops.shape[1:] == (2, size, size)
    assert np.array_equal(crops, Tiling(mode=mode, size=size, n=n, seed=seed).crops(field.copy()))
    if mode == "center":
        assert len(crops) == 1
    if mode == "random":
        assert len(crops) == n
    if mode == "grid":
        assert set(crops[:, 0].ravel().tolist()) == set(range(height * width))
        assert len(crops) == -(-max(height, size) // size) * -(-max(width, size) // size)
    # All stains share each window.
    assert np.array_equal(crops[:, 1] - crops[:, 0], np.full_like(crops[:, 0], height * width))


def test_center_is_in_the_middle():
    field = np.zeros((1, 50, 70))
    field[0, 20:30, 30:40] = 1
    assert Tiling(mode="center", size=10).crops(field).min() == 1


def test_seeds_differ_and_windows_do_not_depend_on_pixels():
    one, other = (Tiling(mode="random", size=16, n=4, seed=s).corners(100, 100) for s in (0, 1))
    assert one != other
    assert len(set(one)) == 4


def test_small_fields_are_reflected_not_blackened():
    field = np.arange(1.0, 10).reshape(1, 3, 3)
    crop = Tiling(mode="center", size=7).crops(field)[0, 0]
    assert crop[2:5, 2:5].tolist() == field[0].tolist()
    assert crop[1, 2:5].tolist() == field[0, 0].tolist()
    assert crop.min() > 0


def test_nonsense_is_refused():
    with pytest.raises(ValidationError):
        Tiling(mode="random", n=0)
    with pytest.raises(ValidationError):
        Tiling(size=2)


@given(sides, sides, st.integers(4, 50), st.integers(1, 60))
def test_a_denser_grid_leaves_nothing_out_and_keeps_its_steps(height, width, size, stride):
    tiling = Tiling(size=size)
    field = np.arange(height * width).reshape(1, height, width)
    corners = tiling.corners(height, width, min(stride, size))
    rows, columns = (np.unique(axis) for axis in zip(*corners, strict=True))
    for steps, extent in ((rows, height), (columns, width)):
        assert [steps[0], steps[-1]] == [0, max(0, extent - size)]
        assert (np.diff(steps) <= min(stride, size)).all()
    windows = list(tiling.windows(field, min(stride, size)))
    assert len(windows) == len(corners)
    assert set(np.stack(windows).ravel().tolist()) == set(range(height * width))
