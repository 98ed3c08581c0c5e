"""Rows of length 1."""

from __future__ import annotations

import numpy as np
import pytest

from napari_cellclip.model.unit_vectors import unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_have_length_one_and_zeros_stay(dtype: type) -> None:
    rows = np.array([[3, 4], [0, 0], [1e-20, 0]], np.float64)
    found = unit_rows(rows, dtype)
    assert found.dtype == dtype
    np.testing.assert_allclose(found[:2], [[0.6, 0.8], [0, 0]], rtol=1e-6)
    if dtype is np.float64:
        assert found[2].tolist() == [1, 0]  # a floor under the length would make this row shorter
