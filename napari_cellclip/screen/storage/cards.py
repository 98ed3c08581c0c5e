"""Which model cards a screen folder knows, and which of them it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.screen.storage.mismatch import require_same_encoder
from napari_cellclip.screen.storage.record import FILE, CardRecord, ScreenRecord
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.model import ModelCard


def record_with(folder: Path, card: ModelCard, origin: str) -> ScreenRecord:
    """Record of a screen folder with this card as the one it shows; nothing is written.

    Parameters
    ----------
    folder : Path
        A screen, or a new or empty folder.
    card : ModelCard
        Its channel encoder must be that of the screen.
    origin : str
        What to give ``load_model`` for the model of this card.

    Raises
    ------
    ScreenError
        If the encoder differs, or the folder holds something else.
    """
    from napari_cellclip import __version__

    own = CardRecord(card=card.model_dump(mode="json"), origin=origin, encoder_hash=card.encoder_hash)
    if (folder / FILE).exists():
        record = ScreenRecord.read(folder)
        require_same_encoder(record, card)
        cards = {**record.cards, card.card_hash: own}
        return record.model_copy(update={"cards": cards, "card_hash": card.card_hash, "version": __version__})
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        # A run killed before its first record leaves at most the plan of a plate behind.
        if {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} != {"plates"}:
            raise ScreenError(f"{folder} holds other files and no screen: give a new or an empty folder")
    elif folder.exists() and not folder.is_dir():
        raise ScreenError(f"{folder} is a file: give a folder for the screen")
    return ScreenRecord(version=__version__, card_hash=card.card_hash, cards={card.card_hash: own})
