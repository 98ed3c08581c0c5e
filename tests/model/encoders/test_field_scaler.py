"""Scaling in two steps gives what scaling a whole field in one step gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_cellclip.model.encoders.field_scaler import FieldScaler
from napari_cellclip.model.encoders.intensity import IntensityScaling, IntensityStats, eight_bit, scale_field
from napari_cellclip.vocabulary import STAINS, ModelError

SHAPE = (5, 6, 7)
FIELDS = st.one_of(
    hnp.arrays(np.uint8, SHAPE),
    hnp.arrays(np.uint16, SHAPE),
    hnp.arrays(np.float32, SHAPE, elements=st.floats(0, 1e6, width=32)),
    hnp.arrays(np.dtype(">u2"), SHAPE),
)


def in_two_steps(pixels, scaling, stats, order=STAINS):
    scaler = FieldScaler(scaling, stats, STAINS, order)
    return scaler.on_device(torch.from_numpy(scaler.batch([scaler.on_host(pixels)])))[0].numpy()


@settings(deadline=None)
@given(FIELDS)
def test_each_image_by_itself(pixels) -> None:
    scaling = IntensityScaling(kind="image", saturated=0.05)
    expected = scale_field(pixels, scaling)
    np.testing.assert_allclose(in_two_steps(pixels, scaling, None), expected, rtol=1e-6)


@settings(deadline=None)
@given(FIELDS, st.permutations(STAINS))
def test_by_the_plate_in_the_cards_order(pixels, order) -> None:
    scaling = IntensityScaling(kind="plate")
    stats = IntensityStats(
        low={stain: 10.0 * i for i, stain in enumerate(STAINS)},
        high={stain: 10.0 * i + 100 * (i > 0) for i, stain in enumerate(STAINS)},  # the first has no range
        fields=1,
    )
    expected = scale_field(pixels, scaling, stats)[[STAINS.index(stain) for stain in order]]
    np.testing.assert_allclose(in_two_steps(pixels, scaling, stats, order), expected, rtol=1e-6, atol=1e-7)


@given(hnp.arrays(st.sampled_from([np.uint8, np.uint16]), (9, 11)), st.floats(0.001, 0.5))
def test_whole_numbers_give_the_levels_of_the_formula(image, saturated) -> None:
    threshold = np.sort(image, axis=None)[-max(1, round(image.size * saturated))]
    expected = np.minimum(image.astype(object) * 256 // threshold, 255) if threshold else image * 0
    np.testing.assert_array_equal(eight_bit(image, saturated), expected.astype(np.uint8))


def test_pixels_stay_integers_on_the_host() -> None:
    counts = np.arange(5 * 64, dtype=np.uint16).reshape(5, 8, 8)
    stats = IntensityStats.measure([counts])
    kept = FieldScaler(IntensityScaling(kind="plate"), stats, STAINS, STAINS).on_host(counts)
    assert kept is counts
    levels = FieldScaler(IntensityScaling(kind="image"), None, STAINS, STAINS).on_host(counts)
    assert levels.dtype == np.uint8


def test_what_cannot_be_scaled_is_refused() -> None:
    scaler = FieldScaler(IntensityScaling(kind="image"), None, STAINS, STAINS)
    with pytest.raises(ModelError, match=r"a field of shape \(5, Y, X\)"):
        scaler.on_host(np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(ModelError, match="not finite"):
        scaler.on_host(np.full((5, 8, 8), np.nan, np.float32))
    with pytest.raises(ModelError, match="measure IntensityStats"):
        FieldScaler(IntensityScaling(kind="plate"), None, STAINS, STAINS)
