"""Read tables as people have them: CSV, TSV, Excel, gzipped, in any of the usual encodings."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from napari_cellclip.plates.platemaps.workbooks import MAX_BYTES, fill_merged, is_workbook, opened, rows_of
from napari_cellclip.vocabulary import PlateMapError
from napari_cellclip.vocabulary.errors import reason_of
from napari_cellclip.vocabulary.regular_files import require_regular

MAX_COLUMNS = 10_000
"""Most columns of a table: profiles have a few thousand."""

MAX_CELLS = 20_000_000
"""Most cells of a table: those of load_data tables of a hundred plates."""

LONGEST_LINE = 1_000_000
"""Bytes of a line of column names."""

PROBED = 30
"""Lines among which the names of the columns are looked for."""

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".csv.gz", ".tsv.gz", ".txt.gz")


def read_table(
    path: Path,
    sheet: str | None = None,
    heading: int | None = None,
    is_heading: Callable[[list[str]], bool] | None = None,
) -> pd.DataFrame:
    """Read a table with every cell as text.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, ``.txt``, ``.xlsx``, or gzipped text. Separator (tab, comma, semicolon) and
        encoding (UTF-8, UTF-16 as Excel writes "Unicode text", Windows) are found out.
    sheet : str, optional
        Sheet of a workbook. If not given, the first one that has a heading, else the first.
    heading : int, optional
        Line (counted from 1) that holds the names of the columns. If not given, the first of the first
        thirty that `is_heading` accepts, else the first: tables have titles above them.
    is_heading : callable, optional
        Whether these cells are names of columns.

    Returns
    -------
    pandas.DataFrame
        Strings, empty where a cell is empty; column names stripped.

    Raises
    ------
    PlateMapError
        If the file is missing, empty, no table, or larger than 500 MB unpacked; if it has no such sheet or
        line.
    """
    try:
        content = unpacked(path)
    except (OSError, EOFError) as error:
        raise PlateMapError(
            f"{path.name} cannot be read ({reason_of(error)}): check the path and the file"
        ) from None
    if not content.strip():
        raise PlateMapError(f"{path.name} is empty: export the table again")
    chosen = _Heading(heading, is_heading)
    table = _excel(path, content, chosen, sheet) if is_workbook(content) else _text(path, content, chosen)
    table.columns = pd.Index([str(c).strip() for c in table.columns])
    return table.apply(lambda column: column.str.strip())


def read_sheets(path: Path) -> tuple[str, ...]:
    """Read the names of a workbook's sheets; none where the file is no workbook.

    Raises
    ------
    PlateMapError
        If it is a damaged workbook.
    """
    try:
        content = unpacked(path)
    except (OSError, EOFError) as error:
        raise PlateMapError(
            f"{path.name} cannot be read ({reason_of(error)}): check the path and the file"
        ) from None
    if not is_workbook(content):
        return ()
    with opened(path, content) as book:
        return tuple(book.sheetnames)


def read_lines(path: Path, sheet: str | None = None) -> list[list[str]]:
    """Read the first lines of a table as they are, titles and all; none where the file is no table.

    Parameters
    ----------
    path : Path
        As :func:`read_table` takes it.
    sheet : str, optional
        Sheet of a workbook, the first unless given.
    """
    try:
        content = unpacked(path)
        if not is_workbook(content):
            return [_cells(line) for line in _decoded(path, content).splitlines()[:PROBED]]
        with opened(path, content) as book:
            chosen = book[sheet] if sheet in book.sheetnames else book.worksheets[0]
            return list(rows_of(chosen, PROBED))
    except (OSError, EOFError, PlateMapError):
        return []


@dataclass(frozen=True)
class _Heading:
    """Where the names of the columns are: on a line that was given, or on one that looks like it."""

    line: int | None = None
    accepts: Callable[[list[str]], bool] | None = None

    def place(self, rows: Sequence[list[str]], path: Path) -> int | None:
        """Position of the heading among these first rows, ``None`` where no row looks like one."""
        if self.line is not None:
            if not 1 <= self.line <= len(rows):
                raise PlateMapError(f"{path.name} has no line {self.line}: choose that of its column names")
            return self.line - 1
        if self.accepts is None:
            return None
        return next((i for i, row in enumerate(rows[:PROBED]) if len(row) > 1 and self.accepts(row)), None)


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


def _text(path: Path, content: bytes, heading: _Heading = _Heading()) -> pd.DataFrame:
    if content[:4] == b"\xd0\xcf\x11\xe0":
        raise PlateMapError(f"{path.name} is an old Excel file (.xls): save it as .xlsx or .csv")
    text = _decoded(path, content)
    lines = text.splitlines(keepends=True)
    split = [_cells(line) for line in (lines if heading.line is not None else lines[:PROBED])]
    start = heading.place(split, path)
    if start is None:
        start = next((i for i, line in enumerate(lines) if line.strip()), 0)
    separator = _separator(lines[start]) if lines else ","
    below = io.StringIO("".join(lines[start:]))
    try:
        return _even(csv.reader(below, delimiter=separator, skipinitialspace=True), path, start)
    except csv.Error as error:
        raise PlateMapError(
            f"{path.name} is no table ({error}): export it as CSV with one row per well"
        ) from None


def _separator(line: str) -> str:
    return max("\t,;", key=line.count)


def _cells(line: str) -> list[str]:
    """Split one line of text; a quoted cell that goes on in the next line ends here."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=_separator(line)), [])]
    except csv.Error:
        return []


def _even(lines: Iterable[list[str]], path: Path, above: int = 0) -> pd.DataFrame:
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
    index = pd.RangeIndex(above, above + len(even))
    return pd.DataFrame(even, index=index, columns=pd.Index(names), dtype=str)


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


def _excel(path: Path, content: bytes, heading: _Heading, name: str | None) -> pd.DataFrame:
    with opened(path, content) as book:
        if name is not None and name not in book.sheetnames:
            listed = ", ".join(book.sheetnames[:8])
            raise PlateMapError(f"{path.name} has no sheet {name!r}: choose one of {listed}")
        sheets = [s for s in book.worksheets if name in (None, s.title)]
        chosen = sheets[0]
        if len(sheets) > 1 and heading.accepts is not None and heading.line is None:
            with_heading = (s for s in sheets if heading.place(list(rows_of(s, PROBED)), path) is not None)
            chosen = next(with_heading, chosen)
        rows = list(_bounded(rows_of(chosen), path))
        start = heading.place(rows, path) or 0
        fill_merged(rows, content, chosen, path, start)
    return _even(rows[start:], path, start)
