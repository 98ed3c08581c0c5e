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
    black = np.median(np.percentile(flat, 1, axis=2), axis=0)
    white = np.percentile(np.percentile(flat, 99.8, axis=2), 75, axis=0)
    for i, stain in enumerate(STAINS):
        assert meter.contrast()[stain] == pytest.approx((black[i], white[i]))
        assert meter.contrast()[stain][1] < 1100


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
