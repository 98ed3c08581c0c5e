"""Keep reference sets as files: one Parquet table that holds names, profiles, controls and licences."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from napari_cellclip.explore.references.reference_set import COLUMNS, ReferenceSet, ReferenceSource
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.user_folders import from_home

VERSION = 1
"""Of the layout of the file."""

SUFFIX = ".references.parquet"

MOST_ROWS = 1_000_000
MOST_FEATURES = 100_000
LARGEST = 4 << 30
"""Rows, features and bytes beyond which a file is refused before it is read."""

_KEY = b"napari-cellclip-references"
_TEXT = ("name", "kind", "smiles", "inchikey", "mechanism", "genes", "cell_line", "source", "positions")
_WHOLE = ("wells", "plates")
_LONGEST = 20_000


def write_references(references: ReferenceSet, path: str | Path) -> Path:
    """Write a reference set, whole or not at all.

    Returns
    -------
    Path
        Of the file; the ending ``.references.parquet`` is added where there is none.
    """
    file = from_home(path)
    if not file.name.endswith(".parquet"):
        file = file.with_name(file.name + SUFFIX)
    table = references.treatments.reindex(columns=list(COLUMNS))
    n_controls = len(references.controls)
    columns: dict[str, pa.Array] = {
        "control": pa.array([False] * len(table) + [True] * n_controls, pa.bool_())
    }
    for name in COLUMNS:
        values = table[name].tolist()
        if name in _TEXT:
            columns[name] = pa.array([*map(str, values), *[""] * n_controls], pa.string())
        elif name in _WHOLE:
            columns[name] = pa.array([*map(int, values), *[1] * n_controls], pa.int32())
        else:
            columns[name] = pa.array([*map(float, values), *[float("nan")] * n_controls], pa.float64())
    rows = np.concatenate([references.profiles, references.controls]).astype(np.float32)
    columns["profile"] = pa.FixedSizeListArray.from_arrays(
        pa.array(rows.reshape(-1), pa.float32()), rows.shape[1]
    )
    content = {
        "version": VERSION,
        "space": references.space,
        "features": list(references.features),
        "sources": [asdict(source) for source in references.sources],
    }
    made = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(content).encode()})
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        pq.write_table(made, part, compression="zstd", write_page_checksum=True)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return file


def read_references(path: str | Path) -> ReferenceSet:
    """Read a reference set; nothing in the file is believed before it is checked.

    Raises
    ------
    CellClipError
        If the file is missing, no reference set, damaged, of a newer version, or too large.
    """
    file = from_home(path)
    try:
        if not file.is_file():
            raise CellClipError(f"{file} is no file: build one with napari-cellclip references build")
        if file.stat().st_size > LARGEST:
            raise CellClipError(f"{file} is larger than {LARGEST >> 30} GB: it is not read")
        if file.name.casefold().removesuffix(".gz").endswith((".csv", ".tsv", ".txt")):
            raise _no_set(file)
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            content = _content(opened, file)
            size = len(content["features"])
            _require_schema(opened, size, file)
            table = opened.read(columns=["control", *COLUMNS, "profile"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise CellClipError(
            f"{file} is no reference file, or damaged: write it again with napari-cellclip references build"
        ) from error
    profile = table["profile"].combine_chunks()
    if profile.null_count:
        raise CellClipError(f"{file.name} is damaged: a row has no profile")
    values = np.asarray(profile.flatten(), np.float32).reshape(len(table), size)
    control = np.asarray(table["control"].to_numpy(zero_copy_only=False), bool)
    if not np.isfinite(values).all():
        raise CellClipError(f"{file.name} is damaged: a profile holds values that are no numbers")
    frame = table.drop_columns(["control", "profile"]).to_pandas()
    for name in _TEXT:
        frame[name] = frame[name].fillna("").astype(str).str.slice(0, _LONGEST)
    if not (~control).any() or not control.any():
        raise CellClipError(
            f"{file.name} holds no {'treatments' if control.any() else 'controls'}: build it again"
        )
    return ReferenceSet(
        frame[~control].reset_index(drop=True),
        values[~control],
        values[control],
        tuple(content["features"]),
        content["space"],
        tuple(content["sources"]),
    )


def _no_set(file: Path) -> CellClipError:
    return CellClipError(
        f"{file.name} is no reference set: make a screen of a table of profiles first (napari-cellclip"
        " import-profiles), then its reference file (napari-cellclip references build)"
    )


def _content(opened: pq.ParquetFile, file: Path) -> dict[str, Any]:
    raw = (opened.schema_arrow.metadata or {}).get(_KEY)
    if raw is None:
        raise _no_set(file)
    try:
        content = json.loads(raw)
        version = int(content["version"])
        features = [str(name) for name in content["features"]]
        sources = [
            ReferenceSource(
                str(s["name"])[:200],
                str(s["cell_line"])[:200],
                None if s["hours"] is None else float(s["hours"]),
                str(s["licence"])[:_LONGEST],
                str(s["attribution"])[:_LONGEST],
            )
            for s in content["sources"]
        ]
        space = str(content["space"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CellClipError(f"{file.name} is damaged: its description cannot be read") from error
    if version > VERSION:
        raise CellClipError(f"{file.name} was written by a newer napari-cellclip: update this one to read it")
    if not 0 < len(features) <= MOST_FEATURES or len(set(features)) != len(features):
        raise CellClipError(f"{file.name} is damaged: its feature names are missing or come twice")
    if opened.metadata.num_rows > MOST_ROWS:
        raise CellClipError(f"{file.name} has more than {MOST_ROWS:,} rows: it is not read")
    return {"features": features, "sources": sources, "space": space}


def _require_schema(opened: pq.ParquetFile, size: int, file: Path) -> None:
    schema = opened.schema_arrow
    wanted: dict[str, pa.DataType] = {"control": pa.bool_(), "profile": pa.list_(pa.float32(), size)}
    for name in COLUMNS:
        number = pa.int32() if name in _WHOLE else pa.float64()
        wanted[name] = pa.string() if name in _TEXT else number
    for name, kind in wanted.items():
        found = schema.field(name).type if name in schema.names else None
        if found is None or (found != kind and not _same_list(found, kind)):
            raise CellClipError(f"{file.name} is damaged: column {name} is missing or of another kind")


def _same_list(found: pa.DataType, kind: pa.DataType) -> bool:
    return (
        pa.types.is_fixed_size_list(found)
        and pa.types.is_fixed_size_list(kind)
        and found.list_size == kind.list_size
        and found.value_type == kind.value_type
    )
