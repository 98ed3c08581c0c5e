"""Contrast of a plate: measured in one way before and while it is encoded, and not moved by one odd field."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.screen.engines.contrast import ContrastMeter, measure_contrast, thinned
from napari_cellclip.vocabulary import STAINS, Stain
from tests.tiny import tiny_model, write_tiff_plate


def test_a_glance_at_a_small_plate_shows_what_encoding_stores(tmp_path) -> None:
    plate = open_plate(write_tiff_plate(tmp_path / "P1", sites=2))
    screen = encode(plate, None, tiny_model(), tmp_path / "screen")
    found, stored = measure_contrast(plate), screen.contrast("P1")
    assert list(found) == list(stored)
    np.testing.assert_allclose(list(found.values()), list(stored.values()))


def test_limits_are_percentiles_of_fields_and_robust_to_one_of_them() -> None:
    rng = np.random.default_rng(0)
    fields = [rng.integers(100, 1000, (5, 30, 40)).astype(np.uint16) for _ in range(7)]
    fields.append(np.full((5, 30, 40), 65535, np.uint16))  # saturated
    meter = ContrastMeter()
    for field in fields:
        meter.add(STAINS, field)
    flat = np.array([f.reshape(5, -1) for f in fields])
    black = np.percentile(np.percentile(flat, 1, axis=2), 50, axis=0, method="lower")
    white = np.percentile(np.percentile(flat, 99.8, axis=2), 75, axis=0, method="lower")
    for i, stain in enumerate(STAINS):
        assert meter.contrast()[stain] == pytest.approx((black[i], white[i]))
        assert meter.contrast()[stain][1] < 1100


@pytest.mark.parametrize("fields", [2, 3, 4, 5])
def test_one_blown_field_of_a_few_does_not_darken_the_others(fields) -> None:
    """Upper quartiles were interpolated: a blown field of four took a quarter of the range."""
    rng = np.random.default_rng(1)
    meter = ContrastMeter()
    for _ in range(fields - 1):
        meter.add(STAINS, rng.integers(100, 1000, (5, 30, 40)).astype(np.uint16))
    meter.add(STAINS, np.full((5, 30, 40), 65535, np.uint16))
    assert meter.contrast()[Stain.DNA][1] < 1100


def test_debris_does_not_set_what_is_full_colour() -> None:
    """Half a per cent of a sparse field is a crystal a hundred times as bright as the nuclei."""
    rng = np.random.default_rng(2)
    field = rng.integers(100, 200, (5, 200, 200)).astype(np.uint16)
    field[:, :20, :40] = 600  # nuclei, 2 %
    field[:, -20:, -10:] = 60000  # a crystal, half a per cent
    meter = ContrastMeter()
    meter.add(STAINS, field)
    black, white = meter.contrast()[Stain.DNA]
    assert 600 <= white <= black + 5 * (600 - black)


def test_an_empty_channel_has_a_range(tmp_path) -> None:
    folder = write_tiff_plate(tmp_path / "P1", wells=["A01"], sites=1)
    tifffile.imwrite(folder / "A01_s1_ER.tiff", np.full((40, 52), 7, np.uint16))
    assert measure_contrast(open_plate(folder))[Stain.ER] == (7, 8)


def test_a_damaged_field_and_a_missing_stain_are_passed_over(tmp_path) -> None:
    folder = write_tiff_plate(tmp_path / "P1", wells=["A01", "A02"], sites=1)
    whole = measure_contrast(open_plate(folder), sites=1)
    (folder / "A02_s1_DNA.tiff").write_bytes(b"II*\0 cut off")
    for file in folder.glob("*_RNA.tiff"):
        file.unlink()
    found = measure_contrast(open_plate(folder))
    assert found == {stain: limits for stain, limits in whole.items() if stain is not Stain.RNA}


def test_thinning_what_was_thinned_changes_nothing() -> None:
    for n in (1000, 65536, 65537, 131071, 131072, 999_983):
        once = thinned(np.arange(n)[None])
        np.testing.assert_array_equal(thinned(once), once)
        assert once.shape[1] < 2 * 65536
