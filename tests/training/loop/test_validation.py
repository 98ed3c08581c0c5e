"""Retrieval among held-out treatments against the definition, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.training.loop.validation import retrieval, score_bags
from napari_cellclip.vocabulary import CellClipError
from tests.training.toy_problem import network, tokenise, toy_bags


def oracle(image: np.ndarray, text: np.ndarray, texts: list[str]) -> dict[str, dict[str, float]]:
    """Average unit vectors of equal texts, rank every candidate, ties after which comes the own one."""
    names = sorted(set(texts))
    profiles = [
        np.mean([v / np.linalg.norm(v) for v, t in zip(image, texts, strict=True) if t == name], axis=0)
        for name in names
    ]
    words = [text[texts.index(name)] for name in names]

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    table = np.array([[cosine(p, w) for w in words] for p in profiles])
    found = {}
    for name, queries in (("image_to_text", table), ("text_to_image", table.T)):
        ranks = [1 + sum(v >= row[i] for j, v in enumerate(row) if j != i) for i, row in enumerate(queries)]
        found[name] = {f"r@{k}": float(np.mean([r <= k for r in ranks])) for k in (1, 5, 10)}
        found[name]["mrr"] = float(np.mean([1 / r for r in ranks]))
    return found


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), treatments=st.integers(1, 14), seed=st.integers(0, 1000))
def test_figures_are_those_of_the_definition(n: int, treatments: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [f"treatment {i}" for i in rng.integers(0, treatments, n)]
    image, vectors = rng.standard_normal((n, 6)), rng.standard_normal((treatments, 6))
    text = np.stack([vectors[int(t.split()[1])] for t in texts])
    found, expected = retrieval(image, text, texts), oracle(image, text, texts)
    assert found.pool == len(set(texts))
    assert found.wells == n
    assert dict(found.image_to_text) == pytest.approx(expected["image_to_text"])
    assert dict(found.text_to_image) == pytest.approx(expected["text_to_image"])
    both = (expected["image_to_text"]["mrr"] + expected["text_to_image"]["mrr"]) / 2
    assert found.score() == pytest.approx(both)


def test_a_model_that_answers_everything_alike_comes_out_worst() -> None:
    found = retrieval(np.ones((8, 3)), np.ones((8, 3)), [str(i) for i in range(8)])
    assert found.score("mrr") == pytest.approx(1 / 8)
    assert found.score("r@5") == 0


def test_the_random_baseline_is_what_random_vectors_reach() -> None:
    rng = np.random.default_rng(0)
    texts = [str(i) for i in range(12)]
    runs = [retrieval(rng.standard_normal((12, 8)), rng.standard_normal((12, 8)), texts) for _ in range(800)]
    for name in ("mrr", "r@1", "r@5", "r@10"):
        assert np.mean([run.score(name) for run in runs]) == pytest.approx(runs[0].random(name), abs=0.015)
    assert retrieval(np.eye(3), np.eye(3), ["a", "b", "c"]).random("r@10") == 1.0


def test_nothing_to_score_and_numbers_that_are_none() -> None:
    with pytest.raises(CellClipError, match="no well to validate"):
        retrieval(np.zeros((0, 3)), np.zeros((0, 3)), [])
    with pytest.raises(CellClipError, match="not finite"):
        retrieval(np.full((1, 3), np.nan), np.ones((1, 3)), ["a"])


def test_bags_are_scored_without_dropout_and_the_network_is_left_as_it_was() -> None:
    net = network().train()
    bags = toy_bags(10)
    state = torch.get_rng_state()
    one, two = score_bags(net, bags, tokenise), score_bags(net, bags, tokenise, at_once=1)
    assert net.training
    assert torch.equal(torch.get_rng_state(), state)
    assert one == two
    assert (one.pool, one.wells) == (4, 10)
    plain = one.as_dict()
    assert plain["random"]["r@1"] == 0.25
    assert plain["mean"]["mrr"] == pytest.approx(one.score(), abs=1e-4)
