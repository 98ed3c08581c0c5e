"""Read doses as people write them: with units, decimal commas and thousands separators."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from napari_cellclip.vocabulary import PlateMapError

_MICROMOLAR = {"um": 1.0, "nm": 1e-3, "mm": 1e3, "m": 1e6, "pm": 1e-6, "fm": 1e-9}
_LONG = {"micromolar": "um", "nanomolar": "nm", "millimolar": "mm", "molar": "m", "picomolar": "pm"}
_DOSE = re.compile(r"([-+]?[\d.,]{1,40}(?:[eE][-+]?\d{1,3})?)\s*([^\d\s.,+-].{0,30})?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}([.,])\d{3}")


def micromolar(text: str, unit: str, decimal: str | None) -> float:
    """Read a dose in micromolar.

    Parameters
    ----------
    text : str
        ``2.5``, ``2,5``, ``10 nM``, ``1e-3``.
    unit : str
        Unit of a number without one, such as ``"nM"``.
    decimal : {".", ",", None}
        Decimal sign of the table, ``None`` where it is not known.

    Raises
    ------
    PlateMapError
        If it is no number, could be one of two, or has a unit that is no concentration of molecules.
    """
    match = _DOSE.fullmatch(text.strip())
    number = _number(match[1], decimal) if match else math.nan
    if match is None or not math.isfinite(number) or number < 0:
        raise PlateMapError(f"dose {text!r} is no number")
    written = (match[2] or unit).strip()
    word = written.lower().replace("μ", "u").replace("µ", "u").replace(" ", "")
    word = _LONG.get(word, re.sub(r"mol(es)?(/l|perlit(er|re)|l-1|l\^-1)$", "m", word))
    if word not in _MICROMOLAR:
        raise PlateMapError(
            f"the unit {written!r} of dose {text!r} is no concentration in moles: give it in nM, µM or mM"
        )
    return round(number * _MICROMOLAR[word], 9)


def decimal_sign(doses: Iterable[str]) -> str | None:
    """Find out the decimal sign of a column of doses, ``None`` where no dose tells.

    ``2,5`` and ``0,125`` tell that it is a comma, ``2.5`` and ``1,000,000`` that it is not.
    """
    found = set()
    for dose in doses:
        match = _DOSE.fullmatch(dose.strip())
        if match is None:
            continue
        digits = re.sub(r"[eE].*", "", match[1]).lstrip("+-")
        commas, dots = digits.count(","), digits.count(".")
        if commas and dots:
            found.add("." if digits.rfind(".") > digits.rfind(",") else ",")
        elif commas > 1 or dots > 1:
            found.add("." if commas else ",")
        elif commas and not _THOUSANDS.fullmatch(digits):
            found.add(",")
        elif dots and not _THOUSANDS.fullmatch(digits):
            found.add(".")
    return found.pop() if len(found) == 1 else None


def _number(digits: str, decimal: str | None) -> float:
    if decimal is None and _THOUSANDS.fullmatch(digits) and "," in digits:
        raise PlateMapError(
            f"dose {digits!r} could be {digits.replace(',', '')} or {digits.replace(',', '.')}: say which"
            " sign is the decimal one (decimal='.' or ','; --decimal), or write it without a comma"
        )
    mantissa = re.sub(r"[eE].*", "", digits).lstrip("+-")
    sign = decimal or decimal_sign([digits]) or "."
    grouping = "," if sign == "." else "."
    grouped = rf"[1-9]\d{{0,2}}(\{grouping}\d{{3}})+(\{sign}\d*)?"
    if grouping in mantissa and not re.fullmatch(grouped, mantissa):
        return math.nan  # such as 1,5 in a table whose decimal sign is the point
    try:
        return float(digits.replace(grouping, "").replace(sign, "."))
    except ValueError:
        return math.nan
