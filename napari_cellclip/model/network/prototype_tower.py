"""An image tower that compares a profile with stored ones: what a closed-form head is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PrototypeTower(nn.Module):
    """Kernel ridge regression from measured profiles to the shared embedding, as a network.

    Each group holds the profiles of one data set, in a space of its own (the stains' projections are added up
    and cut into the groups' spaces). A well's embedding is ``offset + sum over prototypes of value *
    exp(sharpness * (cosine - 1))``; the last number of the embedding is a constant, in which texts are 0, so
    that the cosine with a text grows with how much a well resembles anything at all.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Width of the space and number of prototypes of each group.
    embed_dim : int
        Length of the shared embedding.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], embed_dim: int) -> None:
        super().__init__()
        if not sizes:
            raise ValueError("a tower of prototypes needs at least one group of them")
        self.widths = [width for width, _ in sizes]
        self.prototypes = nn.ParameterList(nn.Parameter(torch.zeros(n, width)) for width, n in sizes)
        self.values = nn.ParameterList(nn.Parameter(torch.zeros(n, embed_dim)) for _, n in sizes)
        self.offset = nn.Parameter(torch.zeros(embed_dim))
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def forward(self, projected: Tensor) -> Tensor:
        """Embed wells: [B, C, W] to [B, E], not normalised; the input is left as it is."""
        out = self.offset
        parts = projected.sum(dim=1).split(self.widths, dim=-1)
        for part, prototypes, values in zip(parts, self.prototypes, self.values, strict=True):
            cosine = F.normalize(part, dim=-1) @ prototypes.T
            out = out + torch.exp(self.sharpness * (cosine - 1)) @ values
        return out
