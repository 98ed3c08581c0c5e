"""Read the ``.HTD`` file of a MetaXpress plate: one ``"Key", value, value`` a line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from napari_cellclip.vocabulary import PlateError, well_name
from napari_cellclip.vocabulary.regular_files import require_regular

MAX_BYTES = 2**20
"""Largest file that is read; real ones have a few kilobytes."""

MAX_SITES = 1000
"""Most sites in a well that are believed."""

_LINE = re.compile(r'\s*"([A-Za-z]+)(\d{0,3})"\s*,(.*)')


@dataclass(slots=True)
class Htd:
    """A plate as its HTD file describes it.

    Attributes
    ----------
    shape : tuple of int or None
        Rows and columns.
    waves : dict
        Names of the wavelengths by number.
    promised : list of tuple
        Well and number of every site that was to be imaged.
    """

    shape: tuple[int, int] | None = None
    waves: dict[int, str] = field(default_factory=dict)
    promised: list[tuple[str, int]] = field(default_factory=list)


def read_htd(path: Path) -> Htd:
    """Read an HTD file.

    Raises
    ------
    PlateError
        If it is damaged, none, or too large.
    """
    with require_regular(path).open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PlateError(f"{path.name} has more than {MAX_BYTES:,} bytes, far more than an HTD file has")
    # The description may hold any bytes; all that is used is ASCII.
    return parse_htd(content.decode("latin-1"))


def parse_htd(text: str) -> Htd:
    """Read the text of an HTD file.

    Raises
    ------
    PlateError
        If it holds no line of such a file, or a number that is none.
    """
    values: dict[str, dict[int, list[str]]] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            parts = [part.strip().strip('"') for part in match[3].split(",")]
            values.setdefault(match[1].lower(), {})[int(match[2] or 0)] = parts
    if not values:
        raise PlateError("the HTD file holds nothing an HTD file holds: export the plate again")
    columns, rows = _number(values, "xwells"), _number(values, "ywells")
    htd = Htd(
        shape=(rows, columns) if rows and columns else None,
        waves={number: ",".join(parts) for number, parts in values.get("wavename", {}).items() if any(parts)},
    )
    chosen = values.get("siteselection", {}) if _true(values.get("sites", {}).get(0, [])) else {}
    sites = min(sum(_true([p]) for parts in chosen.values() for p in parts) or 1, MAX_SITES)
    for row, parts in values.get("wellsselection", {}).items():
        for column, part in enumerate(parts):
            if 1 <= row <= 32 and column < 48 and _true([part]):
                htd.promised += [(well_name(row - 1, column), site) for site in range(1, sites + 1)]
    return htd


def _number(values: dict[str, dict[int, list[str]]], key: str) -> int:
    text = values.get(key, {}).get(0, ["0"])[0]
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise PlateError(
            f"the HTD file says {text[:20]!r} where a number of wells belongs: export the plate again"
        )
    return int(text)


def _true(parts: list[str]) -> bool:
    return bool(parts) and parts[0].upper() == "TRUE"
