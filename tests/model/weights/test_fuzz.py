"""Damaged model folders are refused in a sentence, or load and embed texts as numbers."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import load_model
from napari_cellclip.vocabulary import CellClipError
from tests.hostile_files import mutate
from tests.tiny import write_tiny_model


@pytest.mark.parametrize("inputs", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_model_folders(tmp_path: Path, inputs: int) -> None:
    good = write_tiny_model(tmp_path / "good")
    files = sorted(path.relative_to(good) for path in good.rglob("*") if path.is_file())
    described = [path for path in files if path.suffix != ".safetensors"]
    rng = random.Random(inputs)
    came: Counter[str] = Counter()
    for number in range(inputs):
        folder = tmp_path / str(number)
        shutil.copytree(good, folder)
        file = rng.choice(described if rng.random() < 0.7 else files)
        mutate(folder / file, rng)
        try:
            model = load_model(folder, device="cpu")
            assert np.isfinite(model.embed_texts(["tubulin inhibitor"])).all()
            came["loaded"] += 1
        except CellClipError:
            came["refused"] += 1
        except Exception as error:
            pytest.fail(f"input {number}, {file}: {type(error).__name__}: {error}")
        shutil.rmtree(folder)
    assert came["refused"] > inputs // 5, "the damage reached the readers"
