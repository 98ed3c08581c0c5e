"""What CellCLIP is trained to minimise: the CLIP loss and the paper's continuously weighted one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SamePerturbation = Literal["positive", "ignore", "negative"]
"""What two samples of one perturbation in a batch are to each other, besides a sample and its own text."""


def clip_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
) -> Tensor:
    """Symmetric cross-entropy over the batch (Radford et al. 2021, arXiv 2103.00020).

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale : Tensor
        Logarithm of the inverse temperature, scalar.
    groups : Tensor, optional
        [N] integers, equal for samples of one perturbation.
    same_perturbation : {"positive", "ignore", "negative"}
        Treat other samples of the perturbation as further right answers, leave them out, or (as published) as
        wrong ones. The first two need `groups`.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * image @ text.T
    same = _same(len(logits), groups, same_perturbation, logits.device)
    return (_hard(logits, same, same_perturbation) + _hard(logits.T, same, same_perturbation)) / 2


def profile_similarity(pooled: Tensor, channel_embed: Tensor | None = None) -> Tensor:
    """Likeness of profiles in 0..1: mean over stains of the cosine, shifted and halved.

    Parameters
    ----------
    pooled : Tensor
        [N, C, D] pooled features.
    channel_embed : Tensor, optional
        [C, D], added first: the published training code does so by accident.

    Returns
    -------
    Tensor
        [N, N], the raw weights of `cwcl_loss`.
    """
    profiles = pooled if channel_embed is None else pooled + channel_embed
    unit = profiles / (profiles.norm(dim=-1, keepdim=True) + 1e-8)
    cosine = torch.einsum("icd,jcd->ij", unit, unit) / profiles.shape[1]
    return cosine / 2 + 0.5


def cwcl_loss(
    image: Tensor,
    text: Tensor,
    pooled: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
    detach_weights: bool = True,
    channel_embed: Tensor | None = None,
) -> Tensor:
    """Continuously weighted contrastive loss of CellCLIP (arXiv 2506.06290, after Srinivasa et al. 2023).

    From profile to text, every text counts by how alike the two wells look; from text to profile only the own
    one.

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    pooled : Tensor
        [N, C, D] pooled features, before the image tower.
    logit_scale : Tensor
        Logarithm of the inverse temperature, scalar.
    groups, same_perturbation
        As in `clip_loss`. ``"positive"`` also gives samples of one perturbation the full weight.
    detach_weights : bool
        Whether the weights are constants. The published code lets gradients through them.
    channel_embed : Tensor, optional
        See `profile_similarity`.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * image @ text.T
    same = _same(len(logits), groups, same_perturbation, logits.device)
    weights = profile_similarity(pooled.detach() if detach_weights else pooled, channel_embed)
    if same_perturbation == "positive":
        weights = weights.masked_fill(same, 1.0)
    elif same_perturbation == "ignore":
        weights = weights.masked_fill(same, 0.0)
    weights = weights / (weights.sum(dim=1, keepdim=True) + 1e-8)
    soft = -(weights * _log_softmax(logits, same, same_perturbation)).sum(dim=1).mean()
    return soft + _hard(logits.T, same, same_perturbation)


def _same(count: int, groups: Tensor | None, how: SamePerturbation, device: torch.device) -> Tensor:
    """[N, N] bool: another sample of the same perturbation (never the sample itself)."""
    if how == "negative":
        return torch.zeros(count, count, dtype=torch.bool, device=device)
    if groups is None:
        raise ValueError(f"same_perturbation={how!r} needs the group of each sample")
    groups = groups.to(device)
    return (groups[:, None] == groups[None, :]) & ~torch.eye(count, dtype=torch.bool, device=device)


def _log_softmax(logits: Tensor, same: Tensor, how: SamePerturbation) -> Tensor:
    """Row-wise log-softmax; ignored pairs take no part and read 0, so that no 0 x inf arises."""
    if how != "ignore":
        return F.log_softmax(logits, dim=1)
    return F.log_softmax(logits.masked_fill(same, -torch.inf), dim=1).masked_fill(same, 0.0)


def _hard(logits: Tensor, same: Tensor, how: SamePerturbation) -> Tensor:
    """Mean over rows of the cross-entropy with the own text, or with all of the perturbation, as answer."""
    log_p = _log_softmax(logits, same, how)
    if how != "positive":
        return -log_p.diagonal().mean()
    targets = (same | torch.eye(len(same), dtype=torch.bool, device=same.device)).to(log_p.dtype)
    return -(log_p * targets).sum(dim=1).div(targets.sum(dim=1)).mean()
