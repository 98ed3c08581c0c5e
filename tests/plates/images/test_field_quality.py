from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from napari_cellclip.plates.images.field_quality import (
    CELLS,
    FAINT,
    QUALITY_COLUMNS,
    column,
    count_spots,
    measure_field,
    otsu,
    percentiles,
    power_slope,
    saturated_share,
)
from napari_cellclip.vocabulary import STAINS, Stain


def nuclei(number: int = 25, size: int = 320, radius: int = 9, noise: float = 15.0, seed: int = 0):
    """Discs on a grid, seen by a camera with noise: how many there are is known."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = np.full((size, size), 300.0)
    side = int(np.ceil(np.sqrt(number)))
    for place in range(number):
        cy, cx = ((i + 0.5) * size / side for i in divmod(place, side))
        image[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 2500
    return (ndimage.gaussian_filter(image, 1) + rng.normal(0, noise, image.shape)).astype(np.uint16)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
def test_the_slope_is_that_of_the_spectrum(exponent):
    """An image made with power ~ 1 / frequency**exponent has that slope."""
    rng = np.random.default_rng(1)
    size = 128
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    radius[0, 0] = 1
    tiles = []
    for _ in range(12):
        spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * radius ** (-exponent / 2)
        tiles.append(np.fft.irfft2(spectrum, (size, size)))
    assert power_slope(np.array(tiles, np.float32)) == pytest.approx(-exponent, abs=0.12)


def test_blur_steepens_the_slope_step_by_step():
    sharp = nuclei().astype(float)
    slopes = []
    for width in (0, 1, 2):
        blurred = ndimage.gaussian_filter(sharp, width) + np.random.default_rng(0).normal(0, 2, sharp.shape)
        found = measure_field(blurred[None].astype(np.uint16), [Stain.DNA])
        slopes.append(found[column("focus", "DNA")])
    assert slopes[0] > slopes[1] + 0.1 > slopes[2] + 0.2


@pytest.mark.parametrize("level", [50, 3000])
@pytest.mark.parametrize("noise", [5.0, 80.0])
def test_an_empty_stain_is_noise_whatever_its_offset(level, noise):
    image = np.random.default_rng(0).normal(level + 400, noise, (300, 320))
    shaded = image + np.linspace(0, 40, 320)  # uneven light is no structure
    for field in (image, shaded):
        found = measure_field(field[None].astype(np.uint16), [Stain.DNA])
        assert found[column("structure", "DNA")] == pytest.approx(1, abs=0.25)
        assert found[CELLS] == 0


def test_cells_are_something_where_they_are():
    found = measure_field(nuclei()[None], [Stain.DNA])
    assert found[column("structure", "DNA")] > 5 * FAINT
    assert found[CELLS] == 25


@pytest.mark.parametrize(("number", "size"), [(1, 320), (9, 320), (24, 640), (25, 1300)])
def test_spots_are_counted_at_any_size(number, size):
    assert count_spots(nuclei(number, size, radius=9 * size // 320)) == number


def test_a_clump_counts_by_its_area():
    image = nuclei(9)
    image[0:18, 0:57] = 2500  # four times the area of a nucleus of radius 9, at the edge
    assert count_spots(image) == 9 + 4


@pytest.mark.parametrize("limit", [255, 4095, 16383, 65535])
def test_saturation_is_a_share_at_a_limit_of_cameras(limit):
    image = np.full((20, 20), 100, np.uint8 if limit == 255 else np.uint16)
    image[:2] = limit
    assert saturated_share(image) == pytest.approx(0.1)
    image[:2] = limit - 1
    assert saturated_share(image) == 0


def test_otsu_lies_between_two_levels():
    image = np.r_[np.full(60, 10.0), np.full(40, 50.0)].reshape(10, 10)
    assert 10 < otsu(image) < 50


def test_percentiles_are_counts():
    image = np.arange(100 * 100, dtype=np.uint16).reshape(100, 100)
    found = measure_field(image[None], [Stain.ER])
    assert [found[column(name, "ER")] for name in ("low", "median", "high")] == pytest.approx(
        np.percentile(image, [1, 50, 99])
    )
    assert CELLS not in found, "cells are counted in DNA"


@given(arrays.arrays(np.uint16, st.tuples(st.just(5), st.integers(1, 40), st.integers(1, 40))))
def test_any_field_is_measured(pixels):
    found = measure_field(pixels)
    assert set(found) == set(QUALITY_COLUMNS)
    assert all(0 <= found[column("saturated", stain)] <= 1 for stain in STAINS)
    assert found[CELLS] >= 0
    assert all(np.isfinite(found[column("structure", stain)]) for stain in STAINS)


@given(
    kind=st.sampled_from([np.uint8, np.uint16, np.float32]),
    size=st.integers(1, 300),
    top=st.integers(1, 255),
    wanted=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_percentiles_equal_those_of_sorting(
    kind: type[np.generic], size: int, top: int, wanted: list[float], seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, top + 1, (2, size)).astype(kind)
    np.testing.assert_allclose(percentiles(values, wanted), np.percentile(values, wanted), atol=1e-9)


def test_counts_are_measured_as_the_same_numbers_in_floating_point() -> None:
    pixels = np.random.default_rng(0).poisson(300, (5, 260, 300)).astype(np.uint16)
    pixels[0, 100:140, 100:140] += 900
    counts, slow = measure_field(pixels), measure_field(pixels.astype(np.float64))
    # What is saturated is a matter of whole counts.
    for name in counts.keys() - {column("saturated", stain) for stain in STAINS}:
        assert counts[name] == pytest.approx(slow[name], rel=1e-5), name
