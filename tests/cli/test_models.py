"""Models in the terminal: listed, fetched only after a yes, and started on an encoder of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_cellclip.screen import Screen
from tests.cli.cli_terminal import call, succeed


def test_models_are_listed_with_licence_and_size() -> None:
    text = succeed("models").stdout
    assert "cellclip: CellCLIP as published" in text
    assert "demo: a small CellCLIP trained on simulated cells" in text  # the name once
    assert "0 B" not in text
    assert "CC-BY-NC-ND-4.0, not accepted yet; encoder facebook/dinov2-giant; 6.3 GB; to fetch" in text
    rows = {row["name"]: row for row in json.loads(succeed("models", "--json").stdout)}
    assert rows["demo"]["here"]
    assert rows["demo"]["simulated"]
    assert rows["cellclip"]["repositories"] == [
        "facebook/dinov2-giant",
        "google-bert/bert-base-cased",
        "suinleelab/CellCLIP",
    ]


def test_a_card_is_json() -> None:
    card = json.loads(succeed("models", "card", "mil_cell_clip").stdout)
    assert card["stain_order"] == ["Mito", "ER", "RNA", "AGP", "DNA"]
    assert call("models", "card", "nonsense").exit_code == 1


def test_nothing_is_fetched_before_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    asked = call("models", "fetch", "cellclip")
    assert asked.exit_code == 1
    for words in ("model.safetensors @ main  1.8 GB", "4.5 GB", "to fetch: 6.3 GB", "no commercial use"):
        assert words in asked.stderr
    assert "was not accepted, so nothing was fetched" in asked.stderr
    yes = call("models", "fetch", "cellclip", "--accept-licence")
    assert yes.exit_code == 1  # the session is offline
    assert "HF_HUB_OFFLINE is set" in yes.stderr
    assert "accepted yet" not in succeed("models").stdout  # but the yes is remembered
    assert "nothing to fetch" in succeed("models", "fetch", "demo").stderr


@pytest.mark.slow
def test_a_model_of_ones_own_from_encoder_to_question(plate_folder: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.SiglipVisionConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=48,
        patch_size=16,
    )
    transformers.SiglipVisionModel(config).save_pretrained(tmp_path / "siglip")
    started = succeed(
        "models",
        "new",
        "--encoder",
        tmp_path / "siglip",
        "--out",
        tmp_path / "m",
        "--layers",
        1,
        "--embed-dim",
        16,
    )
    assert "16 numbers a stain, its head is untrained" in started.stderr
    place = ("--platemap", plate_folder / "platemap.csv", "--device", "cpu")
    succeed("encode", plate_folder, *place, "--model", tmp_path / "m", "--out", tmp_path / "screen")
    succeed("train", tmp_path / "screen", "--out", tmp_path / "trained", "--epochs", 1, "--device", "cpu")
    succeed("encode", plate_folder, *place, "--model", tmp_path / "trained", "--out", tmp_path / "screen")
    screen = Screen.open(tmp_path / "screen")
    assert screen.card.name == "trained"
    assert screen.card.encoder.kind == "siglip"
    assert np.isfinite(screen.embeddings).all()


def test_features_of_the_published_code_become_a_screen(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as data:
        data["embeddings"] = np.random.default_rng(0).normal(size=(2, 6, 5, 8)).astype(np.float32)
        data.create_dataset("names", data=["24277-A01", "24277-A02"], dtype=h5py.string_dtype())
    done = succeed("import-published-features", tmp_path / "f.h5", "--out", tmp_path / "screen")
    assert "2 wells of 1 plates, 12 fields" in done.stderr
    assert Screen.open(tmp_path / "screen").embeddings.shape == (2, 8)
    refused = call(
        "import-published-features", tmp_path / "f.h5", "--out", tmp_path / "s", "--stains", "DNA,blue"
    )
    assert refused.exit_code == 1
    assert "'blue' is not a stain" in refused.stderr
