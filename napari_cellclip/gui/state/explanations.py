"""Why wells match: stain contributions and the heat map of a field, as panels and canvas share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation
    from napari_cellclip.explore.explanation.stain_contributions import StainContributions

ASK_FIRST = "Ask first: then what matched is explained here."
NO_DIRECTION = (
    "This answer compares wells with references of which no image was embedded here: there is nothing to"
    " explain by stain or by tile."
)
"""Why an answer without a direction has no explanations."""


@dataclass(frozen=True, eq=False)
class FieldMatch:
    """Match of the parts of a field, and the weight of the field in its well.

    Attributes
    ----------
    site : str
        Id of the field.
    field : FieldExplanation
        Scores of its tiles, as a picture too.
    attention : DataFrame or None
        Weight of each field of the well (rows) in its embedding, stain by stain; ``None`` where the model has
        no such weights.
    """

    site: str
    field: FieldExplanation
    attention: pd.DataFrame | None


class Explanations:
    """Evented: explanations of the answer of a session; gone with it."""

    contributions_changed = Signal()
    heat_map_changed = Signal()

    def __init__(self) -> None:
        self._contributions: StainContributions | None = None
        self._heat_map: FieldMatch | None = None

    @property
    def contributions(self) -> StainContributions | None:
        """Stain contributions: what each stain adds to the scores of the wells that were explained last."""
        return self._contributions

    @contributions.setter
    def contributions(self, contributions: StainContributions | None) -> None:
        if contributions is not self._contributions:
            self._contributions = contributions
            self.contributions_changed.emit()

    @property
    def heat_map(self) -> FieldMatch | None:
        """Heat map: the parts of the field that was explained last that match."""
        return self._heat_map

    @heat_map.setter
    def heat_map(self, heat_map: FieldMatch | None) -> None:
        if heat_map is not self._heat_map:
            self._heat_map = heat_map
            self.heat_map_changed.emit()

    def forget(self) -> None:
        """Drop both, as when the answer changes."""
        self.contributions = self.heat_map = None
