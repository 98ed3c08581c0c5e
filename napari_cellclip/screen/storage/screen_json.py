"""``screen.json``: which model and plates a screen holds, and the intensities all its shards share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import ScreenError, Stain

FILE = "screen.json"
FORMAT = 1
"""Raised when older programs could no longer read what is written."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PlateRecord(_Frozen):
    """One plate of a screen.

    Attributes
    ----------
    path, layout, shape, pixel_size
        As the plate gave them.
    fingerprint : str
        Of its files.
    stains : dict of Stain to str
        Which channel was used for which stain.
    shard_sites : int
        Sites in one shard; decided once, so that a continued run has the same shards.
    intensity : dict or None
        The model's plate-wide ranges, where its card asks for them.
    contrast : dict of Stain to (low, high)
        Counts shown as black and as full colour, for the whole plate.
    """

    path: str
    layout: str
    shape: tuple[int, int]
    pixel_size: float | None = None
    fingerprint: str
    stains: dict[Stain, str]
    shard_sites: int = Field(ge=1)
    intensity: dict[str, Any] | None = None
    contrast: dict[Stain, tuple[float, float]]


class CardRecord(_Frozen):
    """A model card as JSON, and what to give ``load_model`` to have that model again."""

    card: dict[str, Any]
    origin: str
    encoder_hash: str


class ScreenRecord(_Frozen):
    """Everything in ``screen.json``.

    Attributes
    ----------
    format : int
        Of the folder.
    version : str
        Of the program that wrote it last.
    card_hash : str
        Which of `cards` the screen shows.
    cards : dict of str to CardRecord
        By card hash; all share one channel encoder and its preprocessing.
    plates : dict of str to PlateRecord
        By plate name.
    """

    format: int = FORMAT
    version: str
    card_hash: str
    cards: dict[str, CardRecord]
    plates: dict[str, PlateRecord] = {}

    @property
    def current(self) -> CardRecord:
        """The card whose embeddings are shown."""
        return self.cards[self.card_hash]

    @classmethod
    def read(cls, folder: Path) -> ScreenRecord:
        """Read the record of a screen folder.

        Raises
        ------
        ScreenError
            If the folder is no screen, its record is damaged, or a newer program wrote it.
        """
        path = folder / FILE
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ScreenError(
                f"{folder} is no screen: it has no readable {FILE}; encode a plate first"
            ) from error
        try:
            content = json.loads(text)
            found = content.get("format", 0)
        except (ValueError, AttributeError) as error:
            raise ScreenError(f"{path} is damaged: {error}") from error
        if not isinstance(found, int) or found > FORMAT:
            raise ScreenError(
                f"{folder} was written by a newer napari-cellclip ({content.get('version', 'unknown')},"
                f" format {found}; this one reads up to {FORMAT}): update the program"
            )
        try:
            record = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise ScreenError(
                f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}"
            ) from error
        if record.card_hash not in record.cards:
            raise ScreenError(f"{path} is damaged: it names a model card that it does not hold")
        return record

    def write(self, folder: Path) -> None:
        """Write the record, whole."""
        write_whole(folder / FILE, (self.model_dump_json(indent=1) + "\n").encode())
