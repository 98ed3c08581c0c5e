"""Encoders of transformers and timm from random checkpoints in the hub's layout, and models started on them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_cellclip.model import IntensityStats, load_model, new_model
from napari_cellclip.model.encoders.channel_encoders import encoder_and_crop, encoder_card, load_encoder
from napari_cellclip.model.encoders.transformers_encoder import HALVES, IMAGENET, OPENAI, TransformersEncoder
from napari_cellclip.model.weights.hub import hub_files
from napari_cellclip.vocabulary import ModelError

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "image_size": 32,
    "patch_size": 8,
}
COLOURS = {"dinov2": IMAGENET, "vit": IMAGENET, "clip": OPENAI, "siglip": HALVES}


def save(kind: str, folder: Path):
    """A random network of a family, saved as its repositories are; returned for comparison."""
    import transformers as t

    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 30,
    }
    if kind == "vit":
        network = t.ViTModel(t.ViTConfig(**SIZES))  # with the pooler that must not be used
    elif kind == "dinov2":
        network = t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**SIZES))
    elif kind == "clip":
        network = t.CLIPModel(t.CLIPConfig(vision_config=SIZES, text_config=text, projection_dim=8))
    else:
        network = t.SiglipModel(t.SiglipConfig(vision_config=SIZES, text_config=text))
    network.eval().save_pretrained(folder)
    return network


def feature(kind: str, network, colour):
    """The feature of a crop by the network's own parts."""
    if kind == "dinov2":
        return network(pixel_values=colour).last_hidden_state[:, 0]
    if kind == "vit":
        return network.layernorm(network(pixel_values=colour, output_hidden_states=True).hidden_states[-1])[
            :, 0
        ]
    return network.vision_model(pixel_values=colour).pooler_output


@pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip"])
def test_features_are_those_of_the_family(tmp_path, kind):
    network = save(kind, tmp_path / kind)
    card, crop = encoder_and_crop(tmp_path / kind)
    assert (card.kind, card.dim, crop) == (kind, 16, 224 if kind == "dinov2" else 32)
    assert (card.mean, card.std) == COLOURS[kind]
    encoder = load_encoder(card, tmp_path / kind)
    assert isinstance(encoder, TransformersEncoder)
    images = torch.rand(2, 1, 32, 32)
    colour = torch.cat([(images - m) / s for m, s in zip(card.mean, card.std, strict=True)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), feature(kind, network, colour), atol=1e-5, rtol=1e-4)
        assert encoder(torch.rand(1, 1, 48, 48)).shape == (1, 16)  # positions are interpolated
        if kind == "vit":
            assert not torch.allclose(encoder(images), network(pixel_values=colour).pooler_output)


def test_clip_without_its_text_half_is_the_same_encoder(tmp_path):
    import transformers as t

    whole = save("clip", tmp_path / "whole")
    t.CLIPVisionModel(whole.config.vision_config).save_pretrained(tmp_path / "half")
    card = encoder_card(tmp_path / "half")
    assert (card.kind, card.dim) == ("clip", 16)
    assert load_encoder(card, tmp_path / "half").dim == 16


def test_a_repositorys_own_preprocessing_wins(tmp_path):
    save("vit", tmp_path)
    told = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "crop_size": {"height": 24, "width": 24}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    card, crop = encoder_and_crop(tmp_path)
    assert (card.mean, card.std, crop) == ((0.5,) * 3, (0.25,) * 3, 24)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": "x", "size": {"shortest_edge": 28}})
    )
    card, crop = encoder_and_crop(tmp_path)
    assert (card.mean, crop) == (IMAGENET[0], 28)


def test_incomplete_and_foreign_weights_are_refused(tmp_path):
    network = save("siglip", tmp_path)
    card = encoder_card(tmp_path)
    state = network.state_dict()
    short = {k: v.clone() for k, v in state.items() if "post_layernorm" not in k}
    save_file(short, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"SigLIP in .* lacks 2 weights"):
        load_encoder(card, tmp_path)
    with pytest.raises(ModelError, match="holds a SigLIP, the card asks for the kind 'clip'"):
        load_encoder(card.model_copy(update={"kind": "clip"}), tmp_path)


def test_weights_that_would_run_code_are_refused_and_not_run(tmp_path):
    save("vit", tmp_path)
    card = encoder_card(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    made = tmp_path / "made-by-the-pickle"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (made,))

    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(ModelError, match=r"ViT in .* (is refused|cannot be loaded)"):
        load_encoder(card, tmp_path)
    assert not made.exists()


def test_code_that_comes_with_weights_is_never_run(tmp_path):
    save("vit", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "trap.Trap"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w').close()\nclass Trap: pass\n")
    assert load_encoder(encoder_card(tmp_path), tmp_path).dim == 16
    assert not (tmp_path / "sprung").exists()


@pytest.fixture
def timm_repository(tmp_path):
    import timm

    torch.manual_seed(0)
    folder = tmp_path / "resnet10t.made_up"
    folder.mkdir()
    network = timm.create_model("resnet10t", num_classes=3).eval()
    save_file(network.state_dict(), folder / "model.safetensors")
    told = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2], "input_size": [3, 48, 48]}
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet10t", "pretrained_cfg": told}))
    return folder


def test_a_repository_of_timm_tells_its_architecture_and_colours(timm_repository):
    card, crop = encoder_and_crop(timm_repository)
    assert (card.kind, card.name, card.dim, crop) == ("timm", "resnet10t", 512, 48)
    assert card.mean == (0.4, 0.5, 0.6)
    assert load_encoder(card, timm_repository, size=crop)(torch.rand(2, 1, 48, 48)).shape == (2, 512)


def test_timm_positions_are_interpolated_to_the_crop(tmp_path):
    import timm

    torch.manual_seed(0)
    whole = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64).eval()
    save_file(whole.state_dict(), tmp_path / "model.safetensors")
    told = {"architecture": "vit_tiny_patch16_224", "pretrained_cfg": {"input_size": [3, 64, 64]}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    card, crop = encoder_and_crop(tmp_path)
    encoder = load_encoder(card, tmp_path, size=96)
    assert crop == 64
    assert encoder(torch.rand(1, 1, 96, 96)).shape == (1, 192)


def as_hub_cache(cache: Path, repo: str, commit: str, folder: Path) -> None:
    """Lay a folder out as the hub's client caches repositories."""
    place = cache / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots").mkdir()
    folder.rename(place / "snapshots" / commit)


@pytest.mark.parametrize("kind", ["dinov2", "vit", "clip", "siglip", "timm"])
def test_a_model_started_on_a_hub_encoder_names_its_commit(tmp_path, kind, monkeypatch, fields, request):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    if kind == "timm":
        folder = request.getfixturevalue("timm_repository")
    else:
        folder = tmp_path / "files"
        save(kind, folder)
    as_hub_cache(tmp_path / "hub", "org/encoder", "e" * 40, folder)
    with pytest.raises(ModelError, match=r"not accepted yet.*org/encoder.*--accept-licence"):
        new_model("org/encoder", tmp_path / "model")
    card = new_model("org/encoder", tmp_path / "model", layers=1, embed_dim=24, accept_licence=True)
    assert card.encoder.kind == kind
    assert (card.encoder.weights.repo, card.encoder.weights.revision) == ("org/encoder", "e" * 40)
    assert len(card.encoder.weights.sha256) == 64
    assert "nothing yet" in card.description
    assert not (tmp_path / "model" / "encoder").exists()  # nothing is copied
    model = load_model(tmp_path / "model", device="cpu")
    beside = [] if kind == "timm" else ["config.json"]
    assert [file.file for file in hub_files(model.card)] == ["model.safetensors", *beside]
    stats = IntensityStats.measure(fields, model.card.intensity)
    features = model.fields_features([field[:, :20, :20] for field in fields], stats)
    assert features.shape == (3, 5, card.encoder.dim)
    assert model.embed_wells([features]).shape == (1, 24)
    assert model.embed_texts(["tubulin inhibitor"]).shape == (1, 24)


def test_a_model_started_on_a_folder_is_whole_in_its_own(tmp_path, fields):
    save("siglip", tmp_path / "siglip")
    card = new_model(tmp_path / "siglip", tmp_path / "model", layers=1, embed_dim=8)
    same = new_model(tmp_path / "siglip", tmp_path / "again", layers=1, embed_dim=8)
    assert card.weights.sha256 == same.weights.sha256  # the same seed
    for path in (tmp_path / "siglip").iterdir():
        path.unlink()
    model = load_model(tmp_path / "model", device="cpu")
    assert not hub_files(model.card)
    stats = IntensityStats.measure(fields, model.card.intensity)
    assert np.isfinite(model.embed_wells([model.fields_features(fields, stats)])).all()
    with pytest.raises(ModelError, match="is in use"):
        new_model(tmp_path / "siglip", tmp_path / "model")
    with pytest.raises(ModelError, match="neither a folder nor a repository"):
        new_model("siglip", tmp_path / "third")


def test_a_model_can_start_from_a_bert(tmp_path, tokenizer):
    import transformers as t

    save("siglip", tmp_path / "siglip")
    config = t.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=40,
    )
    bert = t.BertModel(config).eval()
    bert.save_pretrained(tmp_path / "bert")
    tokenizer.save(tmp_path / "bert")
    new_model(tmp_path / "siglip", tmp_path / "model", text=tmp_path / "bert", layers=1, embed_dim=8)
    model = load_model(tmp_path / "model", device="cpu")
    tokens = model.tokenizer(["U2OS cells treated with tubulin inhibitor"])
    with torch.no_grad():
        torch.testing.assert_close(model.cellclip.text(**tokens), bert(**tokens).pooler_output)
