"""Read tables as people have them: CSV, TSV, Excel, gzipped, in any of the usual encodings."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from napari_cellclip.vocabulary import PlateMapError
from napari_cellclip.vocabulary.regular_files import require_regular

MAX_BYTES = 500_000_000
"""Largest table after unpacking."""

MAX_COLUMNS = 10_000
"""Most columns of a table: profiles have a few thousand."""

MAX_CELLS = 20_000_000
"""Most cells of a table: those of load_data tables of a hundred plates."""

LONGEST_LINE = 1_000_000
"""Bytes of a line of column names."""

_MERGED = re.compile(rb'<(?:\w{1,20}:)?mergeCell\s[^<>]{0,200}?ref="([A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7})"')

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".csv.gz", ".tsv.gz", ".txt.gz")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table with every cell as text.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, ``.txt``, ``.xlsx``, or gzipped text. Separator (tab, comma, semicolon) and
        encoding (UTF-8, UTF-16 as Excel writes "Unicode text", Windows) are found out.

    Returns
    -------
    pandas.DataFrame
        Strings, empty where a cell is empty; column names stripped.

    Raises
    ------
    PlateMapError
        If the file is missing, empty, no table, or larger than 500 MB unpacked.
    """
    try:
        content = unpacked(path)
    except (OSError, EOFError) as error:
        raise PlateMapError(f"{path.name} cannot be read ({error}): check the path and the file") from None
    if not content.strip():
        raise PlateMapError(f"{path.name} is empty: export the table again")
    table = _excel(path, content) if content[:4] == b"PK\x03\x04" else _text(path, content)
    table.columns = pd.Index([str(c).strip() for c in table.columns])
    return table.apply(lambda column: column.str.strip())


def read_columns(path: Path) -> list[str]:
    """Read the column names of a text table from its first line; a file that is none has no columns."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(require_regular(path), "rb") as stream:
            line = stream.readline(LONGEST_LINE)
        return [str(column).strip() for column in _text(path, line).columns]
    except (OSError, EOFError, zlib.error, PlateMapError):
        return []


def unpacked(path: Path) -> bytes:
    """Read the bytes of a file, gunzipped if it is gzipped.

    Raises
    ------
    PlateMapError
        If there are more than 500 MB.
    OSError, EOFError
        If it cannot be read.
    """
    with require_regular(path).open("rb") as stream:
        magic = stream.read(2)
    opener = gzip.open if magic == b"\x1f\x8b" else open
    with opener(path, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PlateMapError(
            f"{path.name} is larger than a table of wells can be: check that it is the right file"
        )
    return bytes(content)


def _text(path: Path, content: bytes) -> pd.DataFrame:
    if content[:4] == b"\xd0\xcf\x11\xe0":
        raise PlateMapError(f"{path.name} is an old Excel file (.xls): save it as .xlsx or .csv")
    text = _decoded(path, content)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max("\t,;", key=first.count)
    try:
        return _even(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True), path)
    except csv.Error as error:
        raise PlateMapError(
            f"{path.name} is no table ({error}): export it as CSV with one row per well"
        ) from None


def _even(lines: Iterable[list[str]], path: Path) -> pd.DataFrame:
    """Make a table as wide as its first line: spreadsheets leave out trailing empty cells, or add some."""
    rows = [row for row in _bounded(lines, path) if any(cell.strip() for cell in row)]
    if not rows:
        raise PlateMapError(f"{path.name} is empty: export the table again (plate maps on the first sheet)")
    named = [i for i, name in enumerate(rows[0]) if name.strip()]
    if len(named) > MAX_COLUMNS:
        raise PlateMapError(
            f"{path.name} has {len(named)} columns: a table of wells has {MAX_COLUMNS} at most"
        )
    width = len(rows[0])
    if width > MAX_COLUMNS:  # a stray cell at the far end of a sheet
        rows = [[row[i] if i < len(row) else "" for i in named] for row in rows]
        width = len(named)
    names: list[str] = []
    seen: Counter[str] = Counter()
    for name in rows[0]:
        names.append(f"{name} ({seen[name] + 1})" if seen[name] else name)
        seen[name] += 1
    even = [row[:width] + [""] * (width - len(row)) for row in rows[1:]]
    return pd.DataFrame(even, columns=pd.Index(names), dtype=str)


def _bounded(rows: Iterable[list[str]], path: Path) -> Iterator[list[str]]:
    """Hand on rows until there are more cells than a table of wells can have; a blank row counts as one."""
    cells = 0
    for row in rows:
        cells += max(len(row), 1)
        if cells > MAX_CELLS:
            raise PlateMapError(
                f"{path.name} has more than {MAX_CELLS:,} cells: check that it is a table of wells"
            )
        yield row


def _decoded(path: Path, content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif b"\0" in content[:2000]:
        # UTF-16 without its mark: every other byte of western text is zero.
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        odd = sum(not (c.isprintable() or c.isspace()) for c in text[:10000])
        if odd <= len(text[:10000]) // 100 and "\0" not in text:
            return text
    raise PlateMapError(f"{path.name} is not a text table: it holds binary data; export it as CSV")


def _excel(path: Path, content: bytes) -> pd.DataFrame:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise PlateMapError(f"{path.name} unpacks to more than a table of wells can be")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # one stray cell at the far end would make every row as long
        rows = list(_bounded((_trimmed(row) for row in sheet.iter_rows(values_only=True)), path))
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            xml = archive.read(sheet._worksheet_path)
        book.close()
        _fill_merged(rows, xml, path)
    except PlateMapError:
        raise
    except Exception as error:  # openpyxl raises many kinds on damaged workbooks
        raise PlateMapError(
            f"{path.name} is no readable Excel file ({error}): save it again as .xlsx or .csv"
        ) from None
    return _even(rows, path)


def _trimmed(row: Iterable[object]) -> list[str]:
    cells = ["" if c is None else _cell(c) for c in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _fill_merged(rows: list[list[str]], sheet: bytes, path: Path) -> None:
    """Give each cell of a range that is merged down a column the value it shows.

    The XML of the sheet is searched, since openpyxl makes a million objects of a column that is merged.

    Raises
    ------
    PlateMapError
        If cells are merged across columns: which column such a value belongs to is not known.
    """
    from openpyxl.utils import range_boundaries

    for found in _MERGED.finditer(sheet):
        merged = found[1].decode()
        left, top, right, bottom = range_boundaries(merged)
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
