"""Stable names of wells and sites, and the shapes plates come in."""

from __future__ import annotations

import re
from collections.abc import Iterable

from napari_cellclip.vocabulary.errors import PlateMapError

PLATE_SHAPES: dict[int, tuple[int, int]] = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (32, 48),
}
"""Rows and columns of the standard plates (ANSI/SLAS 4-2004), by number of wells."""

_WELL = re.compile(r"\s*([A-Za-z]{1,2})[\s_-]*0*([1-9]\d?)\s*")
_ROW_COLUMN = re.compile(r"\s*[rR]0*([1-9]\d?)[\s_-]*[cC]0*([1-9]\d?)\s*")
MAX_ROWS, MAX_COLUMNS = 32, 48


def row_letters(row: int) -> str:
    """Letters of a 0-based row: 0 is ``A``, 25 ``Z``, 26 ``AA``.

    Examples
    --------
    >>> row_letters(1), row_letters(26)
    ('B', 'AA')
    """
    if not 0 <= row < MAX_ROWS:
        raise PlateMapError(f"row {row + 1} does not exist on a plate: the largest has {MAX_ROWS} rows")
    return chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)


def well_name(row: int, column: int) -> str:
    """Name of the well at a 0-based row and column, zero-padded: ``B03``.

    Examples
    --------
    >>> well_name(1, 2)
    'B03'
    """
    if not 0 <= column < MAX_COLUMNS:
        raise PlateMapError(
            f"column {column + 1} does not exist on a plate: the largest has {MAX_COLUMNS} columns"
        )
    return f"{row_letters(row)}{column + 1:02d}"


def parse_well(text: str) -> tuple[int, int]:
    """Read a well position in any of the field's spellings.

    Parameters
    ----------
    text : str
        ``A1``, ``A01``, ``a01``, ``A-1``, ``AA12``, ``r01c02``.

    Returns
    -------
    tuple of int
        0-based row and column.

    Raises
    ------
    PlateMapError
        If the text is no well position.

    Examples
    --------
    >>> parse_well("b3"), parse_well("r02c03")
    ((1, 2), (1, 2))
    """
    if match := _ROW_COLUMN.fullmatch(text):
        row, column = int(match[1]) - 1, int(match[2]) - 1
    elif match := _WELL.fullmatch(text):
        letters = match[1].upper()
        row = ord(letters) - 65 if len(letters) == 1 else 26 * (ord(letters[0]) - 64) + ord(letters[1]) - 65
        column = int(match[2]) - 1
    else:
        raise PlateMapError(f"{text!r} is not a well position: expected a letter and a number, such as B03")
    if row >= MAX_ROWS or column >= MAX_COLUMNS:
        raise PlateMapError(
            f"{text!r} lies outside the largest plate ({MAX_ROWS} rows, {MAX_COLUMNS} columns)"
        )
    return row, column


def normalise_well(text: str) -> str:
    """Return a well position in this package's spelling, ``B03``.

    Examples
    --------
    >>> normalise_well("b3")
    'B03'
    """
    return well_name(*parse_well(text))


def wells_in(text: str) -> list[str]:
    """Read wells as people type them: ``A01, b2`` and blocks such as ``A01:B12``.

    Returns
    -------
    list of str
        Names of wells, each once.

    Raises
    ------
    CellClipError
        If a part of the text is no well.

    Examples
    --------
    >>> wells_in("A1:B2; H12")
    ['A01', 'A02', 'B01', 'B02', 'H12']
    """
    wells: list[str] = []
    for part in text.replace(";", ",").split(","):
        first, _, last = part.partition(":")
        if first.strip():
            corners = (parse_well(normalise_well(well)) for well in (first, last or first))
            (top, left), (bottom, right) = corners
            wells += [well_name(r, c) for r in range(top, bottom + 1) for c in range(left, right + 1)]
    return list(dict.fromkeys(wells))


def plate_shape(rows: int, columns: int) -> tuple[int, int]:
    """Smallest standard plate that holds this many rows and columns.

    Examples
    --------
    >>> plate_shape(5, 9)
    (8, 12)
    """
    for shape in PLATE_SHAPES.values():
        if rows <= shape[0] and columns <= shape[1]:
            return shape
    raise PlateMapError(f"no standard plate has {rows} rows and {columns} columns")


def well_id(plate: str, well: str) -> str:
    """Stable id of a well: ``plate/B03``."""
    return f"{plate}/{well}"


def site_id(plate: str, well: str, site: int | str) -> str:
    """Stable id of a site: ``plate/B03/2``."""
    return f"{plate}/{well}/{site}"


JOIN = "|"
"""Between the ids of wells that were tested together; names of plates may hold spaces."""


def join_ids(wells: Iterable[str]) -> str:
    """Write the ids of wells that were tested together as one text, which indexes a table of treatments."""
    return JOIN.join(wells)


def split_ids(joined: object) -> list[str]:
    """Take the ids of wells apart that :func:`join_ids` has joined."""
    return str(joined).split(JOIN)


def split_id(identifier: str) -> tuple[str, str, str | None]:
    """Take the id of a well or site apart into plate, well and site (``None`` for a well).

    Plate names hold no slash, so the parts are unambiguous.
    """
    parts = identifier.split("/")
    if len(parts) == 2:
        return parts[0], parts[1], None
    if len(parts) == 3:
        return parts[0], parts[1], parts[2]
    raise PlateMapError(f"{identifier!r} is not the id of a well (plate/B03) or of a site (plate/B03/2)")
