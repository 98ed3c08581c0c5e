"""The channel encoder learns patterns from labelled fields, the same way twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cellclip.model import IntensityScaling, IntensityStats, SmallEncoder
from napari_cellclip.model.encoders.intensity import scale_field
from napari_cellclip.training.demo.channel_encoder import (
    EncoderConfig,
    LabelledFields,
    augment,
    iter_train_encoder,
    standardise,
)

SCALING = IntensityScaling(kind="plate")
CONFIG = EncoderConfig(steps=60, batch=16, crops=(32,), rate=1e-2, warmup=5, seed=1)


def fields(n: int = 60, seed: int = 0) -> LabelledFields:
    """Mechanism 1 draws stripes in stain 2, mechanism 2 coarse blocks in stain 4; the rest is noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(200, 600, (n, 5, 48, 48)).astype(np.uint16)
    labels = np.arange(n) % 3
    pixels[labels == 1, 2, ::4] += 1500
    blocks = np.kron(np.indices((6, 6)).sum(0) % 2, np.ones((8, 8), int)).astype(np.uint16)
    pixels[labels == 2, 4] += 800 * blocks
    half = n // 2
    plates = (pixels[:half], pixels[half:])
    return LabelledFields(
        plates=plates,
        stats=tuple(IntensityStats.measure(plate, SCALING) for plate in plates),
        scaling=SCALING,
        row=np.array([(i // half, i % half) for i in range(n)]),
        mechanism=labels.astype(np.int64),
        effect=(labels > 0).astype(np.float32),
    )


def trained(config: EncoderConfig = CONFIG) -> SmallEncoder:
    torch.manual_seed(0)
    encoder = SmallEncoder(8, (4, 8), (1, 1))
    reports = list(iter_train_encoder(encoder, fields(), 2, config, report=20))
    assert [r.done for r in reports] == list(range(20, config.steps + 1, 20))
    return encoder


def features(encoder: SmallEncoder, data: LabelledFields) -> np.ndarray:
    stack = [scale_field(data.plates[p][i], SCALING, data.stats[p]) for p, i in data.row]
    with torch.inference_mode():
        return encoder(torch.from_numpy(np.concatenate(stack))[:, None]).numpy().reshape(len(stack), -1)


def test_features_tell_mechanisms_apart() -> None:
    encoder = trained()
    assert not encoder.training
    known, unseen = fields(), fields(30, seed=8)
    a, b = features(encoder, known), features(encoder, unseen)
    centres = np.stack([a[known.mechanism == k].mean(0) for k in range(3)])
    nearest = ((b[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert (nearest == unseen.mechanism).mean() > 0.9


def test_the_seed_decides_the_encoder() -> None:
    short = EncoderConfig(steps=20, batch=8, crops=(32,), seed=1)
    one, two = trained(short).state_dict(), trained(short).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_small_crops_come_in_turn_and_in_as_many_pixels() -> None:
    data, seen = fields(), []
    draw = data.crops

    class Watched(LabelledFields):
        def crops(self, rows, size, rng):
            seen.append((len(rows), size))
            return draw(rows, size, rng)

    watched = Watched(data.plates, data.stats, SCALING, data.row, data.mechanism, data.effect)
    torch.manual_seed(0)
    config = EncoderConfig(steps=4, batch=8, crops=(32, 32, 16), warmup=1)
    list(iter_train_encoder(SmallEncoder(8, (4, 8), (1, 1), stem=2), watched, 2, config))
    assert seen == [(8, 32), (8, 32), (32, 16), (8, 32)]


def test_standardised_features_have_mean_zero_and_spread_one() -> None:
    torch.manual_seed(0)
    encoder = SmallEncoder(8, (4, 8), (1, 1)).eval()
    images = torch.rand(200, 1, 32, 32, generator=torch.Generator().manual_seed(1)) ** 2
    with torch.inference_mode():
        before = encoder(images).numpy()
    standardise(encoder, before)
    with torch.inference_mode():
        after = encoder(images).numpy()
    np.testing.assert_allclose(after.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(after.std(0), 1, atol=1e-3)


def test_crops_are_scaled_as_at_inference() -> None:
    data = fields(6)
    crops = data.crops(np.array([5]), 48, np.random.default_rng(0))
    plate, place = data.row[5]
    expected = scale_field(data.plates[plate][place], SCALING, data.stats[plate])
    np.testing.assert_array_equal(crops[0], expected)


@pytest.mark.parametrize("seed", range(3))
def test_augmented_crops_stay_in_range_and_leave_the_input(seed: int) -> None:
    crops = torch.rand(6, 5, 16, 16, generator=torch.Generator().manual_seed(seed))
    before = crops.clone()
    out = augment(crops, torch.Generator().manual_seed(seed))
    assert out.shape == crops.shape
    assert out.min() >= 0
    assert out.max() <= 1
    assert not torch.equal(out, crops)
    assert torch.equal(before, crops)
    assert torch.equal(out, augment(crops, torch.Generator().manual_seed(seed)))
