"""Choose the number format in which a channel encoder computes."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from statistics import median
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from napari_cellclip.model.encoders.fused_convolutions import fused
from napari_cellclip.model.encoders.transformers_encoder import TransformersEncoder

Precision = Literal["float32", "bfloat16"]

MIN_COSINE = 0.999
"""Features in bfloat16 must have at least this cosine to those in float32, for every crop that is probed."""
MIN_GAIN = 1.25
"""How much faster bfloat16 must be: below this it is not worth another rounding."""
CLEAR = 1.5
"""A first round this many times above or below that decides."""
MIN_PARAMETERS = 500_000
"""Smaller encoders spend their time on other things than matrix products, and are not probed."""
ROUNDS = 3


@dataclass(frozen=True)
class PrecisionProbe:
    """Measurement of number formats, and what follows from it.

    Attributes
    ----------
    precision : {"float32", "bfloat16"}
        The choice.
    gain : float
        Time of float32 over that of bfloat16, median of rounds that take turns; 1 where not measured.
    cosine : float
        Smallest cosine of a crop's features in both; 1 where not measured.
    reason : str
        In a sentence.
    """

    precision: Precision
    gain: float
    cosine: float
    reason: str


def reduced(encoder: nn.Module) -> nn.Module:
    """Copy an encoder with bfloat16 weights; it takes and gives what the original does.

    On a processor, transformers then attend by plain products of matrices, which have instructions of their
    own: torch's fused attention takes twice as long (1.4 and .6 ms a layer and crop of 257 tokens of 384
    numbers, one core of an AMD Zen 5), and the small encoder's convolutions are `fused` before they are
    rounded.
    """
    on_cpu = next(encoder.parameters()).device.type == "cpu"
    copied = copy.deepcopy(fused(encoder) if on_cpu else encoder).to(torch.bfloat16)
    if isinstance(copied, TransformersEncoder) and on_cpu:
        copied.attend_plainly()
    return _Bfloat16(copied)


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16, rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags()
    return False


def without_gain(encoder: nn.Module, device: torch.device) -> PrecisionProbe | None:
    """Tell where bfloat16 cannot gain, so that nothing needs to be measured; ``None`` where it might."""
    size = sum(weight.numel() for weight in encoder.parameters())
    if size < MIN_PARAMETERS:
        return PrecisionProbe("float32", 1, 1, f"an encoder of {size:,} weights gains nothing by bfloat16")
    if not computes_bfloat16(device):
        return PrecisionProbe("float32", 1, 1, f"{device} has no bfloat16 instructions")
    return None


def probe_precision(encoder: nn.Module, half: nn.Module, crops: Tensor) -> PrecisionProbe:
    """Measure whether bfloat16 is faster here and gives the same features.

    Parameters
    ----------
    encoder : nn.Module
        In float32.
    half : nn.Module
        The same by `reduced`.
    crops : Tensor
        float32 [N, 1, H, W] in 0..1 on the encoder's device: real ones, as many as are encoded at once.

    Returns
    -------
    PrecisionProbe
        bfloat16 only where it is at least `MIN_GAIN` times as fast and every cosine is `MIN_COSINE` or more.
    """
    with torch.inference_mode():
        both = [normalize(network(crops).float()) for network in (encoder, half)]  # also warms up
        gains: list[float] = []
        while len(gains) < ROUNDS and not (gains and _is_clear(gains[0])):
            gains.append(timed(encoder, crops) / timed(half, crops))
    cosine = float((both[0] * both[1]).sum(dim=1).min())
    gain = median(gains)
    measured = f"{gain:.2f} times as fast, smallest cosine to float32 {cosine:.5f}"
    if not cosine >= MIN_COSINE:  # NaN, too
        return PrecisionProbe("float32", gain, cosine, f"bfloat16 is too far off: {measured}")
    if gain < MIN_GAIN:
        return PrecisionProbe("float32", gain, cosine, f"bfloat16 is not worth it: {measured}")
    return PrecisionProbe("bfloat16", gain, cosine, f"bfloat16 is {measured}")


class _Bfloat16(nn.Module):
    """Casts what goes in and comes out."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = encoder.dim

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.encoder(images.to(torch.bfloat16))).float()


def timed(network: nn.Module, crops: Tensor) -> float:
    """Measure the seconds of one pass: of a GPU until it has finished, of a processor those of this thread.

    The latter do not depend on what else the machine does, if torch computes in this thread alone.
    """
    now = time.thread_time if crops.device.type == "cpu" else time.perf_counter
    start = now()
    network(crops)
    if crops.is_cuda:
        torch.cuda.synchronize(crops.device)
    return now() - start


def _is_clear(gain: float) -> bool:
    return not MIN_GAIN / CLEAR < gain < MIN_GAIN * CLEAR


def _cpu_flags() -> frozenset[str]:
    """Instruction sets of the processor, where the system tells them (Linux)."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as told:
            for line in told:
                if line.startswith("flags"):
                    return frozenset(line.split())
    except OSError:
        pass
    return frozenset()
