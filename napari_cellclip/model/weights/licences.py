"""Licences of models that are fetched: shown, accepted once for each text, and remembered."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from napari_cellclip.model.card import ModelCard
from napari_cellclip.model.weights.cache import add_note, read_notes

FILE = "licences.json"
"""In the cache folder, beside the models."""


def is_accepted(card: ModelCard) -> bool:
    """Whether this licence text was accepted on this computer; a changed text asks again.

    A model that is whole in its folder asks for nothing: whoever brought it here had it from somebody.
    """
    from_hub = any(file.repo for file in (card.weights, card.encoder.weights, card.tokenizer))
    return not from_hub or _key(card) in read_notes(FILE)


def accept(card: ModelCard) -> None:
    """Remember that the user accepted the card's licence text."""
    if not is_accepted(card):
        when = datetime.now(UTC).isoformat(timespec="seconds")
        add_note(FILE, _key(card), {"model": card.name, "licence": card.licence, "accepted": when})


def _key(card: ModelCard) -> str:
    return hashlib.sha256(f"{card.licence}\n{card.licence_text}".encode()).hexdigest()
