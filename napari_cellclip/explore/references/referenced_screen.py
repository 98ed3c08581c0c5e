"""A screen beside its reference treatments: all that questions by look-alikes share, made once."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pandas as pd
from cachetools import LRUCache

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import MatchProbability
from napari_cellclip.explore.references.profiles import profiles_of
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource, joined
from napari_cellclip.explore.references.selection import NamedReferences, select
from napari_cellclip.explore.wording.name_sources import installed_tables
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen


class ReferencedScreen:
    """A screen beside its references: all that questions by look-alikes share.

    Parameters
    ----------
    screen : Screen
    references : ReferenceSet, optional
        Beside the treatments of the screen's own plate map.
    use_platemap : bool
        Whether the screen's own labelled treatments are references; each is scored without itself.
    structures : bool
        Whether likeness of structures is fused.
    seed : int

    Raises
    ------
    CellClipError
        If there is no reference treatment at all.
    """

    def __init__(
        self,
        screen: Screen,
        references: ReferenceSet | None,
        *,
        use_platemap: bool,
        structures: bool,
        seed: int,
    ) -> None:
        wells = profiles_of(screen)
        sets = [references] if references is not None else []
        own_error = ""
        if use_platemap:
            try:
                source = ReferenceSource(f"plate map of {screen.name}")
                sets.append(ReferenceSet.of_wells(wells, source, seed=seed))
            except CellClipError as error:
                own_error = f": {error}"
        if not sets:
            raise CellClipError(f"screen {screen.name} has no reference treatments{own_error}")
        self.set = joined(sets)
        self.wells = wells
        self.look_alikes = LookAlikes(wells, self.set, seed=seed)
        self.model = MatchProbability(self.look_alikes, structures=structures, seed=seed)
        self._selected: LRUCache[str, tuple[tuple[AnnotationTable, ...], NamedReferences]] = LRUCache(64)
        self.agreement, self.agreement_p = self.look_alikes.agreement(seed=seed)

    def select(self, text: str) -> NamedReferences:
        """Find the references that a text names, by the installed tables; each text is read once."""
        tables = installed_tables()
        known = self._selected.get(text)
        if known is None or known[0] != tables:
            known = self._selected[text] = tables, select(self.look_alikes, text, annotations=tables)
        return known[1]


_MADE: WeakKeyDictionary[Screen, LRUCache[Any, tuple[pd.DataFrame, ReferencedScreen]]] = WeakKeyDictionary()
_LOCK = Lock()


def referenced(
    screen: Screen,
    references: ReferenceSet | None = None,
    *,
    use_platemap: bool = True,
    structures: bool = True,
    seed: int = 0,
) -> ReferencedScreen:
    """Return what questions by look-alikes share, made once for a screen, its labels and a reference set."""
    key = (references, use_platemap, structures, seed)
    with _LOCK:
        made_for = _MADE.setdefault(screen, LRUCache(4))
        found = made_for.get(key)
        if found is None or found[0] is not screen.wells:
            made = ReferencedScreen(
                screen, references, use_platemap=use_platemap, structures=structures, seed=seed
            )
            found = made_for[key] = (screen.wells, made)
        return found[1]
