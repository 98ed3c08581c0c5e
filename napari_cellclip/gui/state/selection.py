"""Which wells are selected: a set of ids with undo, known to every view and to no toolkit."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from psygnal import Signal


class Mode(StrEnum):
    """Way in which new ids meet the ids selected before."""

    REPLACE = "replace"
    ADD = "add"
    SUBTRACT = "subtract"
    INTERSECT = "intersect"


class Selection:
    """A set of stable ids with a history.

    Ids are well ids (``plate/B03``), never row positions, so that sorting or filtering a view cannot
    change what is selected.

    Parameters
    ----------
    depth : int
        How many steps can be undone.

    Examples
    --------
    >>> selection = Selection()
    >>> selection.replace(["p/A01", "p/A02"]); selection.subtract(["p/A01"]); sorted(selection.ids)
    ['p/A02']
    >>> selection.undo(); len(selection)
    2
    """

    changed = Signal(frozenset)

    def __init__(self, depth: int = 200) -> None:
        self._ids: frozenset[str] = frozenset()
        self._past: list[frozenset[str]] = []
        self._future: list[frozenset[str]] = []
        self._depth = depth

    @property
    def ids(self) -> frozenset[str]:
        """The ids selected now."""
        return self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._ids

    def apply(self, ids: Iterable[str], mode: Mode | str = Mode.REPLACE) -> None:
        """Combine ids with the selection in the given mode; nothing is recorded if nothing changes."""
        new = frozenset(ids)
        mode = Mode(mode)
        if mode is Mode.ADD:
            new = self._ids | new
        elif mode is Mode.SUBTRACT:
            new = self._ids - new
        elif mode is Mode.INTERSECT:
            new = self._ids & new
        if new == self._ids:
            return
        self._past = [*self._past, self._ids][-self._depth :]
        self._future = []
        self._set(new)

    def replace(self, ids: Iterable[str]) -> None:
        """Select exactly these ids."""
        self.apply(ids, Mode.REPLACE)

    def add(self, ids: Iterable[str]) -> None:
        """Select these ids too."""
        self.apply(ids, Mode.ADD)

    def subtract(self, ids: Iterable[str]) -> None:
        """Leave these ids out."""
        self.apply(ids, Mode.SUBTRACT)

    def intersect(self, ids: Iterable[str]) -> None:
        """Keep only those selected ids that are among these."""
        self.apply(ids, Mode.INTERSECT)

    def clear(self) -> None:
        """Select nothing."""
        self.apply(())

    def undo(self) -> None:
        """Go back one step; does nothing at the beginning of the history."""
        if self._past:
            self._future.append(self._ids)
            self._set(self._past.pop())

    def redo(self) -> None:
        """Take back the last undo; does nothing if there was none."""
        if self._future:
            self._past.append(self._ids)
            self._set(self._future.pop())

    def forget(self) -> None:
        """Select nothing and drop the history, as when another plate is opened."""
        self._past, self._future = [], []
        if self._ids:
            self._set(frozenset())

    def _set(self, ids: frozenset[str]) -> None:
        self._ids = ids
        self.changed.emit(ids)
