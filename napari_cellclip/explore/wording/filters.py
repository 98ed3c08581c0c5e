"""Filters of a query by dose and cell line: ``at 3 uM``, ``1-10 µM``, ``in U2OS``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.vocabulary import CellClipError

CELL_LINES = (
    "U2OS", "A549", "HeLa", "HepG2", "HEK293", "HEK293T", "MCF7", "MCF10A", "HUVEC", "RPE1", "ARPE19",
    "HCT116", "PC3", "SH-SY5Y", "K562", "Jurkat", "THP1", "HT29", "Caco2", "MDA-MB-231", "SKBR3", "BJ",
    "IMR90", "NIH3T3", "CHO", "COS7", "Vero", "OVCAR4", "DU145", "786O", "SW480", "U87", "U251", "KPL4",
    "HAP1", "iPSC", "HTB9",
)  # fmt: skip
"""Lines that Cell Painting was done in, as they are usually written; others are known from the plate map."""

_TO_MICROMOLAR = {
    "pm": 1e-6, "nm": 1e-3, "um": 1.0, "mm": 1e3,
    "picomolar": 1e-6, "nanomolar": 1e-3, "micromolar": 1.0, "millimolar": 1e3,
}  # fmt: skip
_NUMBER = r"(\d{1,9}(?:[.,]\d{1,9})?|\.\d{1,9})"
# "mm" is a length.
_UNIT = r"([pnuµμ]m|(?-i:mM)|(?:pico|nano|micro|milli)molar)(?![a-z0-9])"
_AT = r"(?:\b(?:at|with|@|dose|doses|of|from|between|in)\s+|@\s*|,\s*)?(?:a\s+)?(?:doses?\s+(?:of\s+)?)?"
_RANGE = re.compile(rf"(?i:{_AT}){_NUMBER}\s*(?i:{_UNIT})?\s*(?:-|–|to|and)\s*{_NUMBER}\s*(?i:{_UNIT})")
_BOUND = re.compile(
    rf"(?i:,?\s*(?:\bat\s+)?(?:doses?\s+)?(?P<word>≥|>=|>|≤|<=|<|\babove|\bover|\bat least|\bfrom|\bbelow"
    rf"|\bunder|\bup to|\bat most)\s*){_NUMBER}\s*(?i:{_UNIT})"
)
_DOSE = re.compile(rf"(?i:{_AT}){_NUMBER}\s*(?i:{_UNIT})")
_TOLERANCE = 0.02
"""Relative difference up to which doses are the same: plate maps write 3.33 for 10/3."""


@dataclass(frozen=True)
class Dose:
    """A range of doses in micromolar, both ends within; ``low == high`` for one dose."""

    low: float = 0.0
    high: float = float("inf")

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g} µM"
        if self.high == float("inf"):
            return f"{self.low:g} µM or more"
        return f"{self.low:g} to {self.high:g} µM" if self.low else f"up to {self.high:g} µM"

    def holds(self, doses: pd.Series[float]) -> NDArray[np.bool_]:
        """Mark the doses (micromolar, NaN where unknown) that lie in it."""
        values = doses.to_numpy(float, na_value=np.nan)
        low, high = self.low * (1 - _TOLERANCE), self.high * (1 + _TOLERANCE)
        with np.errstate(invalid="ignore"):
            return (values >= low) & (values <= high)


@dataclass(frozen=True)
class Filters:
    """Restriction of an answer to some wells; empty: all wells.

    Attributes
    ----------
    dose : Dose or None
    cell_line : str
        As usually written; empty where none is asked for.
    """

    dose: Dose | None = None
    cell_line: str = ""

    def __bool__(self) -> bool:
        return self.dose is not None or bool(self.cell_line)

    def __str__(self) -> str:
        parts = [f"at {self.dose}" if self.dose else "", f"in {self.cell_line}" if self.cell_line else ""]
        return " ".join(part for part in parts if part)

    def joined(self, other: Filters) -> Filters:
        """Both together.

        Raises
        ------
        CellClipError
            If they ask for different things.
        """
        if self.dose and other.dose and self.dose != other.dose:
            raise CellClipError(f"two doses are asked for ({self.dose}; {other.dose}): ask for one at a time")
        if self.cell_line and other.cell_line and self.cell_line != other.cell_line:
            raise CellClipError(
                f"two cell lines are asked for ({self.cell_line}, {other.cell_line}): ask for one at a time"
            )
        return Filters(self.dose or other.dose, self.cell_line or other.cell_line)

    def mask(self, wells: pd.DataFrame) -> NDArray[np.bool_]:
        """Mark the wells of a screen's table (``Metadata_dose``, ``Metadata_cell_line``) that are asked for.

        Wells whose cell line the plate map leaves empty stay: most plate maps do so for plates of one line.
        Wells without a dose do not.
        """
        keep = np.ones(len(wells), bool)
        if self.dose is not None:
            keep &= self.dose.holds(wells["Metadata_dose"])
        if self.cell_line:
            codes, lines = pd.factorize(wells["Metadata_cell_line"].fillna(""))  # few lines of many wells
            keep &= np.array([_plain(str(line)) in ("", _plain(self.cell_line)) for line in lines], bool)[
                codes
            ]
        return keep


def take_filters(text: str) -> tuple[str, Filters]:
    """Take dose and cell line off a term, in any order, at its end; doses also from its middle.

    Examples
    --------
    >>> take_filters("nocodazole at 300 nM in U-2 OS cells")
    ('nocodazole', Filters(dose=Dose(low=0.3, high=0.3), cell_line='U2OS'))
    """
    text, line = _take_line(text)
    text, dose = _take_dose(text)
    if not line:
        text, line = _take_line(text)
    return text, Filters(dose, line)


def _take_dose(text: str) -> tuple[str, Dose | None]:
    for pattern in (_BOUND, _RANGE, _DOSE):
        if match := pattern.search(text):
            rest = f"{text[: match.start()]} {text[match.end() :]}"
            return " ".join(rest.split()).strip(" ,"), _dose(pattern, match)
    return text, None


def _dose(pattern: re.Pattern[str], match: re.Match[str]) -> Dose:
    if pattern is _RANGE:
        low, low_unit, high, unit = match.groups()
        ends = sorted((_micromolar(low, low_unit or unit), _micromolar(high, unit)))
        return Dose(*ends)
    number, unit = match.groups()[-2:]
    value = _micromolar(number, unit)
    if pattern is _DOSE:
        return Dose(value, value)
    upper = match["word"].casefold() in ("≤", "<=", "<", "below", "under", "up to", "at most")
    return Dose(high=value) if upper else Dose(low=value)


def _micromolar(number: str, unit: str) -> float:
    plain = unit.replace("µ", "u").replace("μ", "u")
    # "1,5" is one and a half, "1,000" a thousand.
    amount = re.sub(r",(?=\d{3}$)", "", number).replace(",", ".")
    return round(float(amount) * _TO_MICROMOLAR[plain.casefold()], 12)


def _take_line(text: str) -> tuple[str, str]:
    match = re.search(r"(?i)(?:^|[\s,]+)(?:in|on|with)\s+(?:the\s+)?(\S+(?:\s\S+){0,2})$", text)
    if match is None:
        return text, ""
    asked = re.sub(r"(?i)\s*-?\bcells?(?:\s+line)?$", "", match[1])
    for name in CELL_LINES:
        if _plain(name) == _plain(asked):
            return text[: match.start()].strip(), name
    return text, ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).casefold())
