"""A run that encoded nothing says so by its exit code, and leaves a folder that the same command goes on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import IntensityScaling
from napari_cellclip.screen import Screen, check_screen, plate_run
from napari_cellclip.screen.engines.plate_intensity import measure_plate
from tests.cli.cli_terminal import call
from tests.tiny import write_tiff_plate, write_tiny_model

WELLS = ("A01", "A02", "B01")


def tiny(folder: Path, scaling: str) -> Path:
    return write_tiny_model(folder, intensity=IntensityScaling(kind=scaling))


SCALINGS = ("plate", "image")
"""Ranges over a plate are measured before the first site; each image by itself only when it is encoded."""


@pytest.mark.parametrize("content", [b"", b"no image at all"], ids=["empty", "no images"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_plate_without_a_good_image_is_mended_and_encoded(
    tmp_path: Path, content: bytes, scaling: str
) -> None:
    good = write_tiff_plate(tmp_path / "good" / "P1", wells=WELLS)
    plate = shutil.copytree(good, tmp_path / "P1")
    for file in plate.iterdir():
        file.write_bytes(content)
    out, model = tmp_path / "screen", tiny(tmp_path / "model", scaling)
    verb = ("encode", plate, "--model", model, "--device", "cpu", "--out", out)
    result = call(*verb)
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert result.stdout == ""

    for _ in range(2):  # again, with nothing changed: the same answer
        assert call(*verb).exit_code == 1

    shutil.rmtree(plate)
    shutil.copytree(good, plate)
    result = call(*verb)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == [str(out)]
    screen = Screen.open(out)
    assert screen.failures.empty
    assert check_screen(out) == []
    fresh = tmp_path / "fresh"
    assert call("encode", good, "--model", model, "--device", "cpu", "--out", fresh).exit_code == 0
    np.testing.assert_array_equal(screen.embeddings, Screen.open(fresh).embeddings)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_one_bad_plate_beside_a_good_one_is_told_by_the_exit_code(tmp_path: Path, scaling: str) -> None:
    model, out = tiny(tmp_path / "model", scaling), tmp_path / "screen"
    first, second = (write_tiff_plate(tmp_path / name, wells=WELLS) for name in ("P1", "P2"))
    options = ("--model", model, "--device", "cpu", "--out", out)
    assert call("encode", first, *options).exit_code == 0
    aside = shutil.copytree(second, tmp_path / "aside")
    for file in second.iterdir():
        file.write_bytes(b"")
    result = call("encode", second, *options)
    assert result.exit_code == 1
    assert "P2" in result.stderr
    shutil.rmtree(second)
    shutil.copytree(aside, second)
    assert call("encode", second, *options).exit_code == 0
    assert Screen.open(out).wells["Metadata_sites"].gt(0).all()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_images_that_go_away_after_they_were_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scaling: str
) -> None:
    model, out = tiny(tmp_path / "model", scaling), tmp_path / "screen"
    first, second = (write_tiff_plate(tmp_path / name, wells=WELLS) for name in ("P1", "P2"))
    aside = shutil.copytree(second, tmp_path / "aside")
    options = ("--model", model, "--device", "cpu", "--out", out)
    assert call("encode", first, *options).exit_code == 0

    def measure_then_lose(*given):
        measured = yield from measure_plate(*given)
        for file in second.iterdir():
            file.write_bytes(b"")
        return measured

    with monkeypatch.context() as patch:
        patch.setattr(plate_run, "measure_plate", measure_then_lose)
        result = call("encode", second, *options)
    assert "6 sites could not be used" in result.stderr
    assert result.exit_code == 1  # whatever the other plates of the screen hold
    assert Screen.open(out).wells["Metadata_sites"].sum() == 6
    assert check_screen(out) == []

    for file in aside.iterdir():
        shutil.copy2(file, second)
    result = call("encode", second, *options)
    assert result.exit_code == 0, result.stderr
    screen = Screen.open(out)
    assert screen.failures.empty
    assert screen.wells["Metadata_sites"].sum() == 12
    assert check_screen(out) == []
