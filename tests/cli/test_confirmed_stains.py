"""What was confirmed in the window is named by the terminal, and never taken by it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
from typer.testing import CliRunner

from napari_cellclip.cli.program import app
from napari_cellclip.gui.recent import remember_stains
from napari_cellclip.plates import open_plate
from tests.plates.made_plates import image

CHANNELS = {"DNA": "w1", "ER": "w2", "RNA": "w3", "AGP": "w4", "Mito": "w5"}


def _plate(folder: Path) -> Path:
    folder.mkdir()
    for wave in range(1, 6):
        tifffile.imwrite(folder / f"B02_s1_w{wave}.tif", image(100 * wave))
    return folder


def test_the_terminal_names_what_the_window_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_cellclip.gui.recent.state_folder", lambda: tmp_path / "state")
    option = "--channel DNA=w1 --channel ER=w2 --channel RNA=w3 --channel AGP=w4 --channel Mito=w5"
    plate = _plate(tmp_path / "P2")
    before = CliRunner().invoke(app, ["info", str(plate)]).output
    assert "confirmed in the window" not in before
    remember_stains(open_plate(_plate(tmp_path / "P1"), channels=CHANNELS))
    after = CliRunner().invoke(app, ["info", str(plate)]).output
    assert f"    {option} (as you confirmed in the window for P1)" in after
    assert "DNA   not known" in after
    run = CliRunner().invoke(app, ["encode", str(plate), "--out", str(tmp_path / "screen")])
    assert run.exit_code != 0
    assert f"Or: {option} (as you confirmed in the window for P1)" in run.output
    assert not (tmp_path / "screen").exists()
