"""What a search of the Cell Painting Gallery has found, for the dialog that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari_cellclip.plates import Found


class GalleryFinds:
    """Evented: the plates, or projects, that the last search found; ``None`` before the first."""

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
