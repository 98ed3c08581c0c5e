"""What the user has changed, step by step, whatever part of a session: undone and done again in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psygnal import Signal


@dataclass(frozen=True)
class Edit:
    """One step: what a part was before it, and after it.

    Attributes
    ----------
    part : str
        What was changed, in the words of the menu.
    before, after : object
        Values of the part, compared by equality.
    stroke : str
        Steps in a row with the same stroke are one: the turns of a spin box, the letters of a filter.
    """

    part: str
    before: Any
    after: Any
    stroke: str = ""


class Edits:
    """One line of undo for all parts of a session.

    Each part says once how its values are put back (:meth:`keep`), and tells of each change (:meth:`record`).

    Parameters
    ----------
    depth : int
        How many steps can be undone.

    Examples
    --------
    >>> edits, now = Edits(), {"colour": "red"}
    >>> edits.keep("colour", lambda value: now.update(colour=value))
    >>> edits.record("colour", "red", "blue"); now["colour"] = "blue"
    >>> edits.undo(); now["colour"]
    'red'
    >>> edits.redo(); now["colour"]
    'blue'
    """

    changed = Signal()

    def __init__(self, depth: int = 200) -> None:
        self._depth = depth
        self._past: list[Edit] = []
        self._future: list[Edit] = []
        self._put: dict[str, Callable[[Any], object]] = {}
        self._later: set[str] = set()
        self._awaited: dict[str, Any] = {}
        self._replaying = self._stroke = False

    def keep(self, part: str, put: Callable[[Any], object], *, later: bool = False) -> None:
        """Say how a value of a part is put back.

        Parameters
        ----------
        part : str
            What it is, in the words of the menu.
        put : callable
            Takes a value from before or after a step.
        later : bool
            Whether putting it back only asks for it, and the change that follows is told like any other.
        """
        self._put[part] = put
        if later:
            self._later.add(part)

    def record(self, part: str, before: Any, after: Any, stroke: str = "") -> None:
        """Record a change that was made; nothing if none was, or if it is the work of undo or redo."""
        if part in self._awaited and self._awaited.pop(part) == after:
            return
        if self._replaying or before == after:
            return
        last = self._past[-1] if self._past and self._stroke else None
        if last is not None and stroke and (last.part, last.stroke) == (part, stroke):
            self._past.pop()
            before = last.before
        self._future, self._stroke = [], True
        if before != after:
            self._past = [*self._past, Edit(part, before, after, stroke)][-self._depth :]
        self.changed.emit()

    @property
    def to_undo(self) -> str | None:
        """Part that the next undo changes; ``None`` where there is nothing to undo."""
        return self._past[-1].part if self._past else None

    @property
    def to_redo(self) -> str | None:
        """Part that the next redo changes; ``None`` where there is nothing to do again."""
        return self._future[-1].part if self._future else None

    def undo(self) -> None:
        """Go back one step; does nothing at the beginning."""
        if self._past:
            edit = self._past.pop()
            self._future.append(edit)
            self._replay(edit.part, edit.before)

    def redo(self) -> None:
        """Do again what was undone last; does nothing if nothing was."""
        if self._future:
            edit = self._future.pop()
            self._past.append(edit)
            self._replay(edit.part, edit.after)

    def forget(self) -> None:
        """Drop all steps, as when other data are opened."""
        self._past, self._future, self._awaited = [], [], {}
        self.changed.emit()

    def _replay(self, part: str, value: Any) -> None:
        self._stroke = False
        if part in self._later:
            self._awaited[part] = value
        self._replaying = True
        try:
            self._put[part](value)
        finally:
            self._replaying = False
        self.changed.emit()
