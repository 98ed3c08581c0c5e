"""Where a run begins: a model, another one's text tower, fresh sizes, or measured profiles."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_cellclip.model import EncoderCard, FileCard, Model, ModelCard, WordPieceTokenizer, load_model
from napari_cellclip.model.network.bert import Bert
from napari_cellclip.model.network.fingerprint_tokenizer import FingerprintTokenizer
from napari_cellclip.screen import Screen
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.storage.labels import label_table
from napari_cellclip.training import RunConfig, iter_train, train
from napari_cellclip.training.config import RUN_FILE
from napari_cellclip.training.data.run_split import split_of
from napari_cellclip.training.loop.starting_weights import base_of, starting_point
from napari_cellclip.vocabulary import CellClipError

CORPUS = ["U2OS cells treated with compound: taxol", "U2OS cells treated with compound: nocodazole"]


def settings(training: dict[str, Any] | None = None, **sections: Any) -> RunConfig:
    quick = {"epochs": 2, "batch": 16, "warmup": 2} | (training or {})
    return RunConfig.from_dict({"training": quick, **sections})


def begin(screen: Screen, run: RunConfig) -> Any:
    return starting_point([screen], run, base_of([screen], run.model), CORPUS)


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """Two plates of twelve compounds and DMSO; compounds of one mechanism look alike."""
    folder = tmp_path_factory.mktemp("profiles") / "measured"
    text = json.dumps({"features": "by stain"})
    encoder = EncoderCard(
        kind="profile",
        name="measured",
        dim=12,
        weights=FileCard(file="features.json", sha256=hashlib.sha256(text.encode()).hexdigest()),
    )
    card = ModelCard(name="p", weights=FileCard(), tokenizer=FileCard(), encoder=encoder, embed_dim=3)
    rng = np.random.default_rng(0)
    plates = []
    for name in ("P1", "P2"):
        wells = [f"{name}/{row}{column:02d}" for row in "ABCD" for column in range(1, 8)]
        labels = label_table(wells, None)
        features = rng.standard_normal((len(wells), 5, 12)).astype(np.float32)
        for i, well in enumerate(wells):
            kind = i % 14
            if kind < 2:
                labels.loc[well, ["Metadata_treatment", "Metadata_kind", "Metadata_control_type"]] = (
                    "DMSO",
                    "control",
                    "negcon",
                )
                continue
            labels.loc[well, ["Metadata_treatment", "Metadata_kind"]] = f"drug {kind}", "compound"
            labels.loc[well, ["Metadata_smiles", "Metadata_mechanism"]] = "C" * kind + "O", f"way {kind % 3}"
            features[i, kind % 3] += 3
        sites = tuple(f"{well}/1" for well in wells)
        plates.append(MeasuredPlate(name, sites, features, labels))
    screen = write_features(folder, card, plates)
    (folder / "features.json").write_text(text)
    return screen


def test_a_head_on_measured_profiles(profiles: Screen, tmp_path: Path) -> None:
    fresh = {"device": "cpu", "width": 16, "from_scratch": True}
    run = settings(model=fresh, split={"fractions": [0.5, 0.25, 0.25]})
    (tmp_path / "models").mkdir()
    for _ in iter_train([profiles], tmp_path / "models" / "mine", run=run):
        pass
    model = load_model(tmp_path / "models" / "mine", device="cpu")
    assert model.card.encoder == profiles.card.encoder
    assert model.card.encoder_hash == profiles.card.encoder_hash
    assert model.cellclip.config.features == 12
    assert model.cellclip.config.width == 16
    shown = Screen.open(profiles.path).derive_wells(model)
    assert shown.embeddings.shape == (56, 128)
    assert np.isfinite(shown.embeddings).all()

    card = model.card
    assert card.has_head
    assert set(card.scores) == {"retrieval-validation", "retrieval-test", "mechanisms-by-words"}
    assert card.scores["mechanisms-by-words"]["figures"]["pool"] == 3
    figures = card.scores["retrieval-test"]["figures"]
    assert figures["pool"] == 3
    assert figures["random"]["r@1"] == pytest.approx(1 / 3, abs=1e-4)
    assert "unseen treatments" in card.scores["retrieval-test"]["data"]
    assert "split by compound" in card.trained_on
    assert "epoch" in card.trained_on
    assert card.training["split"]["by"] == "compound"
    assert card.training["split_wells"] == split_of([profiles], run.split).digests
    assert card.training["data"]["screens"] == ["measured"]
    assert str(tmp_path) not in card.to_json()
    shown_words = {text for texts in card.vocabulary.values() for text in texts}
    assert "way 1" in shown_words
    assert sum(f"drug {kind}" in shown_words for kind in range(2, 14)) == 6  # of training only
    written = RunConfig.read(tmp_path / "models" / "mine" / RUN_FILE)
    assert written.model.width == 16
    assert written.data.screens == (str(profiles.path),)


def test_replicates_by_plate_are_named_so(profiles: Screen, tmp_path: Path) -> None:
    run = settings(
        model={"device": "cpu"},
        split={"by": "lists", "train": ["P1"], "validation": ["P2"]},
        data={"bag": "perturbation"},
        log={"tensorboard": True},
    )
    card = train([profiles], tmp_path / "mine", run=run).card
    assert set(card.scores) == {"retrieval-validation"}
    assert "seen treatments on other plates" in card.scores["retrieval-validation"]["data"]
    assert "nothing about new ones" in card.limits
    assert "13 perturbations" in card.trained_on  # twelve compounds and DMSO
    assert (tmp_path / "mine" / "tensorboard").is_dir()


def test_parts_that_stay_empty_are_refused(profiles: Screen, tmp_path: Path) -> None:
    only_controls = [well for well in profiles.control_ids if well.startswith("P2")]
    lists = {"by": "lists", "validation": only_controls}
    with pytest.raises(CellClipError, match="validation part of the split is empty"):
        next(iter_train([profiles], tmp_path / "a", run=settings(split=lists)))
    with pytest.raises(CellClipError, match="where the model shall be written"):
        next(iter_train([profiles], run=settings()))
    twice = Screen.open(profiles.path)
    with pytest.raises(CellClipError, match="comes twice"):
        next(iter_train([profiles, twice], tmp_path / "a", run=settings()))


def test_the_weights_of_the_start_are_what_training_begins_with(tiny_screen: Screen) -> None:
    start = begin(tiny_screen, settings())
    assert not start.fresh
    theirs = tiny_screen.model.cellclip.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in start.network.state_dict().items())
    start.network.logit_scale.data.zero_()
    assert tiny_screen.model.cellclip.logit_scale.item() != 0  # a copy


def test_a_named_model_is_the_start(tiny_screen: Screen, tiny_model: Model, tmp_path: Path) -> None:
    quick = settings(split={"by": "none"}, model={"device": "cpu"})
    first = train([tiny_screen], tmp_path / "first", run=quick)
    second = settings(model={"start": str(tmp_path / "first")})
    state = begin(tiny_screen, second).network.state_dict()
    assert all(torch.equal(value, first.cellclip.state_dict()[name]) for name, value in state.items())
    with pytest.raises(CellClipError, match=r"another channel encoder .*encode the plates with it"):
        begin(tiny_screen, settings(model={"start": "demo"}))


def test_a_loss_with_a_bias_gives_the_start_one(tiny_screen: Screen) -> None:
    start = begin(tiny_screen, settings({"loss": "sigclip"}))
    assert start.network.bias.item() == -10
    theirs = tiny_screen.model.cellclip.state_dict()
    assert all(torch.equal(start.network.state_dict()[name], value) for name, value in theirs.items())


def test_fresh_heads_have_the_sizes_asked_for(tiny_screen: Screen) -> None:
    shape = {"layers": 2, "embed_dim": 12, "pooling": "mean", "image_tower": "concatenation", "words": 200}
    start = begin(tiny_screen, settings(model={"from_scratch": True, **shape}))
    config = start.network.config
    assert (config.layers, config.embed_dim, config.image_tower) == (2, 12, "concatenation")
    assert start.network.pooling == "mean"
    assert config.width == 16
    assert config.text_vocabulary == len(start.words) <= 200
    assert start.words.vocabulary != tiny_screen.model.tokenizer.vocabulary
    assert start.fresh
    again = begin(tiny_screen, settings(model={"from_scratch": True, **shape})).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in start.network.state_dict().items())
    other = begin(tiny_screen, settings({"seed": 5}, model={"from_scratch": True, **shape})).network
    assert not torch.equal(other.text_proj.weight, start.network.text_proj.weight)
    with pytest.raises(CellClipError, match="channel encoder's, 16"):
        begin(tiny_screen, settings(model={"from_scratch": True, "width": 32}))
    with pytest.raises(CellClipError, match=r"16 cannot be shared by 7 attention heads"):
        begin(tiny_screen, settings(model={"from_scratch": True, "heads": 7}))


def test_a_tower_for_structures(profiles: Screen, tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    fresh = {"from_scratch": True, "text_tower": "fingerprint", "width": 16, "device": "cpu"}
    model = train([profiles], tmp_path / "mine", run=settings(model=fresh))
    assert isinstance(model.tokenizer, FingerprintTokenizer)
    assert model.card.text_tower == "fingerprint"
    vectors = model.embed_texts(
        ["U2OS cells treated with SMILES: CCO", "U2OS cells treated with SMILES: CCCCO"]
    )
    assert np.linalg.norm(vectors[0] - vectors[1]) > 1e-4


def test_another_models_text_tower_is_taken_over(profiles: Screen) -> None:
    demo = load_model("demo", device="cpu")
    start = begin(profiles, settings(model={"from_scratch": True, "text_from": "demo", "width": 16}))
    theirs = demo.cellclip.text.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in start.network.text.state_dict().items())
    assert start.words.vocabulary == demo.tokenizer.vocabulary
    assert start.network.config.width == 16


@pytest.fixture
def bert_files(tmp_path: Path) -> Path:
    """A tiny BERT as the hub lays it out, with a head for another task and names of old."""
    folder = tmp_path / "bert"
    words = WordPieceTokenizer.build(CORPUS, size=160, max_length=32)
    words.save(folder)
    sizes = {"vocabulary": len(words), "width": 8, "layers": 1, "heads": 2, "intermediate": 16}
    torch.manual_seed(1)
    tower = Bert(**sizes, positions=32)
    config = {
        "model_type": "bert",
        "vocab_size": len(words),
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 32,
        "type_vocab_size": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    state = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): v
        for name, v in tower.state_dict().items()
    }
    save_file({**state, "cls.predictions.bias": torch.zeros(3)}, folder / "model.safetensors")
    return folder


def test_a_bert_is_taken_over(profiles: Screen, bert_files: Path) -> None:
    begun = settings(model={"from_scratch": True, "text_from": str(bert_files), "width": 16})
    start = begin(profiles, begun)
    torch.manual_seed(1)
    theirs = Bert(
        vocabulary=len(start.words), width=8, layers=1, heads=2, intermediate=16, positions=32
    ).state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in start.network.text.state_dict().items())


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("config.json", "{}", "does not describe a BERT"),
        ("config.json", '["model_type"]', "does not describe a BERT"),
        ("model.safetensors", "", "cannot be read"),
    ],
)
def test_what_is_no_bert(profiles: Screen, bert_files: Path, file: str, content: str, says: str) -> None:
    (bert_files / file).write_text(content)
    with pytest.raises(CellClipError, match=says):
        begin(profiles, settings(model={"from_scratch": True, "text_from": str(bert_files)}))


def test_a_head_that_is_trained_further_has_its_own_shape(tiny_screen: Screen) -> None:
    with pytest.raises(CellClipError, match=r"layers under .* can only be chosen with from_scratch"):
        begin(tiny_screen, settings(model={"layers": 2}))


def test_profiles_always_start_from_scratch_and_need_not_say_so(profiles: Screen) -> None:
    """Refused until now: ``text_from`` asked for ``from_scratch``, though profiles have no head to go on from."""
    start = begin(profiles, settings(model={"text_from": "demo", "width": 16}))
    assert start.fresh
    assert start.network.config.width == 16
    assert len(start.words) == len(load_model("demo", device="cpu").tokenizer)
