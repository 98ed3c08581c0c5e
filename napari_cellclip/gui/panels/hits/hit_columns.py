"""Columns of the hits: their titles, tips and widths, and which are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.gui.state.wells import share_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HitColumn:
    """A column: its key in the well table, its title, its width in letters, how numbers are written."""

    key: str
    title: str
    letters: int
    tip: str
    number: str = ""


COLUMNS = (
    HitColumn("treatment", "Treatment", 24, "Treatment and dose; a line unfolds into its wells"),
    HitColumn("id", "Wells", 26, "Replicate wells, best first; a double-click opens one"),
    HitColumn("q", "q", 6, "q-value: FDR at which the treatment at this dose is significant", "{:.2g}"),
    HitColumn(
        "probability",
        "Probability",
        12,
        "How often labelled treatments that looked so alike shared the mechanism (95 % interval)",
    ),
    HitColumn(
        "score",
        "Score",
        6,
        "Score against the plate's negative controls, in (robust) standard deviations; mean of the wells",
        "{:.2f}",
    ),
    HitColumn("replicates", "n", 4, "Wells of the same treatment and dose, tested together", "{:.0f}"),
    HitColumn("mechanism", "Mechanism", 26, "Mechanism of action, as the plate map says"),
    HitColumn("dose", "Dose curve", 11, "Scores of all doses of the treatment, this one marked"),
    HitColumn("stains", "Stains", 7, "What each stain adds to the score (Why tab)"),
    HitColumn(
        "reference",
        "≈",
        6,
        "Nearest reference treatment, of the well's own plate where it is there: at equal contrast",
    ),
    HitColumn("nearest", "Nearest references", 26, "Nearest references, with the cosine of their profiles"),
    HitColumn(
        "looks_like",
        "Looks like",
        9,
        "Likeness by profile, as a standard score among references of other mechanisms",
        "{:.1f}",
    ),
    HitColumn("built_like", "Built like", 9, "Likeness by chemical structure, as a standard score", "{:.1f}"),
    HitColumn("rivals", "Rivals", 30, "References of other mechanisms that are about as near"),
    HitColumn("control", "Control", 8, "Role as a control"),
    HitColumn("cosine", "Cosine", 7, "Cosine of the embedding with what was asked", "{:.3f}"),
    HitColumn("plate", "Plate", 14, "Plate, or plates, of the wells"),
    HitColumn("well", "Well", 8, "Names of the wells"),
)

KEYS = tuple(column.key for column in COLUMNS)

AT_FIRST_HIDDEN = ("well", "cosine", "control")
"""Columns that are shown only where the user chose them, or nothing else tells as much."""

TREATMENT_LETTERS = (12, 30)
"""Least and most width of the treatment, which is as wide as the names at the top of the table."""

MECHANISM_LETTERS = (22, 44)
"""Least and most width of the mechanism, which takes what the other columns leave."""

CHIPS_AT_MOST = 6
"""Replicate wells for which the table makes room; of more, their number is given."""

FIXED = ("treatment", "id")
"""Columns that cannot be hidden."""


def filled(
    table: pd.DataFrame, *, answered: bool, explained: bool, doses: bool, references: bool
) -> dict[str, bool]:
    """Say of each column whether there is something to show."""

    def any_number(key: str) -> bool:
        return bool(table[key].notna().any()) if len(table) else False

    def any_text(key: str) -> bool:
        return bool((table[key] != "").any()) if len(table) else False

    return {
        "treatment": True,
        "id": True,
        "well": True,
        "q": any_number("q"),
        "probability": any_number("probability"),
        "score": answered,
        "cosine": answered,
        "replicates": any_number("replicates"),
        "dose": answered and doses,
        "stains": explained,
        "reference": references,
        "plate": table["plate"].nunique() > 1 if len(table) else False,
        **{key: any_text(key) for key in ("mechanism", "control", "nearest", "rivals")},
        **{key: any_number(key) for key in ("looks_like", "built_like")},
    }


def shown_columns(there: dict[str, bool], chosen: dict[str, bool], scored: bool) -> dict[str, bool]:
    """Choose the columns to show: those with something to show, unless the user chose otherwise.

    The plate is always shown where there are several.
    """
    shown = {}
    for key in KEYS:
        wanted = chosen.get(key, key not in AT_FIRST_HIDDEN or (key == "cosine" and not scored))
        shown[key] = there[key] and (wanted or key in FIXED or key == "plate")
    return shown


def cell_text(column: HitColumn, row: dict[str, object]) -> str:
    """Write the value of a line in a column."""
    if column.key == "probability":
        shares = (row[f"precision{part}"] for part in ("", "_low", "_high", "_n"))
        return share_text(*(float(share) for share in shares))  # type: ignore[arg-type]
    value = row.get(column.key, "")
    if column.number:
        number = float(value)  # type: ignore[arg-type]
        return "" if np.isnan(number) else column.number.format(number)
    return "" if value is None else str(value)
