"""A tiny model, made in memory, for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellclip.model import (
    CellCLIP,
    CellCLIPConfig,
    EncoderCard,
    IntensityScaling,
    ModelCard,
    SmallEncoder,
    Tiling,
    WordPieceTokenizer,
    save_model,
)

CORPUS = [
    "U2OS cells treated with compound: nocodazole, SMILES: COC(=O)Nc1nc2ccc(cc2[nH]1)C(=O)c1cccs1",
    "U2OS cells treated with tubulin inhibitor",
    "U2OS cells treated with crispr, targeting genes: TUBB",
]


@pytest.fixture(scope="session")
def tokenizer() -> WordPieceTokenizer:
    return WordPieceTokenizer.build(CORPUS * 3, size=320, max_length=48)


@pytest.fixture(scope="session")
def make_cellclip(tokenizer):
    def make(seed: int = 0, **changes) -> CellCLIP:
        sizes = {
            "width": 16,
            "embed_dim": 8,
            "layers": 2,
            "pool_hidden": 8,
            "text_vocabulary": len(tokenizer),
            "text_width": 16,
            "text_layers": 2,
            "text_heads": 2,
            "text_intermediate": 24,
            "text_positions": 48,
        }
        torch.manual_seed(seed)
        model = CellCLIP(CellCLIPConfig(**(sizes | changes)))
        # The class token starts at zero and the gains at one: random ones let no term hide.
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return model.eval()

    return make


@pytest.fixture(scope="session")
def make_encoder():
    def make(seed: int = 0) -> SmallEncoder:
        torch.manual_seed(seed)
        return SmallEncoder(16, (8, 8), (1, 1)).eval()

    return make


@pytest.fixture(scope="session")
def tiny_card() -> ModelCard:
    return ModelCard(
        name="tiny",
        encoder=EncoderCard(kind="small", name="tiny encoder", dim=16, widths=(8, 8), depths=(1, 1)),
        embed_dim=8,
        intensity=IntensityScaling(kind="plate"),
        tiling=Tiling(mode="grid", size=32),
    )


@pytest.fixture
def tiny_folder(tmp_path, tiny_card, make_encoder, make_cellclip, tokenizer) -> Path:
    save_model(tmp_path / "tiny", tiny_card, make_encoder(), make_cellclip(), tokenizer)
    return tmp_path / "tiny"


@pytest.fixture
def fields() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(100, 4000, (5, y, x), dtype=np.uint16) for y, x in ((40, 50), (32, 32), (20, 70))]
