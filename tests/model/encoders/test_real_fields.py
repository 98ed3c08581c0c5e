"""Real Cell Painting fields through a DINOv2-small with random weights, lying on disk as the hub has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cellclip.model import ModelCard, Tiling, load_model, save_model
from napari_cellclip.model.encoders.channel_encoders import encoder_card, load_encoder
from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import STAINS, Stain

PUBLISHED_ORDER = (Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA)


@pytest.fixture(scope="module")
def model(tmp_path_factory, make_cellclip, tokenizer):
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2") / "dinov2-small"
    # The sizes of facebook/dinov2-small.
    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    card = ModelCard(
        name="random-dinov2",
        encoder=encoder_card(folder),
        embed_dim=8,
        tiling=Tiling(mode="random", size=224, n=1, seed=1),
        stain_order=PUBLISHED_ORDER,
    )
    whole = folder.parent / "model"
    save_model(whole, card, load_encoder(card.encoder, folder), make_cellclip(width=384), tokenizer)
    return load_model(whole, device="cpu")


@pytest.mark.real_data
@pytest.mark.parametrize(
    "plate", ["img_bray2017_plate24279", "img_jump_rab30", "img_pe2loaddata_phenix/Version1"]
)
def test_real_fields_encode(real_data, model, plate):
    site = open_plate(real_data / plate).sites[0]
    pixels = site.read(STAINS)
    before = pixels.copy()
    features = model.fields_features([pixels])[0]
    assert features.shape == (5, 384)
    assert np.isfinite(features).all()
    assert np.array_equal(features, model.fields_features([pixels])[0])
    assert np.array_equal(pixels, before)
    # The first slot holds what the card asks for: that stain, wherever it stands, gives the same numbers.
    mito = np.repeat(pixels[STAINS.index(Stain.MITO)][None], 5, axis=0)
    np.testing.assert_allclose(model.fields_features([mito])[0][0], features[0], atol=1e-4)
    assert np.isfinite(model.embed_wells([features[None]])).all()
