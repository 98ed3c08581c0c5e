"""Parquet tables of a screen: written whole, read back with a clear sentence when damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import ScreenError


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file as :func:`~napari_cellclip.screen.storage.files.write_whole` does."""
    sink = pa.BufferOutputStream()
    # A dictionary of features, no two of which are alike, triples the time to read and to write them.
    words = [field.name for field in table.schema if not pa.types.is_fixed_size_list(field.type)]
    pq.write_table(table, sink, compression="zstd", use_dictionary=words)
    write_whole(path, sink.getvalue())


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file.

    Raises
    ------
    ScreenError
        If the file is missing or damaged.
    """
    try:
        # ParquetFile rather than read_table: folder names such as "a=b" must not become columns.
        with pq.ParquetFile(path) as file:
            return file.read(columns=list(columns) if columns is not None else None)
    except FileNotFoundError as error:
        raise ScreenError(f"{path} is missing: encode again into the same folder to make it") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise ScreenError(
            f"{path} cannot be read ({error}): delete this file and encode again into the same folder"
        ) from error


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
    there = array.is_valid().to_numpy(zero_copy_only=False)
    rows = np.full((len(array), width), np.nan, values.dtype)
    rows[there] = values.reshape(-1, width)
    return rows
