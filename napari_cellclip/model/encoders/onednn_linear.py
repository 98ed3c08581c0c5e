"""Linear layers by oneDNN, where torch's own choice of library leaves half of a processor unused.

torch multiplies float32 matrices with Intel's MKL, which uses the wide vectors (AVX-512) of Intel's
processors only; oneDNN, which comes with torch too, uses those of all. Results differ by rounding.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_cellclip.model.encoders.batches_ahead import alone

Network = TypeVar("Network", bound=nn.Module)

MIN_WEIGHTS = 1_000_000
"""Networks with fewer weights in linear layers take too little time to gain any."""
MIN_GAIN = 1.2
"""How much faster oneDNN must be, to be taken."""
TOKENS, WIDTH = 1024, 384
"""Size of the product that is timed: a few crops in a small transformer; 5 to 12 ms."""
ROUNDS = 3


class OneDnnLinear(nn.Linear):
    """A linear layer for inference in float32, computed by oneDNN."""

    def forward(self, input: Tensor) -> Tensor:  # the name that nn.Linear gives it
        """[..., in_features] to [..., out_features]."""
        return by_onednn(input, self.weight, self.bias)


def by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute ``x @ weight.T + bias`` by oneDNN; the operator is the one that torch.compile calls."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def faster_linear(network: Network) -> Network:
    """Return a network for inference on a processor, with the same weights and the faster linear layers.

    Parameters
    ----------
    network : nn.Module
        Left as it is.

    Returns
    -------
    nn.Module
        The network itself where nothing is gained: it has few linear layers, or none in float32.
    """
    layers = [module for module in network.modules() if _is_float32_linear(module)]
    size = sum(layer.weight.numel() for layer in layers)
    all_of_it = sum(weight.numel() for weight in network.parameters())
    if size < MIN_WEIGHTS or 2 * size < all_of_it or not alone(onednn_gains):
        return network
    # Only modules are copied: parameters and buffers are the same tensors.
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    copied = copy.deepcopy(network, shared)
    for module in copied.modules():
        if _is_float32_linear(module):
            module.__class__ = OneDnnLinear
    return copied


def _is_float32_linear(module: nn.Module) -> TypeGuard[nn.Linear]:
    return type(module) is nn.Linear and module.weight.dtype == torch.float32


@cache
def onednn_gains() -> bool:
    """Measure, once a process, in this thread alone, whether oneDNN multiplies float32 matrices faster."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    x, weight, bias = torch.rand(TOKENS, WIDTH), torch.rand(4 * WIDTH, WIDTH), torch.rand(4 * WIDTH)
    with torch.inference_mode():
        as_usual = seconds(partial(functional.linear, x, weight, bias))
        return as_usual > MIN_GAIN * seconds(partial(by_onednn, x, weight, bias))


def seconds(work: Callable[[], object]) -> float:
    """Measure the processor time of a call in this thread, the best of some."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)
