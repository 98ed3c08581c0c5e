"""Damaged metadata and images of every layout end in a sentence: thousands of seeded mutations."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.hostile_files import mutate
from tests.plates.hostile_plates import PLATES, looked_through

IMAGES = (".tif", ".tiff", ".png")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("layout", PLATES)
@pytest.mark.parametrize("inputs", [25, pytest.param(250, marks=pytest.mark.slow)])
def test_damaged_plates_are_refused_in_a_sentence_or_read(tmp_path: Path, layout: str, inputs: int) -> None:
    good = tmp_path / "good"
    good.mkdir()
    plate = PLATES[layout](good / "P1" if "zarr 0" not in layout else good).relative_to(good)
    assert looked_through(good / plate) == "read"
    files = sorted(path.relative_to(good) for path in good.rglob("*") if path.is_file())
    described = [path for path in files if path.suffix.lower() not in IMAGES] or files
    rng = random.Random(f"{layout} {inputs}")
    came: Counter[str] = Counter()
    for number in range(inputs):
        folder = tmp_path / str(number)
        shutil.copytree(good, folder)
        file = rng.choice(described if rng.random() < 0.8 else files)
        try:
            mutate(folder / file, rng)
            came[looked_through(folder / plate)] += 1
        except Exception as error:
            pytest.fail(f"input {number}, {file}: {type(error).__name__}: {error}")
        shutil.rmtree(folder)
    assert sum(came.values()) == inputs
    assert came["refused"] + came["a site refused"] > inputs // 20, "the damage reached the readers"
