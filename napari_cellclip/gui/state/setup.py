"""How a plate is set up for encoding: the model chosen, and the screens there are of it already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal


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
    """Evented: the model chosen for encoding, and the screens found of the open plate."""

    changed = Signal()
    model_chosen = Signal(str)

    def __init__(self) -> None:
        self._model = "demo"
        self._screens: tuple[FoundScreen, ...] = ()

    @property
    def model(self) -> str:
        """Name, or folder, of the model to encode with."""
        return self._model

    def choose_model(self, model: str) -> None:
        """Choose the model to encode with; tells also where it was chosen before."""
        self._model = model
        self.model_chosen.emit(model)
        self.changed.emit()

    @property
    def screens(self) -> tuple[FoundScreen, ...]:
        """Screens of the open plate, the newest first."""
        return self._screens

    @screens.setter
    def screens(self, screens: tuple[FoundScreen, ...]) -> None:
        if screens != self._screens:
            self._screens = screens
            self.changed.emit()
