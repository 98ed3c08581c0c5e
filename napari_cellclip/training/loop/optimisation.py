"""How CellCLIP heads are optimised: decay groups, learning-rate schedule, logit-scale clamp."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

MAX_LOGIT_SCALE = math.log(100.0)
"""Upper bound of the log inverse temperature (CLIP, Radford et al. 2021, arXiv 2103.00020)."""

_NO_DECAY_WORDS = ("bn", "ln", "bias", "logit_scale")


@dataclass(frozen=True, slots=True)
class CosineRestarts:
    """Linear warm-up from zero, then cosine annealing with hard restarts.

    Attributes
    ----------
    base : float
        Highest learning rate.
    warmup, total : int
        Steps of warm-up, and of the whole training.
    cycles : int
        Number of cosine cycles after the warm-up; each starts again at `base`.

    Examples
    --------
    >>> schedule = CosineRestarts(base=1.0, warmup=10, total=110, cycles=2)
    >>> [round(schedule.rate(step), 3) for step in (5, 10, 35, 60, 110)]
    [0.5, 1.0, 0.5, 1.0, 0.0]
    """

    base: float
    warmup: int
    total: int
    cycles: int = 1

    def rate(self, step: int) -> float:
        """Learning rate of one optimiser step, counted from 0."""
        if step < self.warmup:
            return self.base * step / max(1, self.warmup)
        progress = (step - self.warmup) / max(1, self.total - self.warmup)
        if progress >= 1.0:
            return 0.0
        return self.base * 0.5 * (1.0 + math.cos(math.pi * ((self.cycles * progress) % 1.0)))


def decays(name: str, parameter: torch.Tensor) -> bool:
    """Tell whether weight decay applies to a parameter: to matrices, not gains, biases or the temperature."""
    return parameter.ndim >= 2 and not any(word in name for word in _NO_DECAY_WORDS)


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], weight_decay: float
) -> list[dict[str, list[nn.Parameter] | float]]:
    """Split parameters into those with and those without weight decay, for AdamW.

    Parameters
    ----------
    named : iterable of (str, Parameter)
        As ``module.named_parameters()`` gives them; frozen ones are left out.
    weight_decay : float
        Decay of the first group.

    Returns
    -------
    list of dict
        Two parameter groups, decaying and not decaying.
    """
    trainable = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    return [
        {"params": [p for n, p in trainable if decays(n, p)], "weight_decay": weight_decay},
        {"params": [p for n, p in trainable if not decays(n, p)], "weight_decay": 0.0},
    ]


def clamp_logit_scale(logit_scale: nn.Parameter) -> None:
    """Keep the log inverse temperature within [0, ln 100], in place, after an optimiser step."""
    with torch.no_grad():
        logit_scale.clamp_(0.0, MAX_LOGIT_SCALE)
