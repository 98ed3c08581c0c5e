"""Losses that let the texts of a batch compete by softmax: CLIP's, and the paper's weighted ones."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_cellclip.model.losses.pairs import (
    SamePerturbation,
    cross_entropy,
    grouped_weights,
    row_normalised,
    same_pairs,
    soft_cross_entropy,
)


def clip_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
) -> Tensor:
    r"""Symmetric cross-entropy over the batch (Radford et al. 2021, arXiv 2103.00020).

    With :math:`L = e^{t} I T^\top` and ce the mean cross-entropy of row i with answer i,

    .. math:: \tfrac12 \, (\mathrm{ce}(L) + \mathrm{ce}(L^\top))

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    logit_scale : Tensor
        Logarithm t of the inverse temperature, scalar.
    groups : Tensor, optional
        [N] integers, equal for samples of one perturbation.
    same_perturbation : {"positive", "ignore", "negative"}
        Treat other samples of the perturbation as further right answers (each row's answer is then spread
        evenly over them), leave them out, or (as published) as wrong ones. The first two need `groups`.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * image @ text.T
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    there = cross_entropy(logits, same, same_perturbation)
    return (there + cross_entropy(logits.T, same, same_perturbation)) / 2


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


def text_similarity(text: Tensor) -> Tensor:
    """Likeness of unit text embeddings [N, E] in 0..1: cosine, shifted and halved, [N, N]."""
    return text @ text.T / 2 + 0.5


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
    r"""Continuously weighted contrastive loss of CellCLIP (arXiv 2506.06290, after arXiv 2309.14580).

    From profile to text, every text counts by how alike the two wells look; from text to profile only the own
    one. With :math:`L = e^{t} I T^\top`,

    .. math:: -\frac1N \sum_{ij} \frac{w_{ij}}{\sum_k w_{ik}} \log\mathrm{softmax}_j(L_{i\cdot})
              + \mathrm{ce}(L^\top), \qquad
              w_{ij} = \frac12 + \frac1{2C} \sum_c \cos(\mu_i^c, \mu_j^c)

    Parameters
    ----------
    image, text : Tensor
        [N, E] unit embeddings; row i of both belongs together.
    pooled : Tensor
        [N, C, D] pooled features, before the image tower.
    logit_scale : Tensor
        Logarithm t of the inverse temperature, scalar.
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
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    weights = profile_similarity(pooled.detach() if detach_weights else pooled, channel_embed)
    weights = row_normalised(grouped_weights(weights, same, same_perturbation))
    soft = soft_cross_entropy(logits, weights, same, same_perturbation)
    return soft + cross_entropy(logits.T, same, same_perturbation)


def bi_cwcl_loss(
    image: Tensor,
    text: Tensor,
    pooled: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
    detach_weights: bool = True,
    channel_embed: Tensor | None = None,
    normalise_text_weights: bool = True,
) -> Tensor:
    r"""Weighted in both directions: `cwcl_loss`, its hard half replaced by one with weights from the texts.

    In the published code beside the paper; kept for comparison.

    .. math:: -\frac1N \sum_{ij} \frac{w_{ij}}{\sum_k w_{ik}} \log\mathrm{softmax}_j(L_{i\cdot})
              -\frac1N \sum_{ij} \frac{u_{ij}}{\sum_k u_{ik}} \log\mathrm{softmax}_j(L^\top_{i\cdot}), \qquad
              u_{ij} = \frac{1 + \cos(T_i, T_j)}2

    Parameters
    ----------
    image, text, pooled, logit_scale, groups, same_perturbation, channel_embed
        As in `cwcl_loss`.
    detach_weights : bool
        Whether the weights of both halves are constants.
    normalise_text_weights : bool
        Whether the rows of u are divided by their sum. The published code does not, so its second half is
        about N/2 times the first.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * image @ text.T
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    by_profile = profile_similarity(pooled.detach() if detach_weights else pooled, channel_embed)
    by_profile = row_normalised(grouped_weights(by_profile, same, same_perturbation))
    by_text = text_similarity(text.detach() if detach_weights else text)
    by_text = grouped_weights(by_text, same, same_perturbation)
    if normalise_text_weights:
        by_text = row_normalised(by_text)
    there = soft_cross_entropy(logits, by_profile, same, same_perturbation)
    return there + soft_cross_entropy(logits.T, by_text, same, same_perturbation)


def cwcl_ma_loss(
    image: Tensor,
    text: Tensor,
    logit_scale: Tensor,
    *,
    groups: Tensor | None = None,
    same_perturbation: SamePerturbation = "negative",
    detach_weights: bool = True,
) -> Tensor:
    r"""`cwcl_loss` with the weights of the profile-to-text half taken from the texts.

    In the published code beside the paper, where it is named after the Mahalanobis distance; what it computes
    are row-normalised cosines, :math:`w_{ij} = (1 + \cos(T_i, T_j))/2`. Kept for comparison.

    Parameters
    ----------
    image, text, logit_scale, groups, same_perturbation, detach_weights
        As in `cwcl_loss`.

    Returns
    -------
    Tensor
        Scalar.
    """
    logits = logit_scale.exp() * image @ text.T
    same = same_pairs(len(logits), groups, same_perturbation, logits.device)
    weights = text_similarity(text.detach() if detach_weights else text)
    weights = row_normalised(grouped_weights(weights, same, same_perturbation))
    soft = soft_cross_entropy(logits, weights, same, same_perturbation)
    return soft + cross_entropy(logits.T, same, same_perturbation)
