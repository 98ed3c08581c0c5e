"""Selections saved by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from psygnal import Signal


class NamedSelections:
    """Evented: sets of well ids by name, in the order saved. What is saved or deleted can be undone.

    Examples
    --------
    >>> named = NamedSelections()
    >>> named.save("hits", ["p/A01"]); named.save("hits", ["p/A02"]); sorted(named.sets["hits"])
    ['p/A02']
    >>> named.undo(); sorted(named.sets["hits"])
    ['p/A01']
    """

    changed = Signal()

    def __init__(self) -> None:
        self._sets: dict[str, frozenset[str]] = {}
        self._past: list[dict[str, frozenset[str]]] = []

    @property
    def sets(self) -> Mapping[str, frozenset[str]]:
        """The ids of each selection, by name."""
        return MappingProxyType(self._sets)

    def save(self, name: str, ids: Iterable[str]) -> None:
        """Save ids by a name; one of that name is replaced."""
        self._put({**self._sets, name.strip(): frozenset(ids)})

    def delete(self, name: str) -> None:
        """Delete a selection."""
        self._put({n: ids for n, ids in self._sets.items() if n != name})

    def replace(self, sets: Mapping[str, Iterable[str]]) -> None:
        """Take these in place of all there are, as when a session is opened."""
        self._put({name: frozenset(ids) for name, ids in sets.items()})

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to go back."""
        return bool(self._past)

    def undo(self) -> None:
        """Go back one step; does nothing at the beginning."""
        if self._past:
            self._sets = self._past.pop()
            self.changed.emit()

    def _put(self, sets: dict[str, frozenset[str]]) -> None:
        if sets != self._sets:
            self._past.append(self._sets)
            self._sets = sets
            self.changed.emit()
