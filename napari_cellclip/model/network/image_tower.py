"""CrossChannelFormer: the transformer that looks across the five stains of a well."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LayerNorm(nn.LayerNorm):
    """Layer normalisation computed in float32 whatever the input, and cast back."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over the last dimension."""
        weight, bias = self.weight.float(), self.bias.float()
        return F.layer_norm(x.float(), self.normalized_shape, weight, bias, self.eps).to(x.dtype)


class QuickGELU(nn.Module):
    """``u * sigmoid(1.702 u)``, the activation of the first CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return x * torch.sigmoid(1.702 * x)


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection, rows ordered query, key, value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        batch, tokens, width = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(y.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a four times wider perceptron."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width), gelu=QuickGELU(), c_proj=nn.Linear(4 * width, width)
            )
        )
        self.ln_2 = LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of blocks."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, W] to [B, T, W]."""
        return self.resblocks(x)


class CrossChannelFormer(nn.Module):
    """The image tower of CellCLIP (Lu et al. 2025, arXiv 2506.06290).

    One token for each stain plus a class token, a learnt vector telling the stains apart, no other position.

    Parameters
    ----------
    width : int
        Length W of a feature vector, the width of the channel encoder.
    embed_dim : int
        Length E of the embedding. Where E equals W the last projection is kept in the weights but not used.
    layers, heads : int
        Size of the transformer.
    stains : int
        Number of slots C.
    """

    def __init__(self, width: int, embed_dim: int, layers: int = 12, heads: int = 8, stains: int = 5) -> None:
        super().__init__()
        self.width, self.embed_dim = width, embed_dim
        self.channel_embed = nn.Parameter(torch.empty(stains, width))
        self.cls_token = nn.Parameter(torch.zeros(1, width))
        self.proj = nn.Parameter(torch.empty(width, embed_dim))
        nn.init.normal_(self.proj, std=width**-0.5)
        self.channel_ln = LayerNorm(width)
        self.ln_pre = LayerNorm(width)
        self.transformer = Transformer(width, layers, heads)
        self.ln_post = LayerNorm(width)
        nn.init.trunc_normal_(self.channel_embed, std=0.02)

    def tokens(self, pooled: Tensor) -> Tensor:
        """Class token and stain tokens before the first block: [B, C, W] to [B, C+1, W]."""
        stains = self.channel_ln(pooled + self.channel_embed)
        cls = self.cls_token.to(stains.dtype).expand(len(stains), 1, -1)
        return self.ln_pre(torch.cat([cls, stains], dim=1))

    def forward(self, pooled: Tensor) -> Tensor:
        """Embed wells.

        Parameters
        ----------
        pooled : Tensor
            [B, C, W], one vector for each stain in the order of the model's slots; left as it is.

        Returns
        -------
        Tensor
            [B, E], not normalised.
        """
        cls = self.ln_post(self.transformer(self.tokens(pooled))[:, 0])
        return cls if self.width == self.embed_dim else cls @ self.proj
