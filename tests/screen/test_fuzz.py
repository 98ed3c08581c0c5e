"""Damaged screens are named by `check` and refused in a sentence, and never read as something else."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.screen import Screen, check_screen
from napari_cellclip.vocabulary import CellClipError
from tests.hostile_files import mutate
from tests.tiny import encode_tiny_screen, tiny_model, write_tiny_plate


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("fuzz")
    return encode_tiny_screen(write_tiny_plate(folder / "P1", wells=6), tiny_model(), folder / "screen")


def looked_through(folder: Path) -> Screen | None:
    """All that is asked of a screen; ``None`` where that is refused."""
    try:
        screen = Screen.open(folder)
        assert len(screen.wells) >= 0
        assert np.isfinite(screen.embeddings[~np.isnan(screen.embeddings).any(axis=1)]).all()
        for plate in screen.plates:
            screen.contrast(plate)
        screen.features([str(site) for site in screen.fields.index[:2]])
        assert len(screen.failures) + len(screen.quality) + len(screen.well_quality) > 0
        assert screen.negative_controls.dtype == bool
    except CellClipError:
        return None
    return screen


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("inputs", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_screens(good: Screen, tmp_path: Path, inputs: int) -> None:
    files = sorted(path.relative_to(good.path) for path in good.path.rglob("*") if path.is_file())
    rng = random.Random(inputs)
    came: Counter[str] = Counter()
    before = dict(zip(good.well_ids, good.embeddings, strict=True))
    for number in range(inputs):
        folder = tmp_path / str(number)
        shutil.copytree(good.path, folder)
        file = rng.choice(files)
        content = (folder / file).read_bytes()
        mutate(folder / file, rng)
        changed = (folder / file).read_bytes() != content
        try:
            findings = check_screen(folder)
            screen = looked_through(folder)
        except Exception as error:
            pytest.fail(f"input {number}, {file}: {type(error).__name__}: {error}")
        if changed and file.suffix == ".parquet":
            assert findings, f"input {number}, {file}: a change went unnoticed"
        if screen is None:
            came["refused"] += 1
        else:
            came["read"] += 1
            for well, vector in zip(screen.well_ids, screen.embeddings, strict=True):
                same = well in before and np.array_equal(vector, before[well])
                assert same or np.isnan(vector).all() or findings, f"input {number}, {file}: {well} differs"
        shutil.rmtree(folder)
    assert came["refused"] > inputs // 10, "the damage reached the readers"
