"""The demo, run as the README's first command runs it on a machine without a screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from napari_cellclip.screen import Screen


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform.startswith("linux") and shutil.which("Xvfb") is None, reason="needs a virtual display"
)
def test_demo_draws_the_window_and_keeps_what_it_made(tmp_path: Path, cache_folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}

    def demo(name: str) -> np.ndarray:
        words = [sys.executable, "-m", "napari_cellclip.cli", "demo", "--screenshot", str(tmp_path / name)]
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(tmp_path / name)]
        assert "simulations" in done.stderr
        return imread(tmp_path / name)[..., :3]

    picture = demo("first.png")
    assert picture.shape[0] >= 800
    assert picture.shape[1] >= 1200
    colours = np.unique(picture.reshape(-1, 3), axis=0)
    assert len(colours) > 5000, "five stains on the canvas have many colours; an empty window has few"

    (screen,) = cache_folder.rglob("*.screen")
    assert len(Screen.open(screen).wells) == 96
    stamps = {file: file.stat().st_mtime_ns for file in screen.rglob("fields/**/*.parquet")}
    demo("second.png")
    assert stamps == {file: file.stat().st_mtime_ns for file in screen.rglob("fields/**/*.parquet")}
