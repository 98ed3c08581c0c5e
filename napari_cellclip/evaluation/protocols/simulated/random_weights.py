"""The same architecture with weights that have learnt nothing: what every protocol must be able to fail."""

from __future__ import annotations

import copy

import torch
from torch import nn

from napari_cellclip.model import CellCLIP, FileCard, Model


def random_weights(model: Model, seed: int = 0) -> Model:
    """Return a model of the same card, tokenizer and sizes with newly drawn weights.

    Parameters
    ----------
    model : Model
        Left as it is.
    seed : int
        The same seed draws the same weights.

    Returns
    -------
    Model
        Its card has another name and other hashes, so nothing encoded by one is taken for the other's.
    """
    name = f"{model.card.name}-random-{seed}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cellclip = CellCLIP(model.cellclip.config, pooling=model.cellclip.pooling)
        encoder = _drawn_again(model.encoder)
    card = model.card.model_copy(
        update={
            "name": name,
            "title": "",
            "description": "Random weights, for comparison.",
            "weights": FileCard(file=name),
            "encoder": model.card.encoder.model_copy(update={"name": name, "weights": FileCard()}),
            "scores": {},
        }
    )
    device = str(model.device)
    return Model(card, cellclip, model.tokenizer, encoder, device=device, batch_size=model.batch_size)


def _drawn_again(module: nn.Module) -> nn.Module:
    other = copy.deepcopy(module).cpu()
    for part in other.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()
    return other
