"""Many fields to one: pooling a bag of per-stain feature vectors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["attention", "mean", "median", "none"]
"""How the instances of a bag become one; ``"none"``: they do not, each is embedded alone."""


def instance_mask(bags: Tensor) -> Tensor:
    """Tell instances from padding: [B, M, C] bool, false for all-zero vectors (padding, blank stain)."""
    return (bags != 0).any(dim=-1)


class GatedAttentionPool(nn.Module):
    """Gated attention pooling over the instances of a bag (Ilse et al. 2018, arXiv 1802.04712).

    The same weights serve every stain, and each stain attends on its own.

    Parameters
    ----------
    width : int
        Length of a feature vector.
    hidden : int
        Width of the gate.
    """

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.V = nn.Linear(width, hidden)
        self.U = nn.Linear(width, hidden)
        self.attention = nn.Linear(hidden, 1)

    def scores(self, bags: Tensor) -> Tensor:
        """Attention score of each instance before masking: [B, M, C, W] to [B, M, C]."""
        gate = torch.tanh(self.V(bags)) * torch.sigmoid(self.U(bags))
        return self.attention(gate).squeeze(-1)

    def weights(self, bags: Tensor, mask: Tensor | None = None) -> Tensor:
        """Share of each instance in the pooled vector.

        Parameters
        ----------
        bags : Tensor
            [B, M, C, W] features.
        mask : Tensor, optional
            [B, M, C] bool, true for the instances that count; by default those that are not all zero.

        Returns
        -------
        Tensor
            [B, M, C], summing to 1 over M, or to 0 where a stain has no instance at all.
        """
        mask = instance_mask(bags) if mask is None else mask
        scores = self.scores(bags)
        # The lowest finite number and not -inf: a stain that is blank throughout would turn into NaN.
        masked = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return masked.softmax(dim=1) * mask

    def without_most_attended(self, bags: Tensor, count: int) -> Tensor:
        """Mask that leaves the most attended instances of each stain out (ablation S.3 of the paper).

        Parameters
        ----------
        bags : Tensor
            [B, M, C, W] features.
        count : int
            How many to leave out. The least attended instance always stays.

        Returns
        -------
        Tensor
            [B, M, C] bool, to pool with.
        """
        mask = instance_mask(bags)
        scores = self.scores(bags).masked_fill(~mask, -torch.inf)
        place = scores.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        removed = (mask.sum(dim=1, keepdim=True) - 1).clamp(max=count)
        return mask & (place >= removed)

    def forward(self, bags: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pool [B, M, C, W] to [B, C, W]; a stain without any instance gives zeros."""
        return (self.weights(bags, mask).unsqueeze(-1) * bags).sum(dim=1)


def pool_without_weights(
    bags: Tensor, how: Literal["mean", "median"], *, count_padding: bool = False
) -> Tensor:
    """Mean or (lower) median over the instances of a bag.

    Parameters
    ----------
    bags : Tensor
        [B, M, C, W] features, padded with zeros.
    how : {"mean", "median"}
        The statistic.
    count_padding : bool
        Count all-zero instances too, as the published code does.

    Returns
    -------
    Tensor
        [B, C, W]; zeros for a stain without any instance.
    """
    mask = torch.ones_like(bags[..., 0], dtype=torch.bool) if count_padding else instance_mask(bags)
    if how == "mean":
        total = (bags * mask.unsqueeze(-1)).sum(dim=1)
        return total / mask.sum(dim=1).clamp(min=1).unsqueeze(-1)
    gaps = bags.masked_fill(~mask.unsqueeze(-1), torch.nan)
    return gaps.nanmedian(dim=1).values.nan_to_num(nan=0.0)
