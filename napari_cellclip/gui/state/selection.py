"""Which wells are selected, now and by name: sets of ids, known to every view and to no toolkit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from psygnal import Signal

from napari_cellclip.gui.state.edits import Edits

SELECTION, SAVED = "selection", "saved selections"
"""What the steps of undo call them."""


class Mode(StrEnum):
    """Way in which new ids meet the ids selected before."""

    REPLACE = "replace"
    ADD = "add"
    SUBTRACT = "subtract"
    INTERSECT = "intersect"


class Selection:
    """A set of stable ids.

    Ids are well ids (``plate/B03``), never row positions, so that sorting or filtering a view cannot
    change what is selected.

    Parameters
    ----------
    edits : Edits
        Where steps are recorded.

    Examples
    --------
    >>> edits = Edits()
    >>> selection = Selection(edits)
    >>> selection.replace(["p/A01", "p/A02"]); selection.subtract(["p/A01"]); sorted(selection.ids)
    ['p/A02']
    >>> edits.undo(); len(selection)
    2
    """

    changed = Signal(frozenset)

    def __init__(self, edits: Edits) -> None:
        self._ids: frozenset[str] = frozenset()
        self._edits = edits
        edits.keep(SELECTION, self._set)

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
        if new != self._ids:
            self._edits.record(SELECTION, self._ids, new)
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

    def forget(self) -> None:
        """Select nothing, which is no step of the user's, as when another plate is opened."""
        if self._ids:
            self._set(frozenset())

    def _set(self, ids: frozenset[str]) -> None:
        self._ids = ids
        self.changed.emit(ids)


class NamedSelections:
    """Evented: sets of well ids by name, in the order saved.

    Parameters
    ----------
    edits : Edits
        Where steps are recorded.

    Examples
    --------
    >>> edits = Edits()
    >>> named = NamedSelections(edits)
    >>> named.save("hits", ["p/A01"]); named.rename("hits", "best"); list(named.sets)
    ['best']
    >>> edits.undo(); list(named.sets)
    ['hits']
    """

    changed = Signal()

    def __init__(self, edits: Edits) -> None:
        self._sets: dict[str, frozenset[str]] = {}
        self._edits = edits
        edits.keep(SAVED, self._set)

    @property
    def sets(self) -> Mapping[str, frozenset[str]]:
        """The ids of each selection, by name."""
        return MappingProxyType(self._sets)

    def save(self, name: str, ids: Iterable[str]) -> None:
        """Save ids by a name; one of that name is replaced."""
        self._put({**self._sets, name.strip(): frozenset(ids)})

    def rename(self, name: str, new: str) -> None:
        """Call a selection by another name, in its place; another one of that name is replaced."""
        new = new.strip()
        others = {n: ids for n, ids in self._sets.items() if n == name or n != new}
        self._put({new if n == name else n: ids for n, ids in others.items()})

    def delete(self, name: str) -> None:
        """Delete a selection."""
        self._put({n: ids for n, ids in self._sets.items() if n != name})

    def replace(self, sets: Mapping[str, Iterable[str]]) -> None:
        """Take these in place of all there are, as when a session is opened."""
        self._put({name: frozenset(ids) for name, ids in sets.items()})

    def _put(self, sets: dict[str, frozenset[str]]) -> None:
        if list(sets.items()) != list(self._sets.items()):
            self._edits.record(SAVED, self._sets, sets)
            self._set(sets)

    def _set(self, sets: dict[str, frozenset[str]]) -> None:
        self._sets = sets
        self.changed.emit()
