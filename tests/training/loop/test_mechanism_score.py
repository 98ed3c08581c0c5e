"""Mechanisms asked for in words: against figures worked out by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from napari_cellclip.screen import Screen
from napari_cellclip.training.config_sections import CaptionConfig
from napari_cellclip.training.data.bags import Bag, Caption
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.loop.mechanism_score import ask_for_mechanisms

VECTORS = {"m1": [1.0, 0.0], "m2": [0.0, 1.0]}


def bag(treatment: str, *mechanisms: str, group: str = "") -> Bag:
    captions = (Caption(treatment), *(Caption(m, mechanism=True) for m in mechanisms))
    return Bag(np.zeros((1, 5, 2), np.float32), captions, group or treatment, treatment=treatment)


def embed(texts: list[str]) -> np.ndarray:
    return np.array([VECTORS[text] for text in texts], np.float32)


def test_by_hand() -> None:
    bags = [bag("a", "m1"), bag("a", "m1"), bag("b", "m2"), bag("c", "m1", "m3"), bag("d")]
    image = np.array([[1, 0], [9, 0], [1, 1], [0, 1], [1, 0]], float)
    found = ask_for_mechanisms(image, bags, embed, {"m1", "m2", "d"})  # type: ignore[arg-type]
    assert found is not None
    # m1: a, b, c with a and c right: (1 + 2/3) / 2. m2: c, b, a with b right: 1/2. m3 was not seen, d has none.
    assert found.precision == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert (found.queries, found.pool) == (2, 3)
    orders = [average_precision_score(order, [3, 2, 1]) for order in set(permutations([1, 1, 0]))]
    alone = [average_precision_score(order, [3, 2, 1]) for order in set(permutations([1, 0, 0]))]
    assert found.chance == pytest.approx((np.mean(orders) + np.mean(alone)) / 2)


def test_nothing_to_ask() -> None:
    bags = [bag("a", "m1"), bag("b", "m2"), bag("c", "m1")]
    image = np.ones((3, 2))
    assert ask_for_mechanisms(image, bags, embed, {"m3"}) is None  # type: ignore[arg-type]
    assert ask_for_mechanisms(image[:2], bags[:2], embed, {"m1"}) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("group_by", ["treatment", "mechanism"])
def test_compounds_of_one_mechanism_are_candidates_each(profile_screen: Screen, group_by: str) -> None:
    """Grouped by mechanism they were averaged, and found as one."""
    bags = bags_of(
        [profile_screen],
        profile_screen.card.prompts,
        group_by=group_by,
        captions=CaptionConfig(only="mechanisms"),
        negative_controls="leave out",
    )
    seen = {caption.text for found in bags for caption in found.captions}
    image = np.random.default_rng(0).standard_normal((len(bags), 2))
    words = np.random.default_rng(1).standard_normal((len(seen), 2))
    found = ask_for_mechanisms(image, bags, lambda texts: words[: len(texts)].astype(np.float32), seen)
    assert found is not None
    assert found.pool == 6
