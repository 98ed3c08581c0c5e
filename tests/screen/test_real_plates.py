"""Every complete real set, from files to embeddings, through the bundled model and a random DINOv2-small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellclip.model import CellCLIP, CellCLIPConfig, ModelCard, Tiling, load_model, save_model
from napari_cellclip.model.encoders.channel_encoders import encoder_card, load_encoder
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode

WELLS = {"img_bray2017_plate24279": 1, "img_jump_rab30": 2, "img_pe2loaddata_phenix/Version1": 1}


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose channel encoder has the sizes of facebook/dinov2-small and random weights."""
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}
    Dinov2Model(Dinov2Config(**sizes, image_size=518, patch_size=14)).save_pretrained(folder / "encoder")
    words = load_model("demo", device="cpu").tokenizer
    head = CellCLIP(
        CellCLIPConfig(
            width=384,
            embed_dim=32,
            layers=1,
            text_vocabulary=len(words),
            text_width=32,
            text_layers=1,
            text_heads=2,
            text_intermediate=64,
            text_positions=words.max_length,
        )
    )
    card = ModelCard(
        name="random-dinov2",
        encoder=encoder_card(folder / "encoder"),
        embed_dim=32,
        tiling=Tiling(mode="center", size=224),
    )
    save_model(folder / "model", card, load_encoder(card.encoder, folder / "encoder"), head, words)
    return folder / "model"


@pytest.mark.real_data
@pytest.mark.parametrize("name", WELLS)
@pytest.mark.parametrize("model", ["demo", "dinov2"])
def test_real_sets_encode(
    real_data: Path, tmp_path: Path, request: pytest.FixtureRequest, name: str, model: str
) -> None:
    source = request.getfixturevalue("dinov2") if model == "dinov2" else model
    screen = encode(open_plate(real_data / name), None, load_model(source, device="cpu"), tmp_path / "screen")
    assert len(screen.wells) == WELLS[name]
    assert screen.failures.empty
    assert np.isfinite(screen.embeddings).all()
    assert (np.linalg.norm(screen.embeddings, axis=1) > 0).all()
