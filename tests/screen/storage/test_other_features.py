"""A head for other features than a screen's profiles: what to do is said, and it is not encoding."""

from __future__ import annotations

import pytest

from napari_cellclip.model import EncoderCard, ModelCard
from napari_cellclip.screen.storage.compatibility import require_same_encoder
from napari_cellclip.screen.storage.screen_json import CardRecord, ScreenRecord
from napari_cellclip.vocabulary import ScreenError


def card(kind: str, name: str, dim: int) -> ModelCard:
    return ModelCard(name=name, encoder=EncoderCard(kind=kind, name=name, dim=dim), embed_dim=8)  # type: ignore[arg-type]


def record(own: ModelCard) -> ScreenRecord:
    kept = CardRecord(card=own.model_dump(mode="json"), origin="", encoder_hash=own.encoder_hash)
    return ScreenRecord(version="1", card_hash=own.card_hash, cards={own.card_hash: kept})


def test_profiles_of_other_features_are_to_be_imported_together() -> None:
    with pytest.raises(ScreenError, match="import-profiles --shared") as refused:
        require_same_encoder(record(card("profile", "a", 12)), card("profile", "b", 14))
    assert "encode into a new folder" not in str(refused.value)


def test_images_are_to_be_encoded_again() -> None:
    with pytest.raises(ScreenError, match="encode into a new folder"):
        require_same_encoder(record(card("small", "a", 12)), card("small", "b", 14))
