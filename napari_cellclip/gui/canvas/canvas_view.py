"""How the canvas draws fields: which stains, which contrast, one field, a whole well or several wells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from psygnal import Signal

from napari_cellclip.vocabulary import STAINS, Stain

ContrastOf = Literal["plate", "well"]
"""Whether wells of a plate are drawn at one contrast, so that they can be compared, or each at its own."""

Arranged = Literal["field", "mosaic", "versus"]
"""One field; all sites of a well as acquired; or wells beside each other."""

COMPOSITE = (Stain.DNA, Stain.ER, Stain.AGP)
"""Stains drawn together at first: three colours stay apart where five would add up to white."""


@dataclass(frozen=True)
class CanvasState:
    """Settings of the canvas that hold for whatever well it shows.

    Attributes
    ----------
    composite : tuple of Stain
        Drawn together, in their colours.
    solo : Stain or None
        Drawn alone, in grey.
    contrast : {"plate", "well"}
        Of what the contrast is measured.
    arranged : {"field", "mosaic", "versus"}
        What is drawn.
    beside : tuple of str
        Ids of the wells that stand beside the one that is shown; empty for its matched control.
    count : int
        How many wells stand beside each other, 2 or 4.
    """

    composite: tuple[Stain, ...] = COMPOSITE
    solo: Stain | None = None
    contrast: ContrastOf = "plate"
    arranged: Arranged = "field"
    beside: tuple[str, ...] = ()
    count: int = 2


class CanvasView:
    """Evented: the state of the canvas, changed by its bar and by keys."""

    changed = Signal(CanvasState, CanvasState)
    """The state before, and the one now."""

    def __init__(self) -> None:
        self._state = CanvasState()

    @property
    def state(self) -> CanvasState:
        """The state now."""
        return self._state

    def look(self, **changes: Any) -> None:
        """Change the state, e.g. ``look(contrast="well")``; nothing happens if it is so already."""
        before, now = self._state, replace(self._state, **changes)
        if now != before:
            self._state = now
            self.changed.emit(before, now)

    def solo(self, stain: Stain | None) -> None:
        """Draw one stain alone; the same again brings the composite back."""
        self.look(solo=None if stain == self._state.solo else stain)

    def toggle(self, stain: Stain) -> None:
        """Add a stain to the composite or take it out; the last one stays."""
        chosen = set(self._state.composite) ^ {stain}
        if chosen:
            self.look(solo=None, composite=tuple(s for s in STAINS if s in chosen))

    def drawn(self, there: Sequence[Stain]) -> tuple[Stain, ...]:
        """Return the stains to draw of those that a field has."""
        if self._state.solo in there:
            return tuple(s for s in there if s == self._state.solo)
        return chosen_of(self._state.composite, there)


def chosen_of(composite: Iterable[Stain], there: Sequence[Stain]) -> tuple[Stain, ...]:
    """Choose the stains of a composite that a field has; others take the places of those it lacks."""
    wanted = tuple(composite)
    kept = [s for s in wanted if s in there]
    spare = [s for s in there if s not in wanted]
    return tuple(s for s in there if s in {*kept, *spare[: len(wanted) - len(kept)]})
