"""Measured features of each stain, brought to the width of an image tower."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StainProjection(nn.Module):
    """Learnt linear map for each stain, for heads on measured profiles instead of an encoder's features.

    The stains of a profile have features of their own and unlike numbers of them; their rows are padded with
    zeros to the widest. Layer normalisation over such rows would see the padding, so it is not what comes
    first: each stain's row is multiplied by that stain's matrix. There is no bias. A padded place is 0 in
    every well and adds 0 to every output, and the gradient of its weights is exactly 0, so that neither what
    the model says nor what the others learn depends on how far rows are padded. The pooling gate before it is
    linear in the features too and ignores padding for the same reason.

    Parameters
    ----------
    stains : int
        Number of slots C.
    features : int
        Length F of a padded row.
    width : int
        Length W that the image tower takes.
    """

    def __init__(self, stains: int, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(stains, features, width))
        nn.init.normal_(self.weight, std=features**-0.5)

    def forward(self, profiles: Tensor) -> Tensor:
        """[B, C, F] to [B, C, W]."""
        return torch.einsum("bcf,cfw->bcw", profiles, self.weight)
