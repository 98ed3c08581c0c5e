"""Find the screens there are of a plate, also of one whose folder was renamed since it was encoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.recent import read_recent
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.setup import FoundScreen
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate
    from napari_cellclip.screen.storage.screen_json import PlateRecord

MOST_FOLDERS = 2000
"""Folders looked into at each place."""


def screens_of(plate: Plate) -> tuple[FoundScreen, ...]:
    """Find the screens of a plate, the newest first; only ``screen.json`` of each is read.

    Screens made of a plate of the same name that is still somewhere else are left out.
    """
    from napari_cellclip.screen.storage.screen_json import ScreenRecord

    found: dict[Path, tuple[float, FoundScreen]] = {}
    for folder in _candidates(plate):
        with suppress(CellClipError, OSError):
            record = ScreenRecord.read(folder)
            made_of = record.plates.get(plate.name)
            if made_of is None or _is_elsewhere(Path(made_of.path), plate.path):
                continue
            screen = FoundScreen(folder, str(record.current.card.get("name")), tuple(record.plates))
            found[folder.resolve()] = ((folder / "screen.json").stat().st_mtime, screen)
    return tuple(screen for _, screen in sorted(found.values(), key=lambda item: -item[0]))


def encoded_by_other_names(plate: Plate) -> Iterator[tuple[Path, str, PlateRecord]]:
    """Find plates of screens that a plate may be by another name: their folders are gone.

    Yields
    ------
    (Path, str, PlateRecord)
        Folder of the screen, name there, and record: whose ``fingerprint`` tells.
    """
    from napari_cellclip.screen.storage.screen_json import ScreenRecord

    for folder in _candidates(plate):
        with suppress(CellClipError, OSError):
            for name, record in ScreenRecord.read(folder).plates.items():
                alike = (record.layout, record.shape) == (plate.layout, plate.shape)
                if alike and name != plate.name and not Path(record.path).exists():
                    yield folder, name, record


def _candidates(plate: Plate) -> Iterator[Path]:
    yield from (opened.path for opened in read_recent().screens)
    home = plate.path if plate.path.is_dir() else plate.path.parent
    for place in (read_settings().cache / "screens", home, home.parent):
        with suppress(OSError):
            yield from (f for f in islice(place.iterdir(), MOST_FOLDERS) if (f / "screen.json").is_file())


def _is_elsewhere(recorded: Path, path: Path) -> bool:
    return recorded.exists() and recorded.resolve() != path.resolve()
