"""What files of others may not do: see docs/security.md."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_cellclip.explore.wording.smiles import is_like_structure
from napari_cellclip.model import EncoderCard, load_model
from napari_cellclip.model.encoders.timm_encoder import timm_card
from napari_cellclip.plates import open_plate
from napari_cellclip.screen import encode
from napari_cellclip.screen.export import spreadsheet_safe
from napari_cellclip.vocabulary import ModelError
from tests.tiny import write_tiff_plate, write_tiny_model

NAMES = ["hf-hub:a/b", "hf_hub:a/b", "local-dir:/etc", "../up", "a/b", "/abs", "a..b", "", "x" * 200, "a\0b"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_timm_networks_lead_nowhere(name, tmp_path) -> None:
    with pytest.raises(ValueError, match="no name of a timm network"):
        EncoderCard(kind="timm", name=name, dim=8)
    (tmp_path / "config.json").write_text(pd.Series({"architecture": name}).to_json())
    with pytest.raises(ModelError, match="no name of a timm network"):
        timm_card(tmp_path)


def test_real_names_of_timm_networks_are_taken() -> None:
    assert EncoderCard(kind="timm", name="vit_small_patch14_dinov2.lvd142m", dim=8).name


def test_structures_are_recognised_in_linear_time() -> None:
    began = time.process_time()
    assert is_like_structure("[C]" * 200)
    assert not is_like_structure("[C]" * 200 + "!")
    assert time.process_time() - began < 5  # 30 of them took 56 s


def test_exported_cells_are_no_formulas() -> None:
    table = pd.DataFrame({"=a": ["=HYPERLINK(1)", "+1", "@x", "", "taxol", -1.5]}, index=["-b", *"cdefg"])
    safe = spreadsheet_safe(table)
    assert safe["'=a"].tolist() == ["'=HYPERLINK(1)", "'+1", "'@x", "", "taxol", -1.5]
    assert safe.index[0] == "'-b"


@pytest.mark.parametrize("damage", ["gone", "nan"])
def test_a_model_that_cannot_be_loaded_stops_before_the_first_site(tmp_path, monkeypatch, damage) -> None:
    folder = write_tiny_model(tmp_path / "model")
    model = load_model(folder, device="cpu")
    weights = folder / model.card.encoder.weights.file
    state = load_file(weights)
    if damage == "gone":
        weights.unlink()
    else:
        first = next(name for name in state if state[name].is_floating_point())
        save_file(state | {first: torch.full_like(state[first], torch.nan)}, weights)
    plate = open_plate(write_tiff_plate(tmp_path / "P1"))
    read = []
    monkeypatch.setattr("napari_cellclip.plates.site.Site.read", lambda site, stains: read.append(site.id))
    with pytest.raises(ModelError):
        encode(plate, None, model, tmp_path / "screen")
    assert read == []


def test_a_head_whose_weights_are_nan_stops_before_the_first_site(tmp_path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    weights = folder / "cellclip.safetensors"
    state = load_file(weights)
    first = next(name for name in state if state[name].is_floating_point())
    save_file(state | {first: torch.full_like(state[first], torch.nan)}, weights)
    with pytest.raises(ModelError):
        load_model(folder, device="cpu")
