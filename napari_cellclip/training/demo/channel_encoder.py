"""Training of the small channel encoder: one network for all five stains, trained on mechanism and effect.

The encoder sees one stain at a time, as at inference. Its five feature vectors are set side by side and a
linear head, thrown away afterwards, predicts the mechanism and the size of the effect of the field they
come from. Only then is the encoder frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from napari_cellclip.model.encoders.intensity import IntensityScaling, IntensityStats, scale_field
from napari_cellclip.screen import Progress
from napari_cellclip.training.loop.optimisation import CosineRestarts, parameter_groups


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Settings of the encoder's training.

    Attributes
    ----------
    steps, batch : int
        Optimiser steps, and fields per step at the first size of crops.
    crops : tuple of int
        Sides of the square crops in pixels, one size a step, in turn; the same window for all stains of a
        field. A step has as many pixels at any size: the smaller, the more fields.
    rate, weight_decay : float
        AdamW's.
    warmup : int
        Steps of linear warm-up.
    effect_weight : float
        Share of the effect-size loss beside the mechanism loss.
    dropout : float
        On the side-by-side features before the throw-away head.
    seed : int
        Seeds everything.
    """

    steps: int = 2400
    batch: int = 24
    crops: tuple[int, ...] = (128, 128, 64)
    rate: float = 2.5e-3
    weight_decay: float = 0.05
    warmup: int = 40
    effect_weight: float = 1.0
    dropout: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LabelledFields:
    """Simulated fields and their truth.

    Attributes
    ----------
    plates : tuple of ndarray of uint16, shape (fields, 5, Y, X)
        Camera counts of each plate, stains in the order of ``STAINS``; may be memory maps.
    stats : tuple of IntensityStats
        The intensity range of each plate.
    scaling : IntensityScaling
        The model card's; crops are scaled with the very function that inference uses.
    row : ndarray of int64, shape (n, 2)
        Plate and place in it of every labelled field.
    mechanism : ndarray of int64, shape (n,)
        0 for no mechanism, else 1 + the index of the mechanism.
    effect : ndarray of float32, shape (n,)
        Simulated effect, 0 to 1.
    """

    plates: tuple[NDArray[np.uint16], ...]
    stats: tuple[IntensityStats, ...]
    scaling: IntensityScaling
    row: NDArray[np.int64]
    mechanism: NDArray[np.int64]
    effect: NDArray[np.float32]

    def crops(self, rows: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """One random square crop of each of these fields: float32 ``[len(rows), 5, size, size]`` in 0..1."""
        out = np.empty((len(rows), 5, size, size), np.float32)
        for crop, (plate, place) in zip(out, self.row[rows], strict=True):
            field = self.plates[plate][place]
            top = rng.integers(0, field.shape[1] - size + 1)
            left = rng.integers(0, field.shape[2] - size + 1)
            window = np.asarray(field[:, top : top + size, left : left + size])
            crop[:] = scale_field(window, self.scaling, self.stats[plate])
        return out


class ThrowAwayHead(nn.Module):
    """Linear read-out of five feature vectors: mechanism logits and effect size."""

    def __init__(self, features: int, mechanisms: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(5 * features, mechanisms + 2)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read ``[B, 5, D]`` into logits ``[B, 1 + mechanisms]`` and effects ``[B]``."""
        out = self.linear(self.dropout(self.norm(features).flatten(1)))
        return out[:, :-1], out[:, -1]


def augment(crops: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn, mirror, re-gain, blur and add noise to crops ``[B, 5, c, c]`` in 0..1.

    Gain and offset differ by stain, so the encoder cannot lean on absolute brightness alone.
    """
    count, stains = crops.shape[:2]
    turned = []
    for crop in crops:
        turns, mirror = torch.randint(4, (), generator=generator), torch.rand((), generator=generator) < 0.5
        crop = torch.rot90(crop, int(turns), (1, 2))
        turned.append(crop.flip(2) if mirror else crop)
    out = torch.stack(turned)
    gain = torch.exp(0.12 * torch.randn(count, stains, 1, 1, generator=generator))
    offset = 0.01 * torch.randn(count, stains, 1, 1, generator=generator)
    out = out * gain + offset
    blurred = torch.rand(count, generator=generator) < 0.15
    if blurred.any():
        soft = functional.avg_pool2d(functional.pad(out[blurred], (1, 1, 1, 1), mode="reflect"), 3, stride=1)
        out = out.clone()
        out[blurred] = soft
    noise = 0.02 * torch.rand(count, stains, 1, 1, generator=generator)
    return (out + noise * torch.randn(out.shape, generator=generator)).clamp(0.0, 1.0)


def iter_train_encoder(
    encoder: nn.Module, fields: LabelledFields, mechanisms: int, config: EncoderConfig, *, report: int = 50
) -> Iterator[Progress]:
    """Train `encoder` in place, giving progress every `report` steps.

    Parameters
    ----------
    encoder : nn.Module
        Maps ``[N, 1, Y, X]`` in 0..1 to ``[N, D]``.
    fields : LabelledFields
        Training fields; no field of a held-out compound may be among them.
    mechanisms : int
        Number of mechanisms.
    config : EncoderConfig
        Settings.
    report : int
        Steps between two progress reports.

    Yields
    ------
    Progress
        With the mean loss and accuracy since the last report in its message.
    """
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    with torch.no_grad():
        width = encoder(torch.zeros(2, 1, config.crops[0], config.crops[0])).shape[1]
    head = ThrowAwayHead(width, mechanisms, config.dropout)
    network = nn.ModuleList([encoder, head]).train()
    optimiser = torch.optim.AdamW(parameter_groups(network.named_parameters(), config.weight_decay), lr=0.0)
    schedule = CosineRestarts(config.rate, config.warmup, config.steps)
    odds = _balanced(fields)
    losses: list[float] = []
    right: list[float] = []
    for step in range(config.steps):
        side = config.crops[step % len(config.crops)]
        count = round(config.batch * (config.crops[0] / side) ** 2)
        rows = rng.choice(len(odds), count, p=odds)
        crops = augment(torch.from_numpy(fields.crops(rows, side, rng)), generator)
        effect = torch.from_numpy(fields.effect[rows])
        target = (
            functional.one_hot(torch.from_numpy(fields.mechanism[rows]), mechanisms + 1) * effect[:, None]
        )
        target[:, 0] += 1.0 - target.sum(1)
        features = encoder(crops.flatten(0, 1)[:, None]).unflatten(0, (count, 5))
        logits, size = head(features)
        loss = functional.cross_entropy(logits, target) + config.effect_weight * functional.mse_loss(
            size, effect
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate(step + 1)
        optimiser.step()
        losses.append(loss.item())
        strong = effect > 0.5
        if strong.any():
            right.append((logits.argmax(1)[strong] == target.argmax(1)[strong]).float().mean().item())
        if (step + 1) % report == 0 or step + 1 == config.steps:
            message = f"loss {np.mean(losses):.3f}, strong fields right {np.mean(right):.2f}"
            losses, right = [], []
            yield Progress(done=step + 1, total=config.steps, message=message, stage="encoder")
    encoder.eval()


def _balanced(fields: LabelledFields) -> NDArray[np.float64]:
    """Odds of drawing each field: mechanisms alike, inactive ones twice as often, weak fields rarer."""
    odds = np.where(fields.mechanism > 0, 0.1 + fields.effect, 1.0).astype(np.float64)
    for label in np.unique(fields.mechanism):
        members = fields.mechanism == label
        odds[members] *= (2.0 if label == 0 else 1.0) / odds[members].sum()
    return odds / odds.sum()


def standardise(encoder: nn.Module, features: NDArray[np.float32]) -> None:
    """Fold a shift and a scale into the encoder's last layer, so that features have mean 0 and spread 1.

    Cosines between fields, which weigh the cwcl loss, then tell fields apart instead of being all near 1.

    Parameters
    ----------
    encoder : nn.Module
        With a linear last layer named ``head``; changed in place.
    features : ndarray of float32, shape (n, D)
        What the encoder gives for training fields, all stains together.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-6
    assert isinstance(encoder.head, nn.Linear)
    with torch.no_grad():
        scale = torch.from_numpy(1.0 / spread)
        encoder.head.weight.mul_(scale[:, None])
        encoder.head.bias.sub_(torch.from_numpy(mean)).mul_(scale)
