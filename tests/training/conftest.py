"""A tiny model and a tiny simulated screen, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_cellclip.model import Model
from napari_cellclip.screen import Screen, import_profiles
from tests.profile_tables import made_table, write_annotations
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


@pytest.fixture(scope="session")
def profile_screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """Two plates of measured profiles: two mechanisms of three compounds each, and controls."""
    folder = tmp_path_factory.mktemp("made-profiles")
    tables = []
    for plate in ("P1", "P2"):
        tables.append(folder / f"{plate}.csv")
        made_table(plate).to_csv(tables[-1], index=False)
    return import_profiles(tables, folder / "screen", annotations=write_annotations(folder / "known.tsv"))
