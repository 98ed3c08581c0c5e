"""A small CellCLIP learns a toy problem, the same way twice, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.cellclip import CellCLIPConfig
from napari_cellclip.training.bags import Bag, Caption, pad
from napari_cellclip.training.heads import TrainingConfig, iter_fit
from napari_cellclip.training.text_side import TextSide, drop_words
from napari_cellclip.vocabulary import CellClipError

WORDS = ("frame", "end", "unknown", "red", "green", "blue", "grey", "cells")
CLASSES = ("red", "green", "blue", "grey")
CONFIG = TrainingConfig(epochs=50, batch=16, rate=3e-3, warmup=5, feature_noise=0.1, seed=3)


def tokenise(texts: Sequence[str]) -> dict[str, torch.Tensor]:
    rows = [[0, *(WORDS.index(word) for word in text.split()), 1] for text in texts]
    length = max(map(len, rows))
    ids = torch.tensor([row + [1] * (length - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def network(seed: int = 0) -> CellCLIP:
    torch.manual_seed(seed)
    return CellCLIP(
        CellCLIPConfig(
            width=16,
            embed_dim=8,
            layers=1,
            heads=2,
            pool_hidden=8,
            text_vocabulary=len(WORDS),
            text_width=16,
            text_layers=1,
            text_heads=2,
            text_intermediate=32,
            text_positions=8,
        )
    )


def toy_bags(n: int = 64, seed: int = 0) -> list[Bag]:
    """Each class has its own direction in one stain; the other stains are noise."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).standard_normal((4, 16))
    bags = []
    for i in range(n):
        kind = i % 4
        features = rng.standard_normal((int(rng.integers(1, 4)), 5, 16)) * 0.5
        features[:, kind] += 2 * directions[kind]
        captions = (Caption(CLASSES[kind]), Caption(f"{CLASSES[kind]} cells", 2.0))
        bags.append(Bag(features.astype(np.float32), captions, CLASSES[kind]))
    return bags


def run(net: CellCLIP, bags: list[Bag], config: TrainingConfig, **options: object) -> CellCLIP:
    for _ in iter_fit(net, bags, tokenise, config, **options):  # type: ignore[arg-type]
        pass
    return net


def accuracy(net: CellCLIP, bags: list[Bag]) -> float:
    with torch.inference_mode():
        images = net.encode_image(net.encode_mil(torch.from_numpy(pad([bag.features for bag in bags]))))
        texts = net.encode_text(**tokenise([f"{name} cells" for name in CLASSES]))
        cosine = functional.normalize(images, dim=-1) @ functional.normalize(texts, dim=-1).T
    truth = [CLASSES.index(bag.group) for bag in bags]
    return float((cosine.argmax(1).numpy() == truth).mean())


@pytest.mark.parametrize(("loss", "rate"), [("clip", 3e-3), ("cwcl", 6e-3)])
def test_learns_which_words_go_with_which_wells(loss: str, rate: float) -> None:
    config = replace(CONFIG, loss=loss, epochs=80, rate=rate)  # type: ignore[arg-type]
    unseen = toy_bags(40, seed=5)
    assert accuracy(network(), unseen) < 0.6
    assert accuracy(run(network(), toy_bags(), config), unseen) > 0.9


def test_shuffled_captions_teach_nothing() -> None:
    bags = toy_bags()
    captions = [bag.captions for bag in bags]
    order = np.random.default_rng(1).permutation(len(bags))
    shuffled = [
        replace(bag, captions=captions[j], group=bags[j].group) for bag, j in zip(bags, order, strict=True)
    ]
    assert accuracy(run(network(), shuffled, replace(CONFIG, loss="clip")), toy_bags(40, seed=5)) < 0.6


def test_the_seed_decides_the_weights() -> None:
    one, two = (run(network(), toy_bags(), replace(CONFIG, epochs=2)).state_dict() for _ in range(2))
    other = run(network(), toy_bags(), replace(CONFIG, epochs=2, seed=4)).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=4)
    whole = run(network(), toy_bags(), config).state_dict()
    checkpoint = tmp_path / "checkpoint.pt"
    steps = iter_fit(network(), toy_bags(), tokenise, config, checkpoint=checkpoint)
    assert [next(steps).done, next(steps).done] == [1, 2]
    steps.close()
    continued = network(seed=17)  # its own weights must not matter
    reports = list(iter_fit(continued, toy_bags(), tokenise, config, checkpoint=checkpoint))
    assert [report.done for report in reports] == [3, 4]
    assert all(torch.equal(whole[name], value) for name, value in continued.state_dict().items())


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    run(network(), toy_bags(), replace(CONFIG, epochs=1), checkpoint=checkpoint)
    with pytest.raises(CellClipError, match="other settings"):
        run(network(), toy_bags(), replace(CONFIG, epochs=2), checkpoint=checkpoint)


def test_a_checkpoint_of_other_wells_captions_or_origin_is_refused(tmp_path: Path) -> None:
    checkpoint, config = tmp_path / "checkpoint.pt", replace(CONFIG, epochs=1)
    bags = toy_bags(16)
    run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "a"})
    renamed = [replace(bags[0], captions=(Caption("blue"),)), *bags[1:]]
    for other in (toy_bags(16, seed=1), renamed):
        with pytest.raises(
            CellClipError, match=r"checkpoint\.pt belongs to .* other wells or captions: remove"
        ):
            run(network(), other, config, checkpoint=checkpoint, origin={"start model": "a"})
    with pytest.raises(CellClipError, match="other start model: remove"):
        run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "b"})
    run(network(), bags, config, checkpoint=checkpoint, origin={"start model": "a"})


def test_dropped_words_keep_the_frame() -> None:
    tokens = tokenise(["red cells", "blue"])
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    dropped = drop_words(ids, mask, np.ones(ids.shape, bool), 2)
    assert dropped.tolist() == [[0, 2, 2, 1], [0, 2, 1, 1]]
    assert torch.equal(ids, tokenise(["red cells", "blue"])["input_ids"])


@pytest.mark.parametrize("text", ["full", "frozen"])
def test_captions_in_lots_are_embedded_as_all_at_once(text: str) -> None:
    net = network().eval()
    texts = [" ".join(["red"] * n) for n in (3, 1, 5, 2, 4)]
    with torch.inference_mode():
        together = functional.normalize(net.encode_text(**tokenise(texts)), dim=-1)
    rows = np.array([2, 0, 0, 4, 1, 3])
    config = TrainingConfig(text=text)  # type: ignore[arg-type]
    with TextSide(net, texts, tokenise, config) as side, torch.no_grad():
        lots = side.lots(rows, 2, step=0, first=0)
        assert [len(places) for places, _ in lots] == [2, 2, 2]
        for places, embed in lots:
            torch.testing.assert_close(embed(), together[rows[places.numpy()]], rtol=1e-5, atol=1e-6)
        one = functional.normalize(torch.from_numpy(side.embed(texts)), dim=-1)
    torch.testing.assert_close(one, together, rtol=1e-5, atol=1e-6)


def test_wells_of_weight_zero_are_left_out() -> None:
    poisoned = [
        *toy_bags(),
        Bag(np.full((1, 5, 16), np.nan, np.float32), (Caption("red"),), "red", weight=0.0),
    ]
    assert accuracy(run(network(), poisoned, replace(CONFIG, epochs=1)), toy_bags(8)) >= 0


def test_one_perturbation_is_nothing_to_contrast() -> None:
    bags = [bag for bag in toy_bags() if bag.group == "red"]
    with pytest.raises(CellClipError, match="two different"):
        run(network(), bags, CONFIG)


def test_padding_is_zero_and_order_is_kept() -> None:
    bags = [np.ones((2, 5, 3), np.float32), np.full((1, 5, 3), 2, np.float32)]
    padded = pad(bags)
    assert padded.shape == (2, 2, 5, 3)
    assert (padded[1, 0] == 2).all()
    assert (padded[1, 1] == 0).all()
