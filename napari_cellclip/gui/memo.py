"""Values that several panels need, computed once while what they rest on is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Memo:
    """Keeps the newest value of each name for as long as it rests on the same objects.

    Objects are compared by identity: tables, answers and views of a session are replaced, never changed.

    Examples
    --------
    >>> memo, view = Memo(), object()
    >>> memo.of("wells", (view,), lambda: 1), memo.of("wells", (view,), lambda: 2)
    (1, 1)
    >>> memo.of("wells", (object(),), lambda: 3)
    3
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[object, ...], Any]] = {}

    def copy(self) -> Memo:
        """Return another one that knows what this one knows now."""
        other = Memo()
        other._kept = dict(self._kept)
        return other

    def of(self, name: str, rests_on: tuple[object, ...], compute: Callable[[], T]) -> T:
        """Return the value of a name, computed anew where it rests on other objects now."""
        kept = self._kept.get(name)
        if kept is None or len(kept[0]) != len(rests_on):
            fresh = True
        else:
            fresh = any(a is not b for a, b in zip(kept[0], rests_on, strict=True))
        if kept is None or fresh:
            kept = self._kept[name] = rests_on, compute()
        value: T = kept[1]
        return value
