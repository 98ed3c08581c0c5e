"""Filters of wells: words, and conditions on columns such as ``q < 0.05``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NAMES = {
    "n": "replicates",
    "moa": "mechanism",
    "compound": "treatment",
    "p": "probability",
    "chance": "probability",
}
"""Short names of columns."""

NUMBERS = ("score", "q", "replicates", "dose", "probability", "looks_like", "built_like", "cosine", "rank")
TEXTS = ("treatment", "mechanism", "plate", "well", "control", "kind", "nearest", "rivals")
SEARCHED = ("treatment", "mechanism", "plate", "well")
"""Columns in which words without a condition are looked for."""

_DOSE = re.compile(r"^(?P<name>.+) (?P<dose>\d[\d.e+-]*) µM$")
_CONDITION = re.compile(r"^\s*(?P<name>[A-Za-z_]+)\s*(?P<sign><=|>=|!=|=|<|>|:)\s*(?P<value>.*\S)\s*$")
_STARTED = re.compile(r"^\s*[A-Za-z_]+\s*(?:<=|>=|!=|=|<|>|:)?\s*$")
_AND = re.compile(r"\s*[,;]\s*|\s+and\s+", re.IGNORECASE)


def name_and_dose(treatment: str) -> tuple[str, float]:
    """Split a treatment into its name and dose in µM, NaN where it has none.

    Examples
    --------
    >>> name_and_dose("nocodazole 0.3 µM")
    ('nocodazole', 0.3)
    >>> name_and_dose("BRD4 knockout")
    ('BRD4 knockout', nan)
    """
    found = _DOSE.match(treatment)
    if found is None:
        return treatment, float("nan")
    try:
        return found["name"], float(found["dose"])
    except ValueError:
        return treatment, float("nan")


@dataclass(frozen=True)
class Condition:
    """One condition: a column, a sign and a value; an empty column is a word looked for in several."""

    column: str
    sign: str
    value: str


def read_conditions(text: str) -> tuple[Condition, ...]:
    """Read a filter: conditions joined by commas or *and*; ``:`` and ``=`` look for a part of a text.

    Raises
    ------
    CellClipError
        If a column is not known, or a number is none.

    Examples
    --------
    >>> read_conditions("q < 0.05, mechanism: tubulin")
    (Condition(column='q', sign='<', value='0.05'), Condition(column='mechanism', sign=':', value='tubulin'))
    """
    found = []
    for part in _AND.split(text.strip()):
        if not part:
            continue
        match = _CONDITION.match(part)
        if match is None and _STARTED.match(part) and _column(part) in (*NUMBERS, *TEXTS):
            continue  # a condition that is being typed: the sign or the value is still to come
        if match is None:
            found.append(Condition("", ":", part))
            continue
        name = match["name"].lower()
        column = _column(name)
        if column in NUMBERS:
            try:
                float(match["value"])
            except ValueError:
                raise CellClipError(f"{name} is a number, and {match['value']!r} is none") from None
        elif column not in TEXTS:
            raise CellClipError(f"there is no column {name!r}: use one of {', '.join((*NUMBERS, *TEXTS))}")
        elif match["sign"] not in (":", "=", "!="):
            raise CellClipError(f"{name} is a text: write {name}: with a part of it")
        found.append(Condition(column, match["sign"], match["value"]))
    return tuple(found)


def _column(text: str) -> str:
    """Column that a condition begins with, by its own or its short name."""
    name = re.split(r"[^a-z_]", text.strip().lower(), maxsplit=1)[0]
    return NAMES.get(name, name)


def passing(table: pd.DataFrame, conditions: tuple[Condition, ...]) -> NDArray[np.bool_]:
    """Mark the wells that meet all conditions: boolean ``[wells]``; a missing number meets none."""
    kept = np.ones(len(table), bool)
    for condition in conditions:
        if condition.column in NUMBERS:
            kept &= _compared(_numbers(table, condition.column), condition.sign, float(condition.value))
        else:
            columns = (condition.column,) if condition.column else SEARCHED
            wanted = condition.value.casefold()
            has = np.zeros(len(table), bool)
            for column in columns:
                has |= np.array([wanted in str(text).casefold() for text in table[column]], bool)
            kept &= ~has if condition.sign == "!=" else has
    return kept


def _numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    if column == "dose":
        return np.array([name_and_dose(str(text))[1] for text in table["treatment"]], np.float64)
    return table[column].to_numpy(np.float64)


def _compared(values: NDArray[np.float64], sign: str, limit: float) -> NDArray[np.bool_]:
    there = np.isfinite(values)
    match sign:
        case "<":
            return there & (values < limit)
        case "<=":
            return there & (values <= limit)
        case ">":
            return there & (values > limit)
        case ">=":
            return there & (values >= limit)
        case "!=":
            return there & (values != limit)
    return there & (values == limit)


class WellFilter:
    """Filter of wells by the conditions of a text; worked out once for a table and a text."""

    def __init__(self) -> None:
        self._known: tuple[str, pd.DataFrame, NDArray[np.bool_] | None] | None = None

    def passing(self, text: str, table: pd.DataFrame) -> NDArray[np.bool_] | None:
        """Mark the wells of a table that meet the conditions.

        Parameters
        ----------
        text : str
            As :func:`read_conditions` reads it.
        table : DataFrame
            Wells, as :func:`~napari_cellclip.gui.state.wells.well_table` makes them.

        Returns
        -------
        ndarray of bool (wells,) or None
            ``None`` without conditions, or where the text is none.
        """
        if self._known is None or self._known[0] != text or self._known[1] is not table:
            try:
                conditions = read_conditions(text)
            except CellClipError:
                conditions = ()
            self._known = text, table, passing(table, conditions) if conditions and len(table) else None
        return self._known[2]
