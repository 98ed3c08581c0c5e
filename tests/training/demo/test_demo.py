"""The bundled model: what its card says, what its words mean, and that its recipe runs from end to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.model import Model, known_cards, load_model
from napari_cellclip.training.demo.build import BUNDLED_MODEL, iter_demo_model
from napari_cellclip.training.demo.channel_encoder import EncoderConfig
from napari_cellclip.training.demo.held_out import HELD_OUT
from napari_cellclip.training.demo.recipe import Recipe, base_card
from napari_cellclip.vocabulary.mechanisms import MECHANISMS


@pytest.fixture(scope="module")
def demo() -> Model:
    return load_model("demo", device="cpu")


def test_the_card_says_what_the_model_is() -> None:
    card = known_cards()["demo"]
    assert card.simulated
    assert card.licence == "BSD-3-Clause"
    assert "simulated" in card.trained_on
    assert "real" in card.limits
    for names in HELD_OUT.values():
        assert all(name in card.trained_on for name in names)


def test_the_card_is_that_of_the_recipe() -> None:
    bundled, made = known_cards()["demo"], base_card(Recipe())
    for field in ("encoder", "weights", "tokenizer"):
        made = made.model_copy(update={field: getattr(bundled, field)})
    made = made.model_copy(update={"heads": bundled.heads, "text_heads": bundled.text_heads})
    made = made.model_copy(update={"scores": bundled.scores})  # measured when it was made
    assert bundled == made


def test_the_bundle_is_small_and_whole() -> None:
    files = {path.name: path.stat().st_size for path in BUNDLED_MODEL.iterdir() if path.is_file()}
    assert {"card.json", "cellclip.safetensors", "encoder.safetensors", "vocab.txt"} <= set(files)
    assert sum(files.values()) <= 20 * 2**20


def unit(model: Model, texts: list[str]) -> np.ndarray:
    typed = {"templates": model.card.prompts, "annotations": (), "use_own_table": False}
    prompts = [read_text(text, **typed).prompts[0].text for text in texts]
    vectors = model.embed_texts(prompts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_phrasings_mean_their_mechanism(demo: Model) -> None:
    names = unit(demo, [found.name for found in MECHANISMS])
    right = []
    for i, found in enumerate(MECHANISMS):
        right += (unit(demo, list(found.synonyms)) @ names.T).argmax(1).__eq__(i).tolist()
    assert np.mean(right) > 0.95


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tubulin inhibitor", "tubulin_destabiliser"),
        ("Tubulin Inhibitor", "tubulin_destabiliser"),
        ("microtubule destabilising agent", "tubulin_destabiliser"),
        ("microtubule destabilizing agent", "tubulin_destabiliser"),
        ("nocodazole", "tubulin_destabiliser"),
        ("COC(=O)Nc1nc2ccc(C(=O)c3cccs3)cc2[nH]1", "tubulin_destabiliser"),
        ("TUBB knockout", "tubulin_destabiliser"),
        ("BRD4 knockout", "bet_inhibitor"),
        ("JQ1", "bet_inhibitor"),
        ("bortezomib", "proteasome_inhibitor"),
    ],
)
def test_names_genes_and_structures_mean_their_mechanism(demo: Model, text: str, key: str) -> None:
    cosine = unit(demo, [text]) @ unit(demo, [found.name for found in MECHANISMS]).T
    assert MECHANISMS[int(cosine.argmax())].key == key


@pytest.mark.slow
def test_the_recipe_runs_from_end_to_end_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    usual = Recipe()
    recipe = replace(
        usual,
        plates=1,
        wells=48,
        sites=1,
        size=(64, 64),
        dim=16,
        embed_dim=16,
        layers=1,
        text_width=16,
        text_layers=1,
        words=300,
        tiles=((32, 0.5),),
        encoder=EncoderConfig(steps=2, batch=4, crops=(32,)),
        head=replace(usual.head, epochs=1, batch=16),
    )
    run = iter_demo_model(
        tmp_path / "work", tmp_path / "out", recipe, shuffled=tmp_path / "shuffled", workers=1
    )
    for progress in run:
        if progress.stage == "encoder":  # trained, but not stored yet
            break
    run.close()
    list(
        iter_demo_model(
            tmp_path / "work", tmp_path / "out", recipe, shuffled=tmp_path / "shuffled", workers=1
        )
    )
    model = load_model(tmp_path / "out", device="cpu")
    assert model.card.encoder.dim == 16
    assert np.isfinite(model.embed_texts(["DMSO"])).all()
    other = load_model(tmp_path / "shuffled", device="cpu")
    assert other.card.encoder_hash == model.card.encoder_hash
    assert other.card.card_hash != model.card.card_hash
    assert (tmp_path / "out" / "mean_intensity.json").exists()
    assert not list((tmp_path / "work" / "plates").glob("writing-*"))
