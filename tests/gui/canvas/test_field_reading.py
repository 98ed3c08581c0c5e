"""The canvas shows a field as it was encoded, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.gui.canvas.display_contrast import DisplayContrast
from napari_cellclip.gui.canvas.field_reading import read_fields
from napari_cellclip.plates import open_plate
from napari_cellclip.plates.images.illumination import Illumination
from napari_cellclip.screen import encode
from napari_cellclip.vocabulary import STAINS
from tests.tiny import tiny_model, write_tiny_plate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_plate(tmp_path / "P1", wells=6, sites=1)


def test_a_corrected_run_is_shown_corrected(folder: Path, tmp_path: Path) -> None:
    plate = open_plate(folder)
    raw = plate.sites[0].read()
    functions = {stain: np.full(raw.shape[1:], 2, np.float32) for stain in STAINS}
    corrected = plate.with_illumination(Illumination(functions, "test functions"))
    screen = encode(corrected, None, tiny_model(), tmp_path / "screen")
    shown = read_fields(plate, plate.sites[0], (plate.wells[1].id,), False, DisplayContrast(), screen)
    np.testing.assert_array_equal(shown.panels[0].pixels, corrected.sites[0].read())
    np.testing.assert_array_equal(shown.panels[1].pixels, corrected.sites[1].read())
    assert not np.array_equal(shown.panels[0].pixels, raw)
    assert "illumination corrected (test functions)" in shown.panels[0].what


def test_lost_functions_leave_the_field_as_acquired_and_say_so(folder: Path, tmp_path: Path) -> None:
    plate = open_plate(folder)
    shape = plate.sites[0].read().shape[1:]
    functions = {stain: np.full(shape, 2, np.float32) for stain in STAINS}
    corrected = plate.with_illumination(Illumination(functions, "test functions"))
    screen = encode(corrected, None, tiny_model(), tmp_path / "screen")
    for file in (screen.path / "illumination").rglob("*.npy"):
        file.unlink()
    shown = read_fields(plate, plate.sites[0], (), False, DisplayContrast(), screen)
    np.testing.assert_array_equal(shown.panels[0].pixels, plate.sites[0].read())
    assert shown.panels[0].what == "site 1, as acquired"


def test_without_a_screen_a_field_is_shown_as_acquired(folder: Path) -> None:
    plate = open_plate(folder)
    shown = read_fields(plate, plate.sites[0], (), False, DisplayContrast(), None)
    np.testing.assert_array_equal(shown.panels[0].pixels, plate.sites[0].read())
    assert shown.panels[0].what == "site 1"
