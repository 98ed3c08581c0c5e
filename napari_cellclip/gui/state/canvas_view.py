"""What the canvas draws and how: which site, which stains and contrast, one field or several wells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from psygnal import Signal

from napari_cellclip.vocabulary import STAINS, PlateError, Stain, split_id

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate

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


def well_of(site: str) -> str:
    """Id of the well of a site."""
    plate, well, _ = split_id(site)
    return f"{plate}/{well}"


def site_to_show(plate: Plate | None, identifier: str) -> str:
    """Find the site that stands for an id: a site for itself, a well for its first site.

    Raises
    ------
    PlateError
        If the pixels are not open or the well has no images.
    """
    if plate is None:
        raise PlateError("The pixels of this screen are not open: drop its plate folder on the Explorer.")
    name, well, site = split_id(identifier)
    if name != plate.name:
        raise PlateError(f"Plate {name} is not open: drop its folder on the Explorer to see its fields.")
    if site is not None:
        return identifier
    sites = plate.well(f"{name}/{well}").sites
    if not sites:
        raise PlateError(f"Well {well} has no images.")
    return str(sites[0].id)


def next_site(plate: Plate, site: str, step: int) -> str:
    """Id of the site some steps further in the same well, round and round."""
    sites = [str(s.id) for s in plate.well(well_of(site)).sites]
    return sites[(sites.index(site) + step) % len(sites)]


def next_well(plate: Plate, well: str, step: int) -> str:
    """Id of the imaged well some steps further on the plate, round and round."""
    wells = [str(w.id) for w in plate.wells]
    return wells[(wells.index(well) + step) % len(wells)]
