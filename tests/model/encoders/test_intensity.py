"""Intensity scaling: the published recipe by hand, the plate-wide one by its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from napari_cellclip.model import IntensityScaling, IntensityStats
from napari_cellclip.model.encoders.intensity import brightest_threshold, eight_bit, scale_field
from napari_cellclip.vocabulary import STAINS, ModelError

PLATE = IntensityScaling(kind="plate", low=0, high=100, headroom=1)


@pytest.mark.parametrize(
    ("shape", "count"),
    [((520, 696), 10), ((1080, 1080), 33), ((777, 501), 11), ((134, 134), 1), ((10, 10), 1)],
)
def test_published_recipe_by_hand(shape, count):
    rng = np.random.default_rng(0)
    image = rng.permutation(shape[0] * shape[1]).reshape(shape).astype(np.int64) + 100
    threshold = np.sort(image.ravel())[-count]
    assert brightest_threshold(image) == threshold
    found = eight_bit(image)
    np.testing.assert_array_equal(found, np.minimum(image * 256 // threshold, 255))
    assert (found == 255).sum() >= count


@pytest.mark.parametrize("white", [1002, 6272, 11836, 12544])
def test_values_on_a_grey_level_keep_it(white):
    """In whole numbers, where nothing is rounded before it is cut off: v * 256 / threshold."""
    image = np.arange(777 * 501).reshape(777, 501) % white
    image[0, :11] = white
    assert brightest_threshold(image.astype(np.uint16)) == white
    np.testing.assert_array_equal(eight_bit(image.astype(np.uint16)), np.minimum(image * 256 // white, 255))


def test_images_without_signal_become_black():
    for image in (np.zeros((20, 20), np.uint16), np.full((20, 20), -3.0)):
        assert (eight_bit(image) == 0).all()
    mostly_black = np.zeros((520, 696), np.uint16)
    mostly_black[0, :3] = 900  # fewer pixels than are cut off: the threshold would be zero
    assert np.isfinite(eight_bit(mostly_black)).all()
    assert (eight_bit(mostly_black) == 0).all()


@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]),
        array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.integers(0, 200),
    )
)
def test_eight_bit_takes_anything_and_keeps_order(image):
    before = image.copy()
    found = eight_bit(image)
    assert found.dtype == np.uint8
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()
    assert np.array_equal(image, before)


def test_image_scaling_hides_brightness_and_plate_scaling_keeps_it():
    rng = np.random.default_rng(1)
    dim = rng.integers(0, 1000, (5, 40, 40)).astype(np.uint16)
    bright = dim * 3
    image = IntensityScaling(kind="image")
    np.testing.assert_allclose(scale_field(bright, image), scale_field(dim, image), atol=1 / 255)
    stats = IntensityStats.measure([bright, dim], PLATE)
    np.testing.assert_allclose(
        scale_field(bright, PLATE, stats).mean() / scale_field(dim, PLATE, stats).mean(), 3, rtol=0.2
    )


def test_stats_are_medians_of_the_fields_percentiles():
    fields = [np.full((5, 4, 4), 10.0), np.full((5, 4, 4), 20.0), np.full((5, 4, 4), 60_000.0)]
    fields = [f + np.arange(16).reshape(4, 4) for f in fields]
    stats = IntensityStats.measure(iter(fields), PLATE)
    assert stats.fields == 3
    assert stats.low == dict.fromkeys(STAINS, 20.0)
    assert stats.high == dict.fromkeys(STAINS, 35.0)
    assert IntensityStats.measure(fields[::-1], PLATE) == stats


def test_stats_survive_json():
    stats = IntensityStats.measure([np.random.default_rng(0).random((5, 9, 9))], PLATE)
    assert IntensityStats.model_validate_json(stats.model_dump_json()) == stats


def test_plate_scaling_by_hand():
    stats = IntensityStats(low=dict.fromkeys(STAINS, 100), high=dict.fromkeys(STAINS, 300), fields=1)
    field = np.zeros((5, 1, 4), np.uint16) + np.array([0, 100, 300, 700], np.uint16)
    scaling = IntensityScaling(kind="plate", headroom=2)
    np.testing.assert_allclose(scale_field(field, scaling, stats)[2, 0], [0, 0, 0.5, 1])


def test_a_stain_that_is_blank_all_over_the_plate_stays_black():
    field = np.random.default_rng(0).integers(0, 99, (5, 8, 8)).astype(np.uint16)
    field[3] = 7
    stats = IntensityStats.measure([field], PLATE)
    scaled = scale_field(field, PLATE, stats)
    assert np.isfinite(scaled).all()
    assert (scaled[3] == 0).all()
    assert scaled[0].max() == 1


def test_what_cannot_be_scaled_is_refused_in_words():
    field = np.ones((5, 8, 8))
    with pytest.raises(ModelError, match="measure IntensityStats"):
        scale_field(field, PLATE)
    with pytest.raises(ModelError, match="no field"):
        IntensityStats.measure([])
    with pytest.raises(ModelError, match=r"shape \(5, Y, X\)"):
        scale_field(field[:4], IntensityScaling())
    four = IntensityStats(low=dict.fromkeys(STAINS[:4], 0), high=dict.fromkeys(STAINS[:4], 1), fields=1)
    with pytest.raises(ModelError, match="not measured for Mito"):
        scale_field(field, PLATE, four)
    with pytest.raises(ValidationError, match="below the high one"):
        IntensityScaling(low=60, high=40)
