"""Tables of profiles as CellProfiler and pycytominer write them: read, and parted into plates."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from napari_cellclip.plates.platemaps.columns import Columns, is_blank
from napari_cellclip.plates.platemaps.tables import unpacked
from napari_cellclip.screen.imports.embedding_tables import read_site_embeddings, with_embedding_columns
from napari_cellclip.screen.imports.stain_groups import COMPARTMENTS, is_feature
from napari_cellclip.screen.imports.standardise import MOST_MISSING
from napari_cellclip.vocabulary import (
    PlateMapError,
    ScreenError,
    normalise_well,
)
from napari_cellclip.vocabulary.user_folders import from_home

_METADATA = re.compile(r"^(Image_)?Metadata_", re.IGNORECASE)


def read_profiles(path: str | Path) -> pd.DataFrame:
    """Read a table of profiles.

    Parameters
    ----------
    path : path
        ``.csv``, ``.csv.gz``, ``.tsv`` or Parquet, a row for each well or field, of CellProfiler features or
        an embedding; or a folder of JUMP-Lite's embeddings
        (:mod:`~napari_cellclip.screen.imports.embedding_tables`).

    Raises
    ------
    ScreenError
        If it cannot be read, is empty, or holds neither CellProfiler features nor an embedding.
    """
    file = from_home(path)
    if file.is_dir():
        return read_site_embeddings(file)
    try:
        content = unpacked(file)
    except (OSError, EOFError, PlateMapError) as error:
        raise ScreenError(f"the profiles in {file.name} cannot be read: {error}") from error
    try:
        if content[:4] == b"PAR1":
            table = pq.read_table(pa.BufferReader(content)).to_pandas()
        else:
            separator = "\t" if b"\t" in content.split(b"\n", 1)[0] else ","
            table = pd.read_csv(io.BytesIO(content), sep=separator, low_memory=False)
    except (ValueError, pa.ArrowInvalid, OSError) as error:
        raise ScreenError(f"{file.name} is no table of profiles: {error}") from error
    table.columns = pd.Index([_METADATA.sub("Metadata_", str(name).strip()) for name in table.columns])
    if table.empty:
        raise ScreenError(f"{file.name} has a heading but no rows: export the profiles again")
    if not any(map(is_feature, table.columns)):
        table = with_embedding_columns(table)
    found = [name for name in table.columns if is_feature(name)]
    if not found:
        some = ", ".join(table.columns[:5])
        raise ScreenError(
            f"{file.name} has no CellProfiler features, which begin with Cells_, Cytoplasm_ or Nuclei_, and"
            f" no embedding, which is a column of lists or columns numbered from 0 or 1 on; it has {some}"
        )
    if words := [name for name in found if not is_numeric_dtype(table[name])]:
        raise ScreenError(
            f"{file.name}: {words[0]} holds something other than numbers: export the profiles again"
        )
    return table


def features_of(tables: Sequence[tuple[str, pd.DataFrame]], *, shared: bool = False) -> tuple[str, ...]:
    """Features that all tables have, in the order of the first.

    Parameters
    ----------
    tables : sequence of (str, DataFrame)
        File names and tables.
    shared : bool
        Take what they share; else all must have the same.

    Raises
    ------
    ScreenError
        If they differ, with what is missing where.
    """
    first_name, first = tables[0]
    names = [name for name in first.columns if is_feature(name)]
    for other_name, table in tables[1:]:
        others = {name for name in table.columns if is_feature(name)}
        lacking, more = [n for n in names if n not in others], sorted(others - set(names))
        if (lacking or more) and not shared:
            missing, incomplete = (lacking, other_name) if lacking else (more, first_name)
            raise ScreenError(
                f"{other_name} has {len(others)} features and {first_name} {len(names)}: {incomplete} lacks"
                f" {len(missing)} ({missing[0]}, …); import one feature set at a time, or only what they"
                " share (shared=True, on the command line --shared)"
            )
        names = [name for name in names if name in others]
    if not names:
        raise ScreenError("these tables share no feature: import them one by one")
    return tuple(names)


def plates_of(name: str, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each plate of a table, indexed by site id; a table that names no plate is one of its own.

    Raises
    ------
    ScreenError
        If no column says the wells, a well does not exist, or a plate has a name that no folder can have.
    """
    columns = Columns.find(metadata_columns(table))
    if columns.well is None and columns.plate is None and columns.names:
        raise ScreenError(
            f"{name} has a row for each treatment and names no wells (a consensus, level 5), which"
            " are compared by their difference to the negative controls of a plate: import the profiles of"
            " wells (level 3, 4a or 4b, with a column Metadata_Well)"
        )
    if columns.well is None:
        raise ScreenError(
            f"{name} does not say the wells: a column Metadata_Well (B03) is needed; its Metadata columns are"
            f" {', '.join(metadata_columns(table)[:6]) or 'none'}"
        )
    plates = words_of(table[columns.plate]) if columns.plate else pd.Series("", index=table.index)
    stem = re.sub(r"(\.(csv|tsv|parquet|txt|gz))+$", "", name)
    for plate, rows in table.groupby(plates.where(plates != "", stem).to_numpy(), sort=False):
        plate = str(plate)
        if "/" in plate or plate in {".", ".."}:
            raise ScreenError(f"{name}: {plate!r} cannot be the name of a plate: write it without a slash")
        try:
            wells = [normalise_well(text) for text in words_of(rows[columns.well])]
        except PlateMapError as error:
            raise ScreenError(f"{name}, plate {plate}: {error}") from error
        again = pd.Series(wells).groupby(wells).cumcount() + 1
        yield plate, rows.set_index(pd.Index([f"{plate}/{w}/{n}" for w, n in zip(wells, again, strict=True)]))


def gaps_of(table: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Features that are missing or infinite in too many wells of a plate to be used, in the order given.

    Parameters
    ----------
    table : DataFrame
        Profiles of one plate.
    names : sequence of str
        Features of it.
    """
    missing = ~np.isfinite(table[list(names)].to_numpy(np.float64))
    there = ~missing.all(axis=1)
    bad = missing[there].mean(axis=0) > MOST_MISSING if there.any() else np.zeros(len(names), bool)
    return tuple(name for name, yes in zip(names, bad, strict=True) if yes)


def metadata_columns(table: pd.DataFrame) -> list[str]:
    """List the columns that describe the rows: all but measurements."""
    return [
        name
        for name in table.columns
        if not is_feature(name)
        and name.split("_", 1)[0] not in COMPARTMENTS
        and not name.startswith("Unnamed")
    ]


def words_of(column: pd.Series) -> pd.Series:
    """Return a column as text, empty where a cell is empty; whole numbers without decimals."""
    if is_numeric_dtype(column):
        text = ["" if pd.isna(v) else f"{v:.15g}" for v in column]
    else:
        text = ["" if pd.isna(v) or is_blank(str(v)) else str(v).strip() for v in column]
    return pd.Series(text, index=column.index, dtype=object)
