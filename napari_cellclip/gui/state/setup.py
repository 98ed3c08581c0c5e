"""How a plate is found and set up for encoding: the model chosen, the screens there are of it already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellclip.gui.state.requests import OpenRequest, OpenSessionRequest, PlateMapRequest

if TYPE_CHECKING:
    from napari_cellclip.plates import Found


@dataclass(frozen=True)
class FoundScreen:
    """A screen of the open plate.

    Attributes
    ----------
    path : Path
        Its folder.
    model : str
        Name of the card it was made with.
    plates : tuple of str
        Plates in it.
    """

    path: Path
    model: str
    plates: tuple[str, ...]


class SetUp:
    """Evented: the model chosen for encoding, and the screens found of the open plate.

    Attributes
    ----------
    opened : OpenRequest or None
        How the plate was opened.
    platemap : PlateMapRequest or None
        How its plate map was read.
    missing : tuple of str
        Plates of the open screen whose images are not where they were.
    """

    changed = Signal()
    pictures_changed = Signal()
    model_chosen = Signal(str)
    unread_table = Signal(Path, str)
    """A table with wells that could not be found in it: its columns have to be chosen."""
    moved = Signal(OpenSessionRequest, str, Path, bool)
    """A session whose data, named by a word, are not at this path any more, and whether others are left."""

    def __init__(self) -> None:
        self._model = "demo"
        self._screens: tuple[FoundScreen, ...] = ()
        self._pictures: dict[str, NDArray[np.uint8]] = {}
        self.opened: OpenRequest | None = None
        self.platemap: PlateMapRequest | None = None
        self.missing: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """Name, or folder, of the model to encode with."""
        return self._model

    def choose_model(self, model: str, quiet: bool = False) -> None:
        """Choose the model to encode with; unless `quiet`, the window then shows where to start that."""
        self._model = model
        self.changed.emit()
        if not quiet:
            self.model_chosen.emit(model)

    @property
    def screens(self) -> tuple[FoundScreen, ...]:
        """Screens of the open plate, the newest first."""
        return self._screens

    @screens.setter
    def screens(self, screens: tuple[FoundScreen, ...]) -> None:
        if screens != self._screens:
            self._screens = screens
            self.changed.emit()

    @property
    def pictures(self) -> Mapping[str, NDArray[np.uint8]]:
        """A small picture of each channel of the plate, uint8 (y, x), by the channel's name in the files."""
        return self._pictures

    @pictures.setter
    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        self._pictures = dict(pictures)
        self.pictures_changed.emit()


class GalleryFinds:
    """Evented: plates, or projects, that the last search of the Cell Painting Gallery found, if any."""

    changed = Signal()

    def __init__(self) -> None:
        self._found: tuple[Found, ...] | None = None

    @property
    def found(self) -> tuple[Found, ...] | None:
        """Plates in the order of the gallery."""
        return self._found

    @found.setter
    def found(self, found: tuple[Found, ...]) -> None:
        self._found = found
        self.changed.emit()
