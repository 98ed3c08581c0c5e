"""The match heat map of a field, as panels and canvas share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation

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
