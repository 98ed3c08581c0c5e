"""Means of blocks against numpy's mean over both axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates.images.block_means import block_means


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    block=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kind=st.sampled_from(["uint8", "uint16", ">u2", "int16", "int32", "float32", "float64"]),
    seed=st.integers(0, 99),
)
def test_equals_the_mean_over_both_axes(
    shape: tuple[int, int], block: tuple[int, int], kind: str, seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 255, (3, *shape)).astype(kind)
    y, x = shape[0] // block[0], shape[1] // block[1]
    cut = images[:, : y * block[0], : x * block[1]].astype(np.float64)
    slow = cut.reshape(3, y, block[0], x, block[1]).mean(axis=(2, 4)) if y and x else np.zeros((3, y, x))
    np.testing.assert_allclose(block_means(images, *block), slow, rtol=1e-12)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_large_blocks_of_the_largest_counts_do_not_overflow(kind: type[np.unsignedinteger]) -> None:
    top = np.iinfo(kind).max
    assert (block_means(np.full((256, 512), top, kind), 256, 256) == top).all()
