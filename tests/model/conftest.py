"""A tiny model, made in memory, for all tests of `model`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import ModelCard, Tiling, WordPieceTokenizer, save_model
from tests.tiny import tiny_card as card_of
from tests.tiny import tiny_encoder, tiny_network, tiny_tokenizer

WIDTHS = (8, 8)


@pytest.fixture(scope="session")
def tokenizer() -> WordPieceTokenizer:
    return tiny_tokenizer(max_length=48)


@pytest.fixture(scope="session")
def make_cellclip(tokenizer):
    return partial(tiny_network, tokenizer, jitter=0.1, layers=2, text_layers=2, text_intermediate=24)


@pytest.fixture(scope="session")
def make_encoder():
    return partial(tiny_encoder, widths=WIDTHS)


@pytest.fixture(scope="session")
def tiny_card() -> ModelCard:
    return card_of(widths=WIDTHS, tiling=Tiling(mode="grid", size=32))


@pytest.fixture
def tiny_folder(tmp_path, tiny_card, make_encoder, make_cellclip, tokenizer) -> Path:
    save_model(tmp_path / "tiny", tiny_card, make_encoder(), make_cellclip(), tokenizer)
    return tmp_path / "tiny"


@pytest.fixture
def fields() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(100, 4000, (5, y, x), dtype=np.uint16) for y, x in ((40, 50), (32, 32), (20, 70))]
