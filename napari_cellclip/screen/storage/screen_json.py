"""``screen.json``: which model and plates a screen holds, and the intensities all its shards share.

It cannot be made from anything else, so a copy of it lies in ``plates/``, from which ``repair`` restores it.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_cellclip.plates.images.projection import Projection
from napari_cellclip.screen.storage.files import exists, read_bytes, write_whole
from napari_cellclip.vocabulary import ScreenError, Stain

if TYPE_CHECKING:
    from napari_cellclip.model import IntensityStats

FILE = "screen.json"
COPY = Path("plates", FILE)
FORMAT = 1
"""Raised when older programs could no longer read what is written."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class IlluminationRecord(_Frozen):
    """Illumination functions that a plate was corrected with: from where, their digest, whether coarse."""

    source: str
    digest: str
    coarse: bool = False


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
    precision : {"float32", "bfloat16"}
        In which the channel encoder computed; decided once, so that all shards agree, on whatever machine.
    projection : str
        What became of several focal planes.
    illumination : IlluminationRecord or None
        What its images were corrected with; the functions are in
        :mod:`~napari_cellclip.screen.storage.processing`.
    time : int
        Time point that was encoded, as the files count.
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
    precision: Literal["float32", "bfloat16"] = "float32"
    projection: Projection = "max"
    illumination: IlluminationRecord | None = None
    time: int = 1

    def intensity_stats(self) -> IntensityStats | None:
        """Read the ranges that the model's scaling needs; ``None`` where each image is scaled by itself."""
        if self.intensity is None:
            return None
        from napari_cellclip.model import IntensityStats

        return IntensityStats.model_validate(self.intensity)


class CardRecord(_Frozen):
    """A model card as JSON, and what to give ``load_model`` to have that model again."""

    card: dict[str, Any]
    origin: str
    encoder_hash: str

    @property
    def has_head(self) -> bool:
        """Whether there is a model to load, which embeds wells; the card of an import alone has none."""
        weights = self.card.get("weights")
        return isinstance(weights, dict) and any(weights.values())

    @field_validator("card")
    @classmethod
    def _has_sizes(cls, card: dict[str, Any]) -> dict[str, Any]:
        encoder = card.get("encoder")
        sizes = (card.get("embed_dim"), encoder.get("dim") if isinstance(encoder, dict) else None)
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("the model card tells no sizes")
        return card


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
    checksum : str
        SHA-256 of the rest, empty in records of version 0.1.
    """

    format: int = FORMAT
    version: str
    card_hash: str
    cards: dict[str, CardRecord]
    plates: dict[str, PlateRecord] = {}
    checksum: str = ""

    @property
    def current(self) -> CardRecord:
        """The card whose embeddings are shown."""
        return self.cards[self.card_hash]

    @property
    def simulated(self) -> bool | None:
        """Whether its plates were simulated; ``None`` where their folders are gone."""
        folders = [Path(plate.path) for plate in self.plates.values()]
        if not folders or not all(folder.exists() for folder in folders):
            return None
        return all(any((at / "simulated.json").is_file() for at in (f, f.parent)) for f in folders)

    @classmethod
    def read(cls, folder: Path) -> ScreenRecord:
        """Read the record of a screen folder.

        Raises
        ------
        ScreenError
            If the folder is no screen, its record is damaged or edited, or a newer program wrote it.
        """
        path = folder / FILE
        try:
            text = read_bytes(path)
        except OSError as error:
            if exists(folder / COPY):
                raise ScreenError(
                    f"{path} is lost: 'napari-cellclip repair {folder}' restores it from its copy"
                ) from error
            raise ScreenError(
                f"{folder} is no screen: it has no readable {FILE}; encode a plate first"
            ) from error
        return cls._parsed(folder, path, text)

    @classmethod
    def read_copy(cls, folder: Path) -> ScreenRecord:
        """Read the copy of the record.

        Raises
        ------
        ScreenError
            If there is none, or it is damaged too.
        """
        path = folder / COPY
        try:
            text = read_bytes(path)
        except OSError as error:
            raise ScreenError(
                f"{folder / FILE} has no copy to be restored from: encode again into a new folder"
            ) from error
        return cls._parsed(folder, path, text)

    @classmethod
    def _parsed(cls, folder: Path, path: Path, text: bytes) -> ScreenRecord:
        advice = f"'napari-cellclip repair {folder}' restores it from its copy"
        try:
            content = json.loads(text)
            found = content.get("format", 0)
        except (ValueError, AttributeError, RecursionError) as error:
            why = "lists are nested too deeply" if isinstance(error, RecursionError) else error
            raise ScreenError(f"{path} is damaged: {why}; {advice}") from error
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
                f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}; {advice}"
            ) from error
        if record.checksum and record.checksum != _checksum(content):
            raise ScreenError(f"{path} is damaged, or was edited: its checksum is another; {advice}")
        if record.card_hash not in record.cards:
            raise ScreenError(f"{path} is damaged: it names a model card that it does not hold; {advice}")
        return record

    def write(self, folder: Path) -> None:
        """Write the record and its copy, each whole; plates by name, whichever was begun first."""
        content = self.model_dump(mode="json")
        content["plates"] = {name: content["plates"][name] for name in sorted(self.plates, key=_in_order)}
        content["checksum"] = _checksum(content)
        text = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
        write_whole(folder / FILE, text)
        write_whole(folder / COPY, text)


def _in_order(plate: str) -> tuple[str, str]:
    """Sort P2 before P10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), plate), plate


def _checksum(content: dict[str, Any]) -> str:
    """SHA-256 over the values, however they are laid out as text."""
    values = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
