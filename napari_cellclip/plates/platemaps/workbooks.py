"""Excel workbooks as rows of text, with the cells that are merged down a column filled."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_cellclip.vocabulary import PlateMapError

MAX_BYTES = 500_000_000
"""Largest table after unpacking."""

_MERGED = re.compile(rb'<(?:\w{1,20}:)?mergeCell\s[^<>]{0,200}?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')


def is_workbook(content: bytes) -> bool:
    """Tell whether bytes are those of a workbook (a ZIP archive), whatever the name of the file."""
    return content[:4] == b"PK\x03\x04"


@contextmanager
def opened(path: Path, content: bytes) -> Iterator[Any]:
    """Open a workbook; whatever goes wrong while it is read becomes one sentence."""
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise PlateMapError(f"{path.name} unpacks to more than a table of wells can be")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        yield book
        book.close()
    except PlateMapError:
        raise
    except Exception as error:  # openpyxl raises many kinds on damaged workbooks
        raise PlateMapError(
            f"{path.name} is no readable Excel file ({error}): save it again as .xlsx or .csv"
        ) from None


def rows_of(sheet: Any, most: int | None = None) -> Iterator[list[str]]:
    """Yield the rows of a sheet as text, without the empty cells at their ends.

    Parameters
    ----------
    sheet : openpyxl worksheet
    most : int, optional
        How many; all unless given.
    """
    sheet.reset_dimensions()  # one stray cell at the far end would make every row as long
    for row in sheet.iter_rows(values_only=True, max_row=most):
        yield _trimmed(row)


def _trimmed(row: Iterable[object]) -> list[str]:
    cells = ["" if c is None else _cell(c) for c in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def fill_merged(rows: list[list[str]], content: bytes, sheet: Any, path: Path, start: int) -> None:
    """Give each cell of a range that is merged down a column the value it shows.

    The XML of the sheet is searched, since openpyxl makes a million objects of a column that is merged.

    Raises
    ------
    PlateMapError
        If cells are merged across columns: which column such a value belongs to is not known.
    """
    from openpyxl.utils import range_boundaries

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        xml = archive.read(sheet._worksheet_path)
    for found in _MERGED.finditer(xml):
        merged = found[1].decode()
        left, top, right, bottom = range_boundaries(merged)
        if bottom <= start:
            continue  # a title above the table
        if left != right:
            raise PlateMapError(
                f"{path.name}: cells {merged} are merged across columns: split them, with a value in each"
            )
        value = rows[top - 1][left - 1] if top <= len(rows) and left <= len(rows[top - 1]) else ""
        for row in rows[top:bottom]:
            row += [""] * (left - len(row))
            row[left - 1] = value


def _cell(value: object) -> str:
    """Make text of an Excel cell: whole numbers without the decimals Excel stores them with."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
