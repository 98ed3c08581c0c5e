"""Cards of the models in memory that the tests of explore ask."""

from __future__ import annotations

from itertools import count
from typing import Any

from napari_cellclip.model import EncoderCard, FileCard, ModelCard

_numbers = count()


def memory_card(name: str = "known", **fields: Any) -> ModelCard:
    """A card of a tiny encoder; no two have the same hash, as no two models have the same weights."""
    encoder = EncoderCard(kind="small", name="none", dim=4)
    weights = FileCard(file="cellclip.safetensors", sha256=f"{next(_numbers):064x}")
    return ModelCard(**{"name": name, "encoder": encoder, "weights": weights, "embed_dim": 4, **fields})


def with_fields(card: ModelCard, **fields: Any) -> ModelCard:
    """The card with other fields."""
    return card.model_copy(update=fields)
