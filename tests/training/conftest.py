"""A tiny model and a tiny simulated screen, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellclip.model import Model
from napari_cellclip.screen import Screen
from tests.tiny import encode_tiny_screen, load_tiny_model, write_tiny_plate


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_plate(tmp_path_factory.mktemp("plates") / "tiny-plate")


@pytest.fixture(scope="session")
def tiny_screen(tiny_plate: Path, tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    return encode_tiny_screen(tiny_plate, tiny_model, tmp_path_factory.mktemp("screens") / "tiny")
