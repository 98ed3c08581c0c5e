"""Read tables as people have them: CSV, TSV, Excel, gzipped, in any of the usual encodings."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from napari_cellclip.vocabulary import PlateMapError

MAX_BYTES = 500_000_000
"""Largest table after unpacking."""

LONGEST_LINE = 1_000_000
"""Bytes of a line of column names."""

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
        with opener(path, "rb") as stream:
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
    with path.open("rb") as stream:
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
    rows = [row for row in lines if any(cell.strip() for cell in row)]
    if not rows:
        raise PlateMapError(f"{path.name} is empty: export the table again (plate maps on the first sheet)")
    width = len(rows[0])
    names: list[str] = []
    for name in rows[0]:
        again = sum(n == name or n.startswith(f"{name} (") for n in names)
        names.append(f"{name} ({again + 1})" if again else name)
    even = [row[:width] + [""] * (width - len(row)) for row in rows[1:]]
    return pd.DataFrame(even, columns=pd.Index(names), dtype=str)


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
        rows = [
            ["" if c is None else _cell(c) for c in row]
            for row in book.worksheets[0].iter_rows(values_only=True)
        ]
        book.close()
    except PlateMapError:
        raise
    except Exception as error:  # openpyxl raises many kinds on damaged workbooks
        raise PlateMapError(
            f"{path.name} is no readable Excel file ({error}): save it again as .xlsx or .csv"
        ) from None
    return _even(rows, path)


def _cell(value: object) -> str:
    """Make text of an Excel cell: whole numbers without the decimals Excel stores them with."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
