"""What a step shows follows from seed and step; what cannot be learnt from is refused by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_cellclip.training.data.bags import Bag, Caption
from napari_cellclip.training.loop.batches import Batches, one_by_one, usable
from napari_cellclip.vocabulary import CellClipError
from tests.training.toy_problem import CONFIG, network, run, toy_bags


def test_an_epoch_shows_every_bag_once() -> None:
    batches = Batches(toy_bags(50), replace(CONFIG, batch=10))
    assert batches.steps == 5
    orders = [np.concatenate([batches.rows(5 * epoch + i) for i in range(5)]) for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0].tolist() != orders[1].tolist()


def test_the_remainder_is_left_out_of_an_epoch_and_comes_another_time() -> None:
    batches = Batches(toy_bags(23), replace(CONFIG, batch=10))
    assert batches.steps == 2
    seen = Counter(int(row) for step in range(40) for row in batches.rows(step))
    assert set(seen) == set(range(23))
    assert max(seen.values()) <= 20


def test_bags_are_drawn_as_their_weights_say() -> None:
    bags = [replace(bag, weight=4.0 if i % 4 == 0 else 1.0) for i, bag in enumerate(toy_bags(40))]
    batches = Batches(bags, replace(CONFIG, batch=4))
    drawn = Counter(bags[row].group for step in range(600) for row in batches.rows(step))
    assert drawn["red"] / sum(drawn.values()) == pytest.approx(4 / 7, abs=0.04)
    assert all(len(set(batches.rows(step))) == 4 for step in range(50))


def test_steps_can_be_made_again_in_any_order() -> None:
    config = replace(CONFIG, feature_noise=0.3)
    one, other = Batches(toy_bags(), config), Batches(toy_bags(), config)
    forth = [one(step) for step in range(6)]
    back = {step: other(step) for step in reversed(range(6))}
    for step, batch in enumerate(forth):
        np.testing.assert_array_equal(batch.images, back[step].images)
        np.testing.assert_array_equal(batch.captions, back[step].captions)
    assert Batches(toy_bags(), replace(config, seed=9))(0).images.tobytes() != forth[0].images.tobytes()


def test_at_most_so_many_fields_are_drawn_and_all_of_them_sometimes() -> None:
    features = np.arange(1, 10, dtype=np.float32)[:, None, None] * np.ones((1, 5, 16), np.float32)
    bags = [Bag(features, (Caption("red"),), str(i)) for i in range(8)]
    batches = Batches(bags, replace(CONFIG, fields=4, batch=8, feature_noise=0.0))
    counts, met = Counter[int](), set[float]()
    for step in range(60):
        for image in batches(step).images:
            drawn = image[:, 0, 0][image.any((1, 2))]
            assert len(set(drawn)) == len(drawn)  # no field twice
            counts[len(drawn)] += 1
            met |= set(drawn.tolist())
    assert set(counts) == {1, 2, 3, 4}
    assert met == set(map(float, range(1, 10)))


def test_captions_are_drawn_by_their_odds() -> None:
    batches = Batches(toy_bags(), CONFIG)  # one word : two words = 1 : 2
    drawn = Counter(len(batches.texts[row].split()) for step in range(200) for row in batches(step).captions)
    assert drawn[2] / sum(drawn.values()) == pytest.approx(2 / 3, abs=0.03)
    groups = [
        (batches.texts[row].split()[0], int(group)) for row, group in zip(*_labels(batches), strict=True)
    ]
    assert len(set(groups)) == 4  # a caption's colour and the group agree


def _labels(batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    batch = batches(0)
    return batch.captions, batch.groups


def test_noise_is_of_each_features_own_spread_and_leaves_blank_stains_blank() -> None:
    rng = np.random.default_rng(0)
    scale = np.linspace(0.1, 10, 16)
    bags = []
    for i in range(64):
        features = (rng.standard_normal((1, 5, 16)) * scale).astype(np.float32)
        features[:, 2] = 0
        bags.append(Bag(features, (Caption("red"),), str(i)))
    noisy = Batches(bags, replace(CONFIG, batch=64, feature_noise=0.5))
    clean = Batches(bags, replace(CONFIG, batch=64, feature_noise=0.0))
    added = noisy(0).images - clean(0).images
    assert not added[:, :, 2].any()
    np.testing.assert_allclose(added[:, 0, [0, 1, 3, 4]].std((0, 1)) / scale, 0.5, rtol=0.35)


def test_each_field_a_bag_of_its_own() -> None:
    bags = toy_bags(6)
    bags[0] = replace(bags[0], features=np.concatenate([bags[0].features, np.zeros((1, 5, 16), np.float32)]))
    alone = one_by_one(bags)
    assert len(alone) == sum(len(bag.features) for bag in toy_bags(6))  # the blank one is left out
    assert {bag.features.shape for bag in alone} == {(1, 5, 16)}
    assert sum(bag.weight for bag in alone) == pytest.approx(6)


BAD = {
    "shape .* the model takes": replace(toy_bags(1)[0], features=np.ones((2, 5, 12), np.float32)),
    "has no field": replace(toy_bags(1)[0], features=np.ones((0, 5, 16), np.float32)),
    "not finite": replace(toy_bags(1)[0], features=np.full((1, 5, 16), np.nan, np.float32)),
    "no caption": replace(toy_bags(1)[0], captions=(Caption("red", 0.0),)),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_cannot_be_learnt_from_is_named(reason: str) -> None:
    bad = replace(BAD[reason], name="plate/B07")
    with pytest.raises(CellClipError, match=f"plate/B07.*{reason}"):
        usable([*toy_bags(4), bad], 5, 16)
    with pytest.raises(CellClipError, match=reason):
        run(network(), [*toy_bags(8), bad], CONFIG)
    with pytest.raises(CellClipError, match=reason):
        run(network(), toy_bags(8), CONFIG, validation=[bad])
    assert len(usable([*toy_bags(4), replace(bad, weight=0.0)], 5, 16)) == 4
