"""Image towers without attention across stains: what the CrossChannelFormer is compared with."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from napari_cellclip.model.network.image_tower import LayerNorm, QuickGELU


class ResidualPerceptron(nn.Module):
    """Pre-norm residual block with a wide hidden layer: a transformer's, without its attention.

    Parameters
    ----------
    width : int
        Length of a vector.
    dropout : float
        Share of the block's output dropped in training.
    """

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.ln = LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width),
                gelu=QuickGELU(),
                c_proj=nn.Linear(4 * width, width),
                drop=nn.Dropout(dropout),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] to [..., W]."""
        return x + self.mlp(self.ln(x))


class StainPerceptron(nn.Module):
    """The CrossChannelFormer with its attention taken out, for the ablation of Lu et al. 2025.

    Stains are told apart and normalised as there; then they are joined at once, and as many residual
    perceptrons follow as the transformer had blocks.

    Parameters
    ----------
    join : {"concatenation", "mean"}
        Stains side by side and mapped to one vector, or their mean.
    width, embed_dim, layers, stains : int
        As in `CrossChannelFormer`; at least one layer.
    """

    def __init__(
        self,
        join: Literal["concatenation", "mean"],
        width: int,
        embed_dim: int,
        layers: int = 12,
        stains: int = 5,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError("an image tower needs at least one layer")
        self.join, self.width, self.embed_dim = join, width, embed_dim
        self.channel_embed = nn.Parameter(torch.empty(stains, width))
        self.channel_ln = LayerNorm(width)
        if join == "concatenation":
            self.concatenation = nn.Linear(stains * width, width)
        self.ln_pre = LayerNorm(width)
        self.perceptrons = nn.Sequential(*(ResidualPerceptron(width) for _ in range(layers)))
        self.ln_post = LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, embed_dim))
        nn.init.normal_(self.proj, std=width**-0.5)
        nn.init.trunc_normal_(self.channel_embed, std=0.02)

    def forward(self, pooled: Tensor) -> Tensor:
        """Embed wells: [B, C, W] to [B, E], not normalised; the input is left as it is."""
        stains = self.channel_ln(pooled + self.channel_embed)
        joined = self.concatenation(stains.flatten(1)) if self.join == "concatenation" else stains.mean(dim=1)
        x = self.ln_post(self.perceptrons(self.ln_pre(joined)))
        return x if self.width == self.embed_dim else x @ self.proj
