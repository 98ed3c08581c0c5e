"""What was opened last, and which channels the user said show which stains: one small file of the user's."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, ValidationError

from napari_cellclip.vocabulary import Stain
from napari_cellclip.vocabulary.user_folders import from_home, state_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellclip.plates import Plate

KEPT = 12
"""Paths kept of each kind, the newest first."""

KINDS_KEPT = 60
"""Stain mappings kept."""

LARGEST = 1_000_000
"""Bytes of the file that are believed."""


class Opened(BaseModel):
    """Something that was opened."""

    path: Path


class Confirmed(BaseModel):
    """A stain mapping that the user confirmed.

    Attributes
    ----------
    channels : dict of Stain to str
        Channel names of the files.
    plate : str
        Plate it was confirmed for.
    folder : Path
        Folder that plate lies in.
    """

    channels: dict[Stain, str]
    plate: str
    folder: Path


class Recent(BaseModel):
    """The file's content."""

    plates: list[Opened] = Field(default_factory=list)
    screens: list[Opened] = Field(default_factory=list)
    sessions: list[Opened] = Field(default_factory=list)
    stains: dict[str, Confirmed] = Field(default_factory=dict)
    hit_columns: dict[str, bool] = Field(default_factory=dict)


def recent_file() -> Path:
    """Path of the file."""
    return state_folder() / "recent.json"


def read_recent() -> Recent:
    """Read what was opened last; empty where the file is missing or damaged."""
    file = recent_file()
    try:
        if file.stat().st_size > LARGEST:
            return Recent()
        return Recent.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return Recent()


def remember(kind: str, path: Path) -> None:
    """Put a path first among the plates, screens or sessions opened."""
    from napari_cellclip.plates import remote_address

    recent = read_recent()
    if remote_address(path) is None:
        path = from_home(path).absolute()
    others = [o for o in getattr(recent, kind) if o.path != path]
    _write(recent.model_copy(update={kind: [Opened(path=path), *others][:KEPT]}))


def kind_of(layout: str, available: Sequence[str]) -> str:
    """Name the kind of a plate: its layout and the names of its channels."""
    return f"{layout}: {', '.join(available)}"


def remember_stains(plate: Plate) -> None:
    """Keep the stain mapping of a plate for others of the same kind."""
    recent = read_recent()
    key = kind_of(plate.layout, plate.stains.available)
    confirmed = Confirmed(
        channels=dict(plate.stains.channels), plate=plate.name, folder=plate.path.absolute().parent
    )
    kept = {k: v for k, v in recent.stains.items() if k != key}
    stains = dict([*kept.items(), (key, confirmed)][-KINDS_KEPT:])
    _write(recent.model_copy(update={"stains": stains}))


def confirmed_stains(plate: Plate) -> Confirmed | None:
    """Find the mapping confirmed for a plate of the same kind, if there is one."""
    return read_recent().stains.get(kind_of(plate.layout, plate.stains.available))


def hit_columns_chosen() -> dict[str, bool]:
    """Columns of the hits that the user chose to show or to hide, by key."""
    return read_recent().hit_columns


def remember_hit_columns(chosen: dict[str, bool]) -> None:
    """Keep the choice of columns of the hits."""
    _write(read_recent().model_copy(update={"hit_columns": chosen}))


def _write(recent: Recent) -> None:
    """Write the file whole or not at all; a folder that may not be written is no reason to stop."""
    file = recent_file()
    partial = file.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(recent.model_dump_json(indent=1), encoding="utf-8")
        partial.replace(file)
