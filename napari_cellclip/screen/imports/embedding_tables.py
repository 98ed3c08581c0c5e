"""Embeddings that another program made: one table of wells or sites, or JUMP-Lite's file for each site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype

from napari_cellclip.plates.layouts.files import files_under
from napari_cellclip.plates.layouts.published.jump_lite import SiteName
from napari_cellclip.screen.imports.stain_groups import EMBEDDING
from napari_cellclip.vocabulary import ScreenError
from napari_cellclip.vocabulary.regular_files import require_regular

FEWEST = 8
"""Fewest numbers of an embedding: a table with fewer numbered columns holds something else."""

MOST = 100_000
"""Most numbers of an embedding that are believed."""

MAX_FILE_BYTES = 2**28
"""Largest file of one site; real ones have some hundred kilobytes."""

_LONG = ("tile", "branch", "metric", "value")
_NUMBERED = re.compile(r"(.*?)(\d{1,6})", re.DOTALL)
_KEYS = ("site_id", "site_key", "image_id", "key", "id", "name")


def with_embedding_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Name the numbers of an embedding ``Embedding_0``, ``Embedding_1`` … where a table has one.

    Parameters
    ----------
    table : DataFrame
        A row for each well or site. The embedding is a column of lists, or columns of one name with numbers
        from 0 or 1 on that leave none out (``feature_0`` …, ``0`` …). Sites may be named as JUMP-Lite does,
        ``SOURCE__BATCH__PLATE__WELL__SITE``, in a column ``site_id``, ``id`` or ``name``.

    Returns
    -------
    DataFrame
        With ``Metadata_Plate`` and ``Metadata_Well`` where names of sites say them; unchanged if it holds no
        embedding.

    Raises
    ------
    ScreenError
        If lists differ in length.
    """
    numbers = _of_lists(table)
    if numbers is None:
        columns = _numbered(table)
        if not columns:
            return table
        numbers = table[columns].set_axis([f"{EMBEDDING}_{i}" for i in range(len(columns))], axis=1)
        rest = table.drop(columns=columns)
    else:
        rest = table.drop(columns=numbers.attrs["column"])
    rest = rest.set_axis([_as_metadata(str(name)) for name in rest], axis=1)
    return pd.concat([_places(rest), numbers], axis=1)


def read_site_embeddings(folder: Path) -> pd.DataFrame:
    """Read a folder of JUMP-Lite's embeddings: a Parquet file for each site, in long form.

    Files are called ``SOURCE__BATCH__PLATE__WELL__SITE.parquet``, or lie as in the Cell Painting Gallery in
    ``SOURCE/BATCH/PLATE/WELL-SITE/embedding.parquet``, and have the columns ``tile, label, branch, metric,
    value, object, tp``. Numbers of tiles are averaged.

    Parameters
    ----------
    folder : Path
        Searched to six levels.

    Returns
    -------
    DataFrame
        A row for each site; a site whose file is damaged has no number.

    Raises
    ------
    ScreenError
        If there is no such file, none can be read, or they are of different models.
    """
    sites: dict[SiteName, pd.Series | None] = {}
    damaged = ""
    for file in files_under(folder)[0]:
        if (name := _site_of(file)) is not None:
            try:
                sites[name] = _averaged(file)
            except (ScreenError, OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
                sites[name], damaged = None, f"{file.name}: {error}"
    if not sites:
        raise ScreenError(
            f"{folder} holds no embeddings of sites: expected SOURCE__BATCH__PLATE__WELL__SITE.parquet, or "
            "SOURCE/BATCH/PLATE/WELL-SITE/embedding.parquet as in the Cell Painting Gallery"
        )
    read = {name: values for name, values in sites.items() if values is not None}
    if not read:
        raise ScreenError(f"none of the {len(sites)} files of embeddings in {folder} can be read ({damaged})")
    kinds = Counter(tuple(values.index) for values in read.values())
    usual = kinds.most_common(1)[0][0]
    if len(kinds) > 1:
        strange = next(n for n, values in read.items() if tuple(values.index) != usual)
        raise ScreenError(
            f"the embedding of {strange.plate}/{strange.well}/{strange.site} has other numbers than the rest "
            f"({len(read[strange])} and {len(usual)}): import one model and one kind of images at a time"
        )
    gaps = np.full(len(usual), np.nan)
    values = np.stack([gaps if found is None else found.to_numpy(np.float64) for found in sites.values()])
    table = pd.DataFrame(values, columns=[f"{EMBEDDING}_{i}" for i in range(len(usual))])
    for place in ("site", "well", "plate", "batch", "source"):
        table.insert(0, f"Metadata_{place.capitalize()}", [getattr(name, place) for name in sites])
    return table


def _of_lists(table: pd.DataFrame) -> pd.DataFrame | None:
    """The numbers of a column of lists; its name is in ``attrs``."""
    for name in table.columns:
        if is_numeric_dtype(table[name]) or not len(table):
            continue
        first = table[name].iloc[0]
        if not isinstance(first, list | tuple | np.ndarray) or np.ndim(first) != 1:
            continue
        lengths = {len(row) if np.ndim(row) == 1 else 0 for row in table[name]}
        if lengths != {len(first)} or not FEWEST <= len(first) <= MOST:
            some = ", ".join(str(n) for n in sorted(lengths)[:3])
            raise ScreenError(
                f"the lists in {name} have {some} numbers: an embedding has as many in every row"
            )
        values = np.stack([np.asarray(row, np.float64) for row in table[name]])
        found = pd.DataFrame(values, table.index, [f"{EMBEDDING}_{i}" for i in range(len(first))])
        found.attrs["column"] = [name]
        return found
    return None


def _numbered(table: pd.DataFrame) -> list[str]:
    """Columns of the longest run of numbers after one name, in their order."""
    runs: dict[str, dict[int, str]] = {}
    for name in table.columns:
        match = _NUMBERED.fullmatch(str(name))
        if match and is_numeric_dtype(table[name]) and not str(name).startswith("Metadata_"):
            runs.setdefault(match[1], {})[int(match[2])] = name
    longest = max(runs.values(), key=len, default={})
    whole = [set(range(start, start + len(longest))) for start in (0, 1)]
    if not FEWEST <= len(longest) <= MOST or set(longest) not in whole:
        return []
    return [longest[number] for number in sorted(longest)]


def _as_metadata(name: str) -> str:
    return name if name.startswith("Metadata_") else f"Metadata_{name}"


def _places(table: pd.DataFrame) -> pd.DataFrame:
    """Add plate and well where names of sites say them."""
    for key in (f"Metadata_{name}" for name in _KEYS):
        if key in table:
            named = [SiteName.parse(str(text)) for text in table[key]]
            if all(named):
                found = {"Plate": [n.plate for n in named if n], "Well": [n.well for n in named if n]}
                return table.assign(**{f"Metadata_{place}": values for place, values in found.items()})
    return table


def _site_of(file: Path) -> SiteName | None:
    """Source, batch, plate, well and site of a file, by its name or its folders."""
    if file.suffix.lower() != ".parquet":
        return None
    if file.stem != "embedding":
        return SiteName.parse(file.stem)
    well, _, site = file.parent.name.partition("-")
    return SiteName.parse("__".join([*file.parts[-5:-2], well, site]))


def _averaged(file: Path) -> pd.Series:
    """Numbers of a site, the mean of its tiles, by what each is."""
    if require_regular(file).stat().st_size > MAX_FILE_BYTES:
        raise ScreenError("it is larger than the embeddings of a site can be")
    table = pq.read_table(pa.BufferReader(file.read_bytes()), columns=list(_LONG)).to_pandas()
    values = pd.to_numeric(table["value"]).astype(np.float64)
    keys = table[["branch", "metric"]].astype(str)
    # A metric of many numbers has a row for each, in their order.
    order = keys.assign(tile=table["tile"].astype(str)).groupby(["tile", "branch", "metric"]).cumcount()
    names = [(branch, *_natural(metric), n) for branch, metric, n in zip(*_columns(keys), order, strict=True)]
    if len(set(names)) < FEWEST or len(set(names)) > MOST:
        raise ScreenError(f"it holds {len(set(names))} numbers, which are no embedding")
    values.index = pd.MultiIndex.from_tuples(names)
    return values.groupby(level=[0, 1, 2, 3]).mean().sort_index()


def _columns(keys: pd.DataFrame) -> Iterator[list[str]]:
    yield keys["branch"].tolist()
    yield keys["metric"].tolist()


def _natural(metric: str) -> tuple[str, int]:
    """A name and the number at its end, so that ``x_10`` comes after ``x_9``."""
    match = _NUMBERED.fullmatch(metric)
    return (match[1], int(match[2])) if match else (metric, -1)
