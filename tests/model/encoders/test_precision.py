"""bfloat16 is chosen only where it is faster and gives the same features; what was measured is told."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_cellclip.model.encoders import precision
from napari_cellclip.model.encoders.precision import probe_precision, reduced, without_gain


class Network(nn.Module):
    """Projects pixels; may add noise of its own, or take its time (counted, not slept)."""

    dim = 16

    def __init__(self, noise: float = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.project, self.noise = nn.Linear(64, self.dim), noise

    def forward(self, images: Tensor) -> Tensor:
        found = self.project(images.flatten(1))
        return found + self.noise * torch.arange(self.dim)


@pytest.fixture
def seconds(monkeypatch):
    """Times that the networks are said to take, so that no test depends on a clock."""
    told: dict[bool, float] = {}
    monkeypatch.setattr(precision, "timed", lambda network, crops: told[type(network) is precision._Bfloat16])
    return told


CROPS = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("gain", "noise", "chosen", "why"),
    [
        (2.0, 0.0, "bfloat16", "2.00 times as fast"),
        (1.2, 0.0, "float32", "not worth it"),
        (2.0, 1.0, "float32", "too far off"),
        (2.0, float("nan"), "float32", "too far off"),
    ],
)
def test_faster_and_the_same(seconds, gain, noise, chosen, why) -> None:
    seconds.update({False: gain, True: 1.0})
    half = reduced(Network())
    half.encoder.noise = noise
    probe = probe_precision(Network(), half, CROPS)
    assert probe.precision == chosen
    assert probe.gain == gain
    assert why in probe.reason


def test_the_copy_takes_and_gives_float32_and_leaves_the_original() -> None:
    network = Network()
    half = reduced(network)
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}
    assert network.project.weight.dtype == torch.float32
    with torch.no_grad():
        found = half(CROPS)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, network(CROPS), atol=0.02, rtol=0.02)
    assert half.dim == 16


def test_small_encoders_and_other_devices_are_not_measured(monkeypatch) -> None:
    told = without_gain(Network(), torch.device("cpu"))
    assert told is not None
    assert told.precision == "float32"
    assert "1,040 weights" in told.reason
    monkeypatch.setattr(precision, "MIN_PARAMETERS", 100)
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: False)
    assert "no bfloat16 instructions" in without_gain(Network(), torch.device("cpu")).reason
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device: True)
    assert without_gain(Network(), torch.device("cpu")) is None


def test_instructions_are_read_from_the_system(tmp_path, monkeypatch) -> None:
    for flags, expected in (("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512f", False)):
        told = frozenset(flags.split())
        monkeypatch.setattr(precision, "_cpu_flags", lambda told=told: told)
        assert precision.computes_bfloat16(torch.device("cpu")) is expected
    assert not precision.computes_bfloat16(torch.device("meta"))
