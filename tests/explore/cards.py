"""Cards of the models in memory that the tests of explore ask."""

from __future__ import annotations

from typing import Any

from napari_cellclip.model import EncoderCard, ModelCard


def memory_card(name: str = "known", **fields: Any) -> ModelCard:
    """A card without weights, of a tiny encoder."""
    encoder = EncoderCard(kind="small", name="none", dim=4)
    return ModelCard(**{"name": name, "encoder": encoder, "embed_dim": 4, **fields})


def with_fields(card: ModelCard, **fields: Any) -> ModelCard:
    """The card with other fields."""
    return card.model_copy(update=fields)
