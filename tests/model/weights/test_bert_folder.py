"""A BERT in the hub's layout, with what published folders have more or less of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_cellclip.model import load_model, new_model
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.weights.bert_folder import read_bert
from napari_cellclip.vocabulary import ModelError

SIZES = {"width": 16, "layers": 1, "heads": 2, "intermediate": 24, "positions": 40}


@pytest.fixture
def bert(tmp_path: Path, tokenizer) -> Path:
    """A BERT without a pooler, with tables and a head that no text tower has."""
    folder = tmp_path / "bert"
    tokenizer.save(folder)
    torch.manual_seed(0)
    state = Bert(vocabulary=len(tokenizer), **SIZES).state_dict()
    state = {f"bert.{name}": tensor for name, tensor in state.items() if not name.startswith("pooler.")}
    state["bert.embeddings.position_ids"] = torch.arange(40)[None]
    state["cls.predictions.bias"] = torch.zeros(3)
    save_file(state, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_weights_tokenizer_and_sizes(bert: Path, tokenizer) -> None:
    tower, words, sizes = read_bert(bert)
    torch.manual_seed(0)
    expected = Bert(vocabulary=len(tokenizer), **SIZES).state_dict()
    for name, tensor in tower.state_dict().items():
        assert torch.equal(tensor, expected[name]) is not name.startswith("pooler.dense.weight")
    assert words.vocabulary == tokenizer.vocabulary
    assert (sizes["text_width"], sizes["text_tower"]) == (16, "bert")


def test_another_activation_is_refused(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(ModelError, match="has the activation 'relu': one with gelu is needed"):
        read_bert(bert)


def test_a_model_started_twice_has_the_same_pooler(bert: Path, tmp_path: Path, dinov2: Path) -> None:
    made = []
    for name in ("one", "two"):
        new_model(dinov2, tmp_path / name, text=bert, layers=1, embed_dim=8, seed=4)
        made.append(load_model(tmp_path / name, device="cpu").cellclip.state_dict())
    assert all(torch.equal(tensor, made[1][name]) for name, tensor in made[0].items())
