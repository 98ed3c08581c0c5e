"""Files that are replaced while a plate is encoded are noticed at its end, and their sites encoded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, check_screen, encode, iter_encode
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import tiny_model, write_tiff_plate

STEPS = 2


def replace(folder: Path, name: str, seed: int) -> None:
    """Overwrite the images of a site by others of the same size."""
    rng = np.random.default_rng(seed)
    files = sorted(folder.glob(name))
    assert files
    for file in files:
        tifffile.imwrite(file, rng.integers(100, 3000, tifffile.imread(file).shape, np.uint16))


@pytest.fixture
def plate_folder(tmp_path: Path) -> Path:
    return write_tiff_plate(tmp_path / "P1")


def first_site(folder: Path) -> str:
    return sorted(file.name for file in folder.glob("*.tif*"))[0].rsplit("_", 1)[0] + "*"


def run(folder: Path, out: Path, meanwhile: Callable[[int], None]) -> list[str]:
    """Encode, do something after each shard, and return the notices."""
    notices = []
    steps = iter_encode(open_plate(folder), None, tiny_model(), out, shard_sites=STEPS, workers=0)
    for number, step in enumerate(steps):
        if step.notice:
            notices.append(step.message)
        if step.message.startswith("encoded"):
            meanwhile(number)
    return notices


def test_replaced_files_are_encoded_again(tmp_path: Path, plate_folder: Path) -> None:
    done: list[int] = []
    before = encode(open_plate(plate_folder), None, tiny_model(), tmp_path / "before", shard_sites=STEPS)

    def meanwhile(number: int) -> None:
        if not done:
            replace(plate_folder, first_site(plate_folder), 1)
            done.append(number)

    notices = run(plate_folder, tmp_path / "screen", meanwhile)
    assert len(notices) == 1
    assert "files of 1 sites were replaced while they were encoded, first P1/" in notices[0]
    found = Screen.open(tmp_path / "screen")
    sites = list(found.fields.index)
    pairs = zip(found.features(sites), before.features(sites), strict=True)
    assert [np.allclose(a, b, atol=1e-3) for a, b in pairs] == [False] + [True] * 5
    assert check_screen(tmp_path / "screen") == []
    assert encode(open_plate(plate_folder), None, tiny_model(), tmp_path / "screen").complete  # goes on


def test_files_that_are_replaced_again_and_again_end_the_run(tmp_path: Path, plate_folder: Path) -> None:
    with pytest.raises(ScreenError, match="wait until plate P1 is copied"):
        run(
            plate_folder,
            tmp_path / "s",
            lambda number: replace(plate_folder, first_site(plate_folder), number),
        )


def test_files_that_go_are_failures(tmp_path: Path, plate_folder: Path) -> None:
    def meanwhile(_: int) -> None:
        for file in plate_folder.glob(first_site(plate_folder)):
            file.rename(file.with_suffix(".away"))

    once = [meanwhile]
    notices = run(plate_folder, tmp_path / "screen", lambda n: once.pop()(n) if once else None)
    assert len(notices) == 1
    assert len(Screen.open(tmp_path / "screen").failures) == 1
