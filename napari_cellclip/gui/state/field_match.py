"""The match heat map of a field, as panels and canvas share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation


@dataclass(frozen=True, eq=False)
class FieldMatch:
    """Which parts of a field match, and how much the field weighs in its well.

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
