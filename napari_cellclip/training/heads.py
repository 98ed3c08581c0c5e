"""Training of CellCLIP heads on stored field features (Lu et al. 2025, arXiv 2506.06290, section 4)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from napari_cellclip.model import CellCLIP, clip_loss, cwcl_loss
from napari_cellclip.screen import Progress
from napari_cellclip.training.bags import Bag, Caption, Tokenise, pad
from napari_cellclip.training.config import TrainingConfig
from napari_cellclip.training.optimisation import CosineRestarts, clamp_logit_scale, parameter_groups
from napari_cellclip.vocabulary import CellClipError


def iter_fit(
    network: CellCLIP,
    bags: Sequence[Bag],
    tokenise: Tokenise,
    config: TrainingConfig,
    *,
    unknown_token: int | None = None,
    checkpoint: Path | None = None,
    origin: Mapping[str, str] | None = None,
) -> Iterator[Progress]:
    """Train a head in place, one report an epoch; the same seed gives the same weights.

    Every epoch seeds itself from ``(seed, epoch)``, so a run continued from its checkpoint ends exactly where
    an uninterrupted one does.

    Parameters
    ----------
    network : CellCLIP
        Trained in place on the device its parameters are on.
    bags : sequence of Bag
        Wells to learn from.
    tokenise : callable
        Texts to token ids and mask.
    config : TrainingConfig
        Settings.
    unknown_token : int, optional
        Id put in place of dropped words; needed if ``config.word_dropout`` is not 0.
    checkpoint : Path, optional
        Written after every epoch (atomically); read at the start if it is there and fits.
    origin : mapping of str to str, optional
        What else the run depends on, named for a reader. A checkpoint is continued only with the same origin,
        settings, wells and captions.

    Yields
    ------
    Progress
        Epochs done, with the mean loss in the message.

    Raises
    ------
    CellClipError
        If there are fewer than two groups of wells, or the checkpoint belongs to another run.
    """
    bags = [bag for bag in bags if bag.weight > 0]
    if len({bag.group for bag in bags}) < 2:
        raise CellClipError("training needs wells of at least two different perturbations")
    device = next(network.parameters()).device
    texts = sorted({caption.text for bag in bags for caption in bag.captions})
    row_of = {text: row for row, text in enumerate(texts)}
    tokens_of_all = tokenise(texts)
    ids, mask = tokens_of_all["input_ids"], tokens_of_all["attention_mask"]
    numbers = {group: number for number, group in enumerate(sorted({bag.group for bag in bags}))}
    groups = np.array([numbers[bag.group] for bag in bags])
    odds = np.array([bag.weight for bag in bags], np.float64)
    odds /= odds.sum()
    spread = np.concatenate([bag.features for bag in bags]).std(0)

    batch = min(config.batch, len(bags))
    steps = max(1, len(bags) // batch)
    schedule = CosineRestarts(config.rate, config.warmup, steps * config.epochs, config.cycles)
    optimiser = torch.optim.AdamW(parameter_groups(network.named_parameters(), config.weight_decay), lr=0.0)
    run = {"settings": asdict(config), **(origin or {}), "wells or captions": _fingerprint(bags)}
    start = _resume(checkpoint, network, optimiser, run)
    for epoch in range(start, config.epochs):
        rng = np.random.default_rng([config.seed, epoch])
        torch.manual_seed(int(rng.integers(2**62)))
        network.train()
        losses = []
        for step in range(epoch * steps, (epoch + 1) * steps):
            rows = rng.choice(len(bags), batch, replace=False, p=odds)
            chosen = [bags[row] for row in rows]
            images = torch.from_numpy(_images(chosen, config, spread, rng)).to(device)
            captions = [row_of[_draw(bag.captions, rng)] for bag in chosen]
            tokens, present = _trim(ids[captions], mask[captions])
            if config.word_dropout and unknown_token is not None:
                tokens = _drop_words(tokens, present, config.word_dropout, unknown_token, rng)
            same = torch.from_numpy(groups[rows]).to(device)
            loss = contrastive_loss(network, images, tokens.to(device), present.to(device), same, config.loss)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.max_norm)
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step + 1)
            optimiser.step()
            clamp_logit_scale(network.logit_scale)
            losses.append(loss.item())
        if checkpoint is not None:
            _save(checkpoint, network, optimiser, run, epoch + 1)
        yield Progress(
            done=epoch + 1,
            total=config.epochs,
            message=f"loss {np.mean(losses):.3f}, temperature 1/{network.logit_scale.exp().item():.1f}",
            stage="training",
        )
    network.eval()


def contrastive_loss(
    network: CellCLIP,
    images: torch.Tensor,
    tokens: torch.Tensor,
    present: torch.Tensor,
    groups: torch.Tensor,
    loss: str,
) -> torch.Tensor:
    """Loss of one batch of wells and captions.

    Parameters
    ----------
    network : CellCLIP
        The head.
    images : Tensor, shape (B, M, 5, D)
        Padded bags.
    tokens, present : Tensor of int64, shape (B, length)
        Captions and their masks.
    groups : Tensor of int64, shape (B,)
        Wells of the same number are right answers to each other's captions, never negatives.
    loss : {"cwcl", "clip"}
        Which loss.

    Returns
    -------
    Tensor
        Scalar.
    """
    pooled = network.encode_mil(images)
    image = functional.normalize(network.encode_image(pooled), dim=-1)
    text = functional.normalize(encode_captions(network, tokens, present), dim=-1)
    scale = network.logit_scale
    if loss == "cwcl":
        return cwcl_loss(image, text, pooled, scale, groups=groups, same_perturbation="positive")
    return clip_loss(image, text, scale, groups=groups, same_perturbation="positive")


def encode_captions(
    network: CellCLIP, tokens: torch.Tensor, present: torch.Tensor, *, at_once: int = 32
) -> torch.Tensor:
    """Embed captions with those of like length together, each lot padded to its own longest only.

    A few structures (SMILES) in a batch would otherwise make every short caption as dear as they are.

    Parameters
    ----------
    network : CellCLIP
        The head.
    tokens, present : Tensor of int64, shape (B, length)
        Captions and their masks.
    at_once : int
        Captions in a lot.

    Returns
    -------
    Tensor, shape (B, E)
        Not normalised, in the order given.
    """
    order = torch.argsort(present.sum(1), stable=True)
    lots = [network.encode_text(*_trim(tokens[rows], present[rows])) for rows in order.split(at_once)]
    return torch.cat(lots)[torch.argsort(order)]


def _images(
    bags: Sequence[Bag], config: TrainingConfig, spread: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random non-empty subsets of the fields of each well, with noise, padded to ``[B, M, 5, D]``."""
    chosen = []
    for bag in bags:
        most = min(config.fields, len(bag.features))
        picked = rng.choice(len(bag.features), rng.integers(1, most + 1), replace=False)
        features = bag.features[picked]
        if config.feature_noise:
            noise = rng.standard_normal(features.shape, dtype=np.float32)
            features = features + config.feature_noise * spread * noise
        chosen.append(features.astype(np.float32, copy=False))
    return pad(chosen)


def _draw(captions: Sequence[Caption], rng: np.random.Generator) -> str:
    odds = np.array([caption.odds for caption in captions])
    return captions[rng.choice(len(captions), p=odds / odds.sum())].text


def _trim(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut a batch of padded captions to its longest one."""
    longest = int(mask.sum(1).max())
    return ids[:, :longest], mask[:, :longest]


def _drop_words(
    ids: torch.Tensor, mask: torch.Tensor, share: float, unknown: int, rng: np.random.Generator
) -> torch.Tensor:
    """Replace a share of the tokens by the unknown one; the first and last (the frame of the text) stay."""
    position = torch.arange(ids.shape[1])[None]
    inner = (position > 0) & (position < mask.sum(1, keepdim=True) - 1)
    dropped = torch.from_numpy(rng.random(tuple(ids.shape)) < share) & inner
    return torch.where(dropped, torch.full_like(ids, unknown), ids)


def _fingerprint(bags: Sequence[Bag]) -> str:
    """SHA-256 over all that is learnt from: groups, weights, captions and features, in their order."""
    digest = hashlib.sha256()
    for bag in bags:
        captions = [(caption.text, float(caption.odds)) for caption in bag.captions]
        digest.update(repr((bag.group, float(bag.weight), captions, bag.features.shape)).encode())
        digest.update(np.ascontiguousarray(bag.features, np.float32).tobytes())
    return digest.hexdigest()


def _save(
    path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, run: Mapping[str, object], epoch: int
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {
        "model": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "run": dict(run),
        "epoch": epoch,
    }
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _resume(
    path: Path | None, network: nn.Module, optimiser: torch.optim.Optimizer, run: Mapping[str, object]
) -> int:
    if path is None or not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    saved = state.get("run", {})
    if others := [name for name, value in run.items() if saved.get(name) != value]:
        raise CellClipError(
            f"{path} belongs to a training with other {', '.join(others)}: remove this file to start anew,"
            " or train into another folder"
        )
    network.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["epoch"])
