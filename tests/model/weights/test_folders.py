"""Model folders: what is saved loads again, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_cellclip.model import (
    CellCLIP,
    EncoderCard,
    FileCard,
    IntensityScaling,
    ModelCard,
    Tiling,
    load_model,
    save_model,
)
from napari_cellclip.model.encoders.channel_encoders import encoder_card, load_encoder
from napari_cellclip.model.encoders.timm_encoder import TimmEncoder
from napari_cellclip.model.encoders.transformers_encoder import TransformersEncoder
from napari_cellclip.vocabulary import ModelError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory):
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("hub") / "dinov2-tiny"
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


def same(a, b, fields, stats=None):
    found, expected = a.fields_features(fields, stats), b.fields_features(fields, stats)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(a.embed_wells([found]), b.embed_wells([expected]), atol=1e-5)
    texts = ["U2OS cells treated with tubulin inhibitor", "nocodazole"]
    np.testing.assert_allclose(a.embed_texts(texts), b.embed_texts(texts), atol=1e-5)


def test_round_trip(tmp_path, tiny_card, make_encoder, make_cellclip, tokenizer):
    from napari_cellclip.model import IntensityStats, Model

    rng = np.random.default_rng(0)
    fields = [rng.integers(0, 900, (5, 40, 40)).astype(np.uint16) for _ in range(3)]
    stats = IntensityStats.measure(fields, tiny_card.intensity)
    before = Model(tiny_card, make_cellclip(), tokenizer, make_encoder(), device="cpu")
    written = save_model(tmp_path / "m", tiny_card, before.encoder, before.cellclip, tokenizer)
    after = load_model(tmp_path / "m", device="cpu")
    assert after.card == written
    assert after.card.text_heads == 2
    assert all(len(f.sha256) == 64 for f in (written.weights, written.tokenizer, written.encoder.weights))
    assert {p.name for p in (tmp_path / "m").iterdir()} == {
        "card.json",
        "cellclip.safetensors",
        "encoder.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    }
    same(after, before, fields, stats)
    same(load_model(after.origin, device="cpu"), before, fields, stats)


@pytest.mark.parametrize("kind", ["dinov2", "timm"])
def test_other_encoders_go_through_the_same_door(tmp_path, dinov2, make_cellclip, tokenizer, fields, kind):
    import timm

    if kind == "dinov2":
        encoder = load_encoder(encoder_card(dinov2), dinov2)
        card, size = encoder_card(dinov2), 28
    else:
        torch.manual_seed(0)
        encoder = TimmEncoder(timm.create_model("resnet10t", num_classes=0).eval(), MEAN, STD)
        card, size = EncoderCard(kind="timm", name="resnet10t", dim=512), 32
    model_card = ModelCard(name=kind, encoder=card, embed_dim=8, tiling=Tiling(mode="center", size=size))
    cellclip = make_cellclip(width=card.dim)
    save_model(tmp_path / kind, model_card, encoder, cellclip, tokenizer)
    model = load_model(tmp_path / kind, device="cpu")
    features = model.fields_features(fields)
    assert features.shape == (3, 5, card.dim)
    assert isinstance(model.encoder, TransformersEncoder if kind == "dinov2" else TimmEncoder)
    assert np.isfinite(model.embed_wells([features])).all()


def test_published_style_weights_with_local_encoder_and_tokenizer(
    tmp_path, dinov2, make_cellclip, tokenizer, fields
):
    cellclip = make_cellclip(text_width=64, text_heads=1)
    save_file(cellclip.state_dict(), tmp_path / "model.safetensors")
    tokenizer.save(tmp_path)
    model = load_model(tmp_path, encoder=dinov2, device="cpu")
    assert model.card.encoder.dim == 16
    assert model.card.embed_dim == 8
    assert [s.value for s in model.card.stain_order] == ["Mito", "ER", "RNA", "AGP", "DNA"]
    assert model.fields_features(fields).shape == (3, 5, 16)
    torch.save({"model": {f"module.{k}": v for k, v in cellclip.state_dict().items()}}, tmp_path / "ckpt.pt")
    again = load_model(tmp_path / "ckpt.pt", encoder=dinov2, tokenizer=tmp_path, device="cpu")
    same(again, model, fields)
    with pytest.raises(ModelError, match="pass encoder="):
        load_model(tmp_path, device="cpu")


@pytest.mark.parametrize("name", ["cellclip.safetensors", "encoder.safetensors", "vocab.txt"])
def test_other_bytes_than_the_card_says_are_refused(tiny_folder, name):
    content = bytearray((tiny_folder / name).read_bytes())
    content[-1] ^= 1
    (tiny_folder / name).write_bytes(content)
    with pytest.raises(
        ModelError, match=f"{name} is not the file its model card describes|no WordPiece|lacks"
    ):
        load_model(tiny_folder, device="cpu")
    (tiny_folder / name).unlink()
    with pytest.raises(ModelError, match=f"not whole: {name} is missing"):
        load_model(tiny_folder, device="cpu")


def test_a_card_cannot_point_out_of_its_folder(tiny_folder):
    text = (
        (tiny_folder / "card.json")
        .read_text()
        .replace('"cellclip.safetensors"', '"../elsewhere.safetensors"')
    )
    (tiny_folder.parent / "elsewhere.safetensors").write_bytes(b"x")
    (tiny_folder / "card.json").write_text(text)
    with pytest.raises(ModelError, match="outside its folder"):
        load_model(tiny_folder, device="cpu")


def test_encoder_of_another_width_is_refused(
    tmp_path, tiny_card, dinov2, make_encoder, make_cellclip, tokenizer
):
    with pytest.raises(ModelError, match="encoder gives 16 numbers a stain, the card says 12"):
        save_model(
            tmp_path,
            tiny_card.model_copy(update={"encoder": EncoderCard(kind="small", name="", dim=12)}),
            make_encoder(),
            make_cellclip(),
            tokenizer,
        )
    with pytest.raises(ModelError, match="32 numbers a stain"):
        save_model(tmp_path, tiny_card, make_encoder(), make_cellclip(width=32), tokenizer)
    assert not list(tmp_path.iterdir())
    card = ModelCard(name="d", encoder=encoder_card(dinov2), embed_dim=8, intensity=IntensityScaling())
    save_model(tmp_path / "d", card, load_encoder(encoder_card(dinov2), dinov2), make_cellclip(), tokenizer)
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide" / "config.json").write_text('{"model_type": "dinov2", "hidden_size": 384}')
    (tmp_path / "wide" / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        ModelError, match=r"the encoder in .* gives 384 numbers a stain, 'd' was trained on 16"
    ):
        load_model(tmp_path / "d", encoder=tmp_path / "wide", device="cpu")
    with pytest.raises(ModelError, match="no channel encoder at"):
        load_model(tmp_path / "d", encoder=tmp_path / "absent", device="cpu")


def test_replaced_encoder_gets_another_hash(
    tmp_path, tiny_folder, tiny_card, make_encoder, make_cellclip, tokenizer
):
    save_model(tmp_path / "other", tiny_card, make_encoder(seed=5), make_cellclip(), tokenizer)
    own = load_model(tiny_folder, device="cpu")
    other = load_model(tiny_folder, encoder=tmp_path / "other" / "encoder.safetensors", device="cpu")
    assert other.card.encoder_hash != own.card.encoder_hash


def test_a_card_stands_for_its_model_as_long_as_that_is_the_same(
    tiny_folder, tiny_card, make_encoder, make_cellclip, tokenizer, monkeypatch
):
    monkeypatch.setenv("NAPARI_CELLCLIP_MODELS", str(tiny_folder.parent))
    card = load_model(tiny_folder, device="cpu").card
    assert load_model(card, device="cpu").card == card
    save_model(tiny_folder, tiny_card, make_encoder(), make_cellclip(seed=9), tokenizer)
    with pytest.raises(ModelError, match="is not the one asked for"):
        load_model(card, device="cpu")


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ModelError, match=r"no model 'nonsense': known are cellclip"):
        load_model("nonsense")


def test_hub_card_without_a_file_is_refused(tiny_folder):
    from napari_cellclip.model.card import read_card

    card = read_card(tiny_folder).model_copy(update={"weights": FileCard()})
    (tiny_folder / "card.json").write_text(card.to_json())
    with pytest.raises(ModelError, match="does not say where"):
        load_model(tiny_folder, device="cpu")


def test_tokenizer_of_another_model_is_refused(tmp_path, tiny_card, make_encoder, make_cellclip, tokenizer):
    save_model(tmp_path / "m", tiny_card, make_encoder(), make_cellclip(text_vocabulary=50), tokenizer)
    with pytest.raises(ModelError, match="belongs to another model"):
        load_model(tmp_path / "m", device="cpu")
    assert isinstance(make_cellclip(), CellCLIP)
