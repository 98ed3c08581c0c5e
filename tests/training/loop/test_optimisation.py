"""Learning-rate schedule, decay groups and the clamp of the temperature."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from napari_cellclip.model import CellCLIP
from napari_cellclip.model.network.cellclip import CellCLIPConfig
from napari_cellclip.training.loop.optimisation import (
    MAX_LOGIT_SCALE,
    CosineRestarts,
    clamp_logit_scale,
    decays,
    parameter_groups,
)


@given(
    warmup=st.integers(0, 50), cycles=st.integers(1, 6), step=st.integers(0, 400), base=st.floats(1e-6, 1.0)
)
def test_rate_follows_the_formula(warmup: int, cycles: int, step: int, base: float) -> None:
    total = 300
    got = CosineRestarts(base, warmup, total, cycles).rate(step)
    if step < warmup:
        expected = base * step / warmup
    elif step >= total:
        expected = 0.0
    else:
        fraction = math.fmod(cycles * (step - warmup) / (total - warmup), 1.0)
        expected = base * (1 + math.cos(math.pi * fraction)) / 2
    assert got == pytest.approx(expected, abs=1e-12)
    assert 0.0 <= got <= base


def test_each_cycle_restarts_at_the_base() -> None:
    schedule = CosineRestarts(2e-4, warmup=100, total=500, cycles=4)
    assert [schedule.rate(100 + 100 * k) for k in range(4)] == [2e-4] * 4
    assert schedule.rate(199) < 1e-7
    assert schedule.rate(500) == 0.0


@pytest.mark.parity
@pytest.mark.parametrize("cycles", [1, 4, 5])
def test_rate_equals_the_published_one(golden: Path, cycles: int) -> None:
    expected = np.load(golden / "lr_schedule.npz", allow_pickle=False)[f"lr_cycles{cycles}"]
    schedule = CosineRestarts(2e-4, warmup=1000, total=5000, cycles=cycles)
    got = np.array([schedule.rate(step) for step in range(len(expected))])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15)


def tiny() -> CellCLIP:
    return CellCLIP(
        CellCLIPConfig(
            width=16,
            embed_dim=8,
            layers=1,
            pool_hidden=8,
            text_vocabulary=20,
            text_width=16,
            text_layers=1,
            text_heads=2,
            text_intermediate=16,
            text_positions=12,
        )
    )


def test_gains_biases_and_temperature_do_not_decay() -> None:
    network = tiny()
    names = {name: decays(name, p) for name, p in network.named_parameters()}
    assert names["visual.proj"]
    assert names["text.encoder.layer.0.attention.self.query.weight"]
    assert not names["logit_scale"]
    assert not names["visual.ln_post.weight"]
    assert not names["image_pool.V.bias"]
    decaying, plain = parameter_groups(network.named_parameters(), 0.1)
    assert decaying["weight_decay"] == 0.1
    assert plain["weight_decay"] == 0.0
    assert len(decaying["params"]) + len(plain["params"]) == len(names)
    assert sum(names.values()) == len(decaying["params"])


@pytest.mark.parity
def test_the_same_parameters_are_spared_as_in_the_published_training(golden: Path) -> None:
    from safetensors.torch import load_file

    network = CellCLIP.from_state_dict(load_file(golden / "tiny_state.safetensors"), text_heads=4)
    spared = {name for name, p in network.named_parameters() if not decays(name, p)}
    published = set(np.load(golden / "train_step.npz", allow_pickle=False)["no_decay"].tolist())
    assert spared == published


def test_frozen_parameters_are_not_optimised() -> None:
    layer = nn.Linear(3, 3)
    layer.weight.requires_grad_(False)
    decaying, plain = parameter_groups(layer.named_parameters(), 0.1)
    assert decaying["params"] == []
    assert len(plain["params"]) == 1


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0.0), (2.0, 2.0), (9.0, MAX_LOGIT_SCALE)])
def test_temperature_is_clamped(value: float, expected: float) -> None:
    scale = nn.Parameter(torch.tensor(value))
    clamp_logit_scale(scale)
    assert scale.item() == pytest.approx(expected)


@pytest.mark.parity
def test_one_step_ends_at_the_published_weights(golden: Path) -> None:
    """Pool, forward, cwcl, clip the gradient, AdamW, clamp: the whole step at the published numbers."""
    from safetensors.torch import load_file

    from napari_cellclip.model import cwcl_loss

    z = np.load(golden / "train_step.npz", allow_pickle=False)
    network = CellCLIP.from_state_dict(load_file(golden / "tiny_state.safetensors"), text_heads=4)
    optimiser = torch.optim.AdamW(parameter_groups(network.named_parameters(), 0.1), lr=1e-3)
    pooled = network.encode_mil(torch.from_numpy(z["bags"]))
    tokens = {k: torch.from_numpy(z[k]) for k in ("input_ids", "attention_mask")}
    image, text, scale = network(pooled, tokens)
    # The published training weighs by profiles that its forward pass had changed, and through the gradient.
    loss = cwcl_loss(
        image, text, pooled, scale, detach_weights=False, channel_embed=network.visual.channel_embed
    )
    assert loss.item() == pytest.approx(float(z["loss"]), rel=1e-5)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), 20.0)
    assert norm.item() == pytest.approx(float(z["grad_norm_before_clip"]), rel=1e-4)
    optimiser.step()
    clamp_logit_scale(network.logit_scale)
    after = dict(network.named_parameters())
    for key in z.files:
        if key.startswith("grad."):
            got = after[key.removeprefix("grad.")].grad
            assert got is not None
            np.testing.assert_allclose(got.numpy(), z[key], rtol=1e-4, atol=1e-5)
        if key.startswith("after."):
            got = after[key.removeprefix("after.")].detach().numpy()
            # Adam's first step is the sign of the gradient: entries whose gradient is rounding noise may differ.
            gradient = z[key.replace("after.", "grad.")]
            firm = np.abs(gradient) > 1e-6
            np.testing.assert_allclose(got[firm], z[key][firm], rtol=0, atol=1e-5)
