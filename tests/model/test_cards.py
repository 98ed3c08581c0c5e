"""Model cards: frozen, hashed over what matters, found by name."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from napari_cellclip.model import (
    EncoderCard,
    FileCard,
    ModelCard,
    PromptTemplates,
    Tiling,
    known_cards,
    load_model,
)
from napari_cellclip.model.card import read_card
from napari_cellclip.vocabulary import ModelError, Stain


def test_published_card():
    card = known_cards()["cellclip"]
    assert card.stain_order == (Stain.MITO, Stain.ER, Stain.RNA, Stain.AGP, Stain.DNA)
    assert (card.encoder.name, card.encoder.dim, card.embed_dim) == ("facebook/dinov2-giant", 1536, 512)
    assert card.intensity.kind == "image"
    assert card.weights.repo == "suinleelab/CellCLIP"
    assert card.tokenizer.repo == "google-bert/bert-base-cased"
    assert "NC-ND" in card.licence
    assert not card.simulated


def test_json_round_trip(tiny_card):
    again = ModelCard.from_json(tiny_card.to_json())
    assert again == tiny_card
    assert (again.encoder_hash, again.card_hash) == (tiny_card.encoder_hash, tiny_card.card_hash)
    with pytest.raises(ValidationError, match="frozen"):
        tiny_card.name = "other"


def changed(card, **update):
    return card.model_copy(update=update)


def test_hashes_follow_what_they_key(tiny_card):
    fields_differ = [
        changed(tiny_card, tiling=Tiling(mode="center", size=32)),
        changed(tiny_card, intensity=tiny_card.intensity.model_copy(update={"headroom": 3.0})),
        changed(tiny_card, stain_order=tiny_card.stain_order[::-1]),
        changed(tiny_card, encoder=changed(tiny_card.encoder, weights=FileCard(sha256="a" * 64))),
    ]
    wells_differ = [
        changed(tiny_card, weights=FileCard(sha256="b" * 64)),
        changed(tiny_card, pooling="mean"),
        changed(tiny_card, heads=4),
    ]
    nothing_differs = [
        changed(tiny_card, title="another title"),
        changed(tiny_card, prompts=PromptTemplates(cell_line="A549")),
        changed(tiny_card, limits="none"),
    ]
    hashes = {c.encoder_hash for c in (tiny_card, *fields_differ)}
    assert len(hashes) == 1 + len(fields_differ)
    assert len({c.card_hash for c in (tiny_card, *fields_differ, *wells_differ)}) == 8
    assert {c.encoder_hash for c in wells_differ} == {tiny_card.encoder_hash}
    assert {(c.encoder_hash, c.card_hash) for c in nothing_differs} == {
        (tiny_card.encoder_hash, tiny_card.card_hash)
    }


def test_hashes_stay_what_they_were(tiny_card):
    """Screens name the model they were made with by them: a new field of the card must not orphan screens."""
    published = known_cards()["cellclip"]
    assert (published.encoder_hash, published.card_hash) == ("4fc1f2e9abfb4fb8", "70b6a389d8900396")
    bundled = known_cards()["demo"]
    assert (bundled.encoder_hash, bundled.card_hash) == ("81c7e7240b2c6a4e", "d933ef271cf0fb4b")
    assert tiny_card.card_hash == "0bb2dd8d31c5e7ff"
    finer = changed(tiny_card.encoder, stem=2)
    assert changed(tiny_card, encoder=finer).encoder_hash != tiny_card.encoder_hash


def test_cards_that_still_say_what_an_instance_is_are_read(tiny_card):
    older = json.loads(tiny_card.to_json()) | {"instance": "field"}
    assert ModelCard.from_json(json.dumps(older)) == tiny_card
    with pytest.raises(ModelError, match="instance"):
        ModelCard.from_json(json.dumps(older | {"instance": "crop"}))


def test_where_a_file_lies_does_not_matter_once_its_bytes_are_known(tiny_card):
    here, there = (FileCard(file=f, sha256="c" * 64) for f in ("a.safetensors", "b.safetensors"))
    assert changed(tiny_card, weights=here).card_hash == changed(tiny_card, weights=there).card_hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid JSON"),
        ('{"name": "x", "embed_dim": 8}', "encoder"),
        ('{"name": "x", "embed_dim": 8, "encoder": {"kind": "magic", "name": "", "dim": 3}}', "encoder.kind"),
        (
            '{"name": "x", "embed_dim": 8, "stain_order": ["DNA", "DNA"], "encoder": {"kind": "small", "name": "", "dim": 3}}',
            "each stain once",
        ),
    ],
)
def test_bad_cards_are_refused_in_words(tmp_path, text, message):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_card(tmp_path)


def test_own_models_are_found_by_name(tiny_folder, monkeypatch):
    monkeypatch.setenv("NAPARI_CELLCLIP_MODELS", str(tiny_folder.parent))
    broken = tiny_folder.parent / "broken"
    broken.mkdir()
    (broken / "card.json").write_text("{")
    assert {"cellclip", "tiny"} <= set(known_cards())
    model = load_model("tiny", device="cpu")
    assert model.card == known_cards()["tiny"]
    monkeypatch.delenv("NAPARI_CELLCLIP_MODELS")
    assert "tiny" not in known_cards()


def test_own_models_in_the_cache_folder(tiny_folder, monkeypatch):
    home = tiny_folder.parent / "cache"
    (home / "models").mkdir(parents=True)
    tiny_folder.rename(home / "models" / "tiny")
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(home))
    assert "tiny" in known_cards()


def test_cards_need_no_torch():
    code = "import sys, napari_cellclip.model as m; m.known_cards(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_encoder_cards_refuse_unknown_settings():
    with pytest.raises(ValidationError, match="colour"):
        EncoderCard(kind="small", name="x", dim=3, colour="red")
