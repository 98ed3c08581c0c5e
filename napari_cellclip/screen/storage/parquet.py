"""Parquet tables of a screen: written whole and sealed by a checksum, read back or refused by name.

The checksum is a SHA-256 over all bytes of the file, stored in the file's own metadata: no bit of a table
can change unseen, and there is no second file to lose. Pages have the checksums of the Parquet format
besides, for reads of a few columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import is_local, read_bytes, write_whole
from napari_cellclip.vocabulary import ScreenError

CHECKSUM = b"napari_cellclip.sha256"
"""Key of a file's metadata under which its checksum is."""
_BLANK = b"0" * 64


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file, with checksums, as
    :func:`~napari_cellclip.screen.storage.files.write_whole` does.
    """
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), CHECKSUM: _BLANK})
    sink = pa.BufferOutputStream()
    # A dictionary of features, no two of which are alike, triples the time to read and to write them.
    words = [field.name for field in table.schema if not pa.types.is_fixed_size_list(field.type)]
    pq.write_table(table, sink, compression="zstd", use_dictionary=words, write_page_checksum=True)
    content = sink.getvalue().to_pybytes()
    start = _checksum_start(content)
    assert start is not None
    digest = hashlib.sha256(content).hexdigest().encode()
    write_whole(path, content[:start] + digest + content[start + len(digest) :])


def read_table(path: Path, columns: Sequence[str] | None = None, *, all_bytes: bool = True) -> pa.Table:
    """Read a Parquet file.

    Parameters
    ----------
    path : Path
        Of the file.
    columns : sequence of str, optional
        Columns to read; all where not given.
    all_bytes : bool
        Verify the checksum of the whole file, which reads all of it. Else only that of the pages read.

    Raises
    ------
    ScreenError
        If the file is missing, damaged, or lacks one of the columns.
    """
    try:
        # ParquetFile rather than read_table: folder names such as "a=b" must not become columns.
        # From an object store the whole file comes at once: a few columns would take as long.
        whole = all_bytes or not is_local(path)
        source = pa.BufferReader(_verified(path)) if whole else path
        with pq.ParquetFile(source, page_checksum_verification=True) as file:
            table = file.read(columns=list(columns) if columns is not None else None)
    except FileNotFoundError as error:
        if is_local(path) and not Path(path).parent.exists():
            raise ScreenError(f"{path} is not there any more: open the screen where it is now") from error
        raise ScreenError(f"{path} is missing: encode again into the same folder to make it") from error
    except ScreenError:
        raise
    except Exception as error:  # of a damaged footer anything may come
        raise ScreenError(damage(path, f"it cannot be read: {error}")) from error
    if lacking := [name for name in columns or () if name not in table.column_names]:
        raise ScreenError(damage(path, f"it is another table: it has no column {lacking[0]}"))
    return table


def is_sealed(path: Path) -> bool:
    """Tell whether a file has a checksum; those of version 0.1 have none."""
    return _checksum_start(read_bytes(path)) is not None


ADVICE = "encode again into the same folder, or run 'napari-cellclip repair'; either makes it again"
"""What to do about a damaged file of a plate that was encoded from images."""


def damage(path: Path, why: str) -> str:
    """Say that a file of a screen is damaged, and what to do."""
    return f"{path} is damaged ({why}): {ADVICE}"


def _verified(path: Path) -> bytes:
    """Bytes of a file whose checksum is right, or that has none."""
    content = read_bytes(path)
    if (start := _checksum_start(content)) is not None:
        stated = content[start : start + len(_BLANK)]
        digest = hashlib.sha256(content[:start])
        digest.update(_BLANK)
        digest.update(content[start + len(_BLANK) :])
        if digest.hexdigest().encode() != stated:
            raise ScreenError(damage(path, "its bytes do not have the checksum they were written with"))
    return content


def _checksum_start(content: bytes) -> int | None:
    """Where the checksum begins: after its key, and two bytes that say "a text" and "64 long"."""
    key = content.rfind(CHECKSUM)
    return key + len(CHECKSUM) + 2 if key >= 0 else None


def rows_to_column(rows: NDArray[np.floating], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Array of shape (n, …) as one Parquet column of fixed-size lists, of which `missing` ones are NaN.

    They are not null: pyarrow before 26 cannot read a column of fixed-size lists with nulls back.
    """
    width = int(np.prod(rows.shape[1:]))
    flat = np.array(rows).reshape(len(rows), width)
    if missing is not None:
        flat[missing] = np.nan
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), width)


def column_to_rows(column: pa.ChunkedArray) -> NDArray[np.floating]:
    """Back from :func:`rows_to_column`: shape (n, width), null rows (of older files) are NaN.

    Values of null rows are not in the flattened column, which is why they are put back by position.
    """
    array = column.combine_chunks()
    width = array.type.list_size
    values = array.flatten().to_numpy(zero_copy_only=False)
    if not array.null_count:
        return values.reshape(-1, width)
    there = array.is_valid().to_numpy(zero_copy_only=False)
    rows = np.full((len(array), width), np.nan, values.dtype)
    rows[there] = values.reshape(-1, width)
    return rows
