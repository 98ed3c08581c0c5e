"""Reference treatments in a session: those added from elsewhere, and what the assay can recognise by them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_cellclip.vocabulary import split_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from napari_cellclip.explore import Answer, ReferenceSet
    from napari_cellclip.explore.references.probability.recognisable import Recognisable
    from napari_cellclip.screen import Screen

_NEAREST = re.compile(r"(.+?) \((-?\d+\.\d+)\)(?:; |$)")


@dataclass(frozen=True, eq=False)
class AddedPart:
    """References read from one screen folder or one reference file."""

    path: Path
    references: ReferenceSet

    @property
    def is_screen(self) -> bool:
        """Whether it is a screen folder."""
        return self.path.is_dir()


@dataclass(frozen=True, eq=False)
class AddedReferences:
    """References of other screens and of files, beside those of the plate map.

    Attributes
    ----------
    parts : tuple of AddedPart
        In the order added.
    joined : ReferenceSet
        All of them on the features they share.
    """

    parts: tuple[AddedPart, ...]
    joined: ReferenceSet

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths from which the parts were read."""
        return tuple(part.path for part in self.parts)


@dataclass(frozen=True, eq=False)
class Mechanisms:
    """Mechanisms that the assay can recognise.

    Attributes
    ----------
    table : DataFrame or None
        See :func:`~napari_cellclip.explore.references.probability.recognisable.table_of_mechanisms`.
    note : str
        Why there is none.
    """

    table: pd.DataFrame | None
    note: str = ""


class References:
    """Evented: the references added to a session, and the recognisable mechanisms of its screen."""

    changed = Signal()
    mechanisms_changed = Signal()

    def __init__(self) -> None:
        self._added: AddedReferences | None = None
        self._mechanisms: Mechanisms | None = None

    @property
    def added(self) -> AddedReferences | None:
        """References beside those of the plate map."""
        return self._added

    @added.setter
    def added(self, added: AddedReferences | None) -> None:
        self._added = added
        self.mechanisms = None
        self.changed.emit()

    @property
    def mechanisms(self) -> Mechanisms | None:
        """Mechanisms that the assay can recognise; ``None`` before it was tested."""
        return self._mechanisms

    @mechanisms.setter
    def mechanisms(self, mechanisms: Mechanisms | None) -> None:
        if mechanisms is not self._mechanisms:
            self._mechanisms = mechanisms
            self.mechanisms_changed.emit()


def reference_wells(screen: Screen | None, answer: Answer | None) -> dict[str, tuple[str, ...]]:
    """Find the wells of this screen that hold references of an answer: ids by name of the treatment."""
    if screen is None or answer is None or answer.references is None:
        return {}
    names = list(dict.fromkeys(answer.references.members["name"]))
    treatments = screen.wells["Metadata_treatment"]
    found = treatments[treatments.isin(names)]
    wells = {str(name): tuple(str(i) for i in ids) for name, ids in found.groupby(found).groups.items()}
    return {name: wells[name] for name in names if name in wells}


def gate_sentence(found: Recognisable) -> str:
    """Say whether the references of a question find each other, with the figures."""
    from napari_cellclip.explore.references.reference_notes import NOT_RECOGNISABLE, ONLY_TWO, PAIR

    if found.references < 2:
        return "Only one reference treatment: wells are ranked, none can be called significant."
    if found.references == PAIR:
        return ONLY_TWO
    figures = (
        f"average precision {found.precision:.2f}, chance {found.chance:.2f}, p {found.p:.2g},"
        f" {found.references} references"
    )
    if not found.open:
        return f"{NOT_RECOGNISABLE} ({figures})"
    return f"These references resemble each other on this assay: a match can be significant. ({figures})"


def nearest_references(nearest: str) -> list[tuple[str, float]]:
    """Read names and likeness in a cell of the column ``nearest``, the likest first.

    Examples
    --------
    >>> nearest_references("CYT-997 (0.93); colchicine (0.90)")
    [('CYT-997', 0.93), ('colchicine', 0.9)]
    """
    return [(name, float(likeness)) for name, likeness in _NEAREST.findall(nearest)]


def beside(well: str, wells: Sequence[str]) -> str | None:
    """Choose the well to show beside another: one of its own plate if there is one, for equal contrast."""
    plate = split_id(well)[0]
    others = [other for other in wells if other != well]
    return next((other for other in others if split_id(other)[0] == plate), others[0] if others else None)
