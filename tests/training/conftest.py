"""A tiny model and a tiny simulated screen, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    IntensityScaling,
    Model,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
    load_model,
    save_model,
)
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from napari_cellclip.simulation import simulate_plate


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    words = WordPieceTokenizer.build(["U2OS cells treated with compound: control"], size=250, max_length=64)
    torch.manual_seed(0)
    network = CellCLIP(
        CellCLIPConfig(
            width=16,
            embed_dim=8,
            layers=1,
            pool_hidden=8,
            text_vocabulary=len(words),
            text_width=16,
            text_layers=1,
            text_heads=2,
            text_intermediate=16,
            text_positions=64,
        )
    )
    card = ModelCard(
        name="tiny",
        encoder=EncoderCard(kind="small", name="tiny", dim=16, widths=(4, 8), depths=(1, 1)),
        embed_dim=8,
        intensity=IntensityScaling(kind="plate"),
        tiling=Tiling(mode="center", size=32),
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, card, SmallEncoder(16, (4, 8), (1, 1)), network, words)
    return load_model(folder, device="cpu")


@pytest.fixture(scope="session")
def tiny_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plates") / "tiny-plate"
    return simulate_plate(folder, wells=12, sites=2, seed=5, size=(40, 40), workers=1)


@pytest.fixture(scope="session")
def tiny_screen(tiny_plate: Path, tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    out = tmp_path_factory.mktemp("screens") / "tiny"
    return encode(open_plate(tiny_plate), PlateMap.read(tiny_plate / "platemap.csv"), tiny_model, out)
