"""What the samples of a batch are to each other: whose text is whose, and who shares a perturbation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SamePerturbation = Literal["positive", "ignore", "negative"]
"""What two samples of one perturbation in a batch are to each other, besides a sample and its own text."""

RULES: tuple[SamePerturbation, ...] = ("positive", "ignore", "negative")


def same_pairs(
    count: int, groups: Tensor | None, same_perturbation: SamePerturbation, device: torch.device
) -> Tensor:
    """Pairs to which the rule applies: another sample of the same perturbation, never a sample and itself.

    Parameters
    ----------
    count : int
        Samples N of the batch.
    groups : Tensor or None
        [N] integers, equal for samples of one perturbation.
    same_perturbation : {"positive", "ignore", "negative"}
        The rule; under ``"negative"`` there is nothing special about any pair.
    device : torch.device
        Where the result lies.

    Returns
    -------
    Tensor
        [N, N] bool.

    Raises
    ------
    ValueError
        If the rule is unknown, or the groups it needs are missing or of another number.
    """
    if same_perturbation not in RULES:
        raise ValueError(f"same_perturbation is one of {', '.join(RULES)}, not {same_perturbation!r}")
    if same_perturbation == "negative":
        return torch.zeros(count, count, dtype=torch.bool, device=device)
    if groups is None:
        raise ValueError(f"same_perturbation={same_perturbation!r} needs the group of each sample")
    if groups.shape != (count,):
        raise ValueError(f"{count} samples need {count} groups, not {tuple(groups.shape)}")
    groups = groups.to(device)
    return (groups[:, None] == groups[None, :]) & ~own_pairs(count, device)


def own_pairs(count: int, device: torch.device) -> Tensor:
    """[N, N] bool, true for a sample and its own text."""
    return torch.eye(count, dtype=torch.bool, device=device)


def log_softmax(logits: Tensor, same: Tensor, rule: SamePerturbation) -> Tensor:
    """Row-wise log-softmax; ignored pairs take no part and read 0, so that no 0 x inf arises."""
    if rule != "ignore":
        return F.log_softmax(logits, dim=1)
    return F.log_softmax(logits.masked_fill(same, -torch.inf), dim=1).masked_fill(same, 0.0)


def cross_entropy(logits: Tensor, same: Tensor, rule: SamePerturbation) -> Tensor:
    """Mean over rows of the cross-entropy with the own text, or with all of the perturbation, as answer."""
    log_p = log_softmax(logits, same, rule)
    if rule != "positive":
        return -log_p.diagonal().mean()
    targets = (same | own_pairs(len(same), same.device)).to(log_p.dtype)
    return -(log_p * targets).sum(dim=1).div(targets.sum(dim=1)).mean()


def soft_cross_entropy(logits: Tensor, weights: Tensor, same: Tensor, rule: SamePerturbation) -> Tensor:
    """Mean over rows of the cross-entropy with weighted answers, weights as they are given."""
    return -(weights * log_softmax(logits, same, rule)).sum(dim=1).mean()


def grouped_weights(weights: Tensor, same: Tensor, rule: SamePerturbation) -> Tensor:
    """Weights in which samples of one perturbation count fully (``positive``) or not at all (``ignore``)."""
    if rule == "negative":
        return weights
    return weights.masked_fill(same, 1.0 if rule == "positive" else 0.0)


def row_normalised(weights: Tensor) -> Tensor:
    """Weights whose rows sum to 1, as the published code divides them (by the sum + 1e-8)."""
    return weights / (weights.sum(dim=1, keepdim=True) + 1e-8)
