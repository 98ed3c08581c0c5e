"""A run asks the file system no more often than it must for the state of each image."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from tests.tiny import tiny_model, write_tiff_plate


@pytest.fixture
def stats(monkeypatch) -> Counter[str]:
    """How often each image was stat-ed, by name, from Python."""
    found: Counter[str] = Counter()
    plain, of_path = os.stat, Path.stat

    def count(path) -> None:
        if str(path).endswith(".tiff"):
            found[Path(path).name] += 1

    def stat(path, *args, **kwargs):
        count(path)
        return plain(path, *args, **kwargs)

    def path_stat(self, **kwargs):
        count(self)
        return plain(self, **kwargs)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(Path, "stat", path_stat)
    assert of_path is not Path.stat
    return found


def test_first_run_stats_each_image_before_and_after_and_a_continued_one_once(
    tmp_path, stats, monkeypatch
) -> None:
    folder = write_tiff_plate(tmp_path / "P1")
    names = {file.name for file in folder.glob("*.tiff")}
    stats.clear()
    plate = open_plate(folder)
    opening = Counter(stats)
    monkeypatch.setattr("napari_cellclip.plates.site.Site.read", _read_from_memory)
    encode(plate, None, tiny_model(), tmp_path / "screen")
    assert stats - opening == Counter(dict.fromkeys(names, 2))  # to see what was replaced meanwhile
    assert opening == Counter()

    stats.clear()
    encode(plate, None, tiny_model(), tmp_path / "screen")
    assert stats == Counter(dict.fromkeys(names, 1))


def _read_from_memory(site, stains):
    """Pixels without a file: readers of TIFF files stat what they open, which is no question of state."""
    import numpy as np

    return np.full((len(stains), 40, 52), 900 + site.number, np.uint16)
