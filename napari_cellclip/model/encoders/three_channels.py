"""One stain where an encoder made for colour pictures expects three channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Triple = tuple[float, float, float]


class ThreeChannels(nn.Module):
    """Repeats one stain three times and normalises it, as encoders made for colour pictures want it.

    Parameters
    ----------
    mean, std : sequence of float
        Of the three colours, for pixels in 0..1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, W] to [N, 3, H, W]."""
        return (images - self.mean) / self.std
