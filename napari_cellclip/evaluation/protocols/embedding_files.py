"""Files of embeddings that anybody may hand in, with the columns of a screen afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from napari_cellclip.plates.platemaps.columns import Columns
from napari_cellclip.vocabulary import CellClipError, Perturbation

PREFIX = "Metadata_"
PERTURBATION = "Metadata_perturbation"
"""What counts as one perturbation unless another column is named: kind, name and dose."""

TREATMENT = "Metadata_treatment"
CONTROL = "Metadata_control_type"


def perturbation_name(perturbation: Perturbation) -> str:
    """Name what a well got as one label, such as ``nocodazole 1 µM``; empty where that is not known."""
    p = perturbation
    if not (p.name or p.smiles or p.genes):
        return ""
    return replace(p, name=p.name or p.smiles or "|".join(p.genes)).treatment


def read_file(path: Path, metadata: Path | None = None) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Read a file of embeddings: what is known of each row, and the vectors (n, E).

    Parameters are those of :func:`napari_cellclip.evaluation.protocols.embeddings.read_embeddings`.

    Raises
    ------
    CellClipError
        If a file cannot be read, holds no embedding or says nothing of its rows.
    """
    if path.suffix.lower() in (".h5", ".hdf5"):
        described, vectors = _read_hdf5(path)
    else:
        described, vectors = _split(_read_frame(path), path)
    if metadata is not None:
        described = _joined(described, _read_frame(metadata), path, metadata)
    described = described.rename(columns=lambda c: c if str(c).startswith(PREFIX) else f"{PREFIX}{c}")
    if not len(described.columns):
        raise CellClipError(
            f"{path.name} says nothing of its rows: it needs Metadata_ columns, or a metadata table beside it"
        )
    return _standard(described, path), vectors


def _standard(described: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns that every screen has, read from whatever names the table uses."""
    # A column without a single entry says nothing, not even by its name (JUMP's empty target_sequence).
    text = described.dropna(axis=1, how="all").astype(object)
    text = text.where(text.notna(), "").map(str)
    columns = Columns.find([str(c) for c in text.columns])
    records = [{str(k): str(v) for k, v in record.items()} for record in text.to_dict("records")]
    treatments = [columns.perturbation(record, columns.dose_of(record, ".")) for record in records]
    plate = text[columns.plate] if columns.plate else pd.Series(path.stem, index=text.index)
    standard = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            TREATMENT: [p.name for p in treatments],
            "Metadata_kind": [str(p.kind) for p in treatments],
            CONTROL: [str(p.control) if p.control else "" for p in treatments],
            "Metadata_smiles": [p.smiles for p in treatments],
            "Metadata_genes": ["|".join(p.genes) for p in treatments],
            "Metadata_mechanism": [p.mechanism for p in treatments],
            "Metadata_dose": [np.nan if p.dose is None else p.dose for p in treatments],
            "Metadata_cell_line": [p.cell_line for p in treatments],
            PERTURBATION: [perturbation_name(p) for p in treatments],
        },
        index=described.index,
    )
    others = described[[c for c in described.columns if c not in standard]]
    wells = pd.concat([standard, others], axis=1)
    if (
        columns.well
        and not (names := standard["Metadata_Plate"] + "/" + text[columns.well]).duplicated().any()
    ):
        return wells.set_index(pd.Index(names, name="well_id"))
    return wells.set_index(pd.Index([f"row {i}" for i in range(len(wells))], name="row"))


def _read_frame(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            with pq.ParquetFile(path) as file:
                return file.read().to_pandas()
        separator = "\t" if ".tsv" in path.suffixes else ","
        return pd.read_csv(path, sep=separator, low_memory=False)
    except (OSError, ValueError, pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise CellClipError(
            f"{path} cannot be read as a table ({error}): give Parquet, CSV or TSV"
        ) from error


def _split(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Metadata and embedding of a table."""
    metadata = [
        c
        for c in table.columns
        if str(c).startswith(PREFIX) or not is_numeric_dtype(table[c]) or is_bool_dtype(table[c])
    ]
    features = table.drop(columns=metadata)
    if features.shape[1] < 2:
        raise CellClipError(f"{path.name} holds no embedding: it needs columns of numbers besides Metadata_")
    return table[metadata], features.to_numpy(dtype=np.float64)


def _read_hdf5(path: Path) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise CellClipError(f'{path.name} needs h5py: pip install "napari-cellclip[hdf5]"') from error
    try:
        with h5py.File(path, "r") as file:
            key = next((name for name in ("well_id", "names") if name in file), None)
            if key is None or "embeddings" not in file:
                raise CellClipError(f"{path.name} lacks 'embeddings', or 'well_id' or 'names' beside them")
            vectors = np.asarray(file["embeddings"], dtype=np.float64)
            names = [n.decode() if isinstance(n, bytes) else str(n) for n in np.asarray(file[key]).ravel()]
    except (OSError, ValueError, TypeError) as error:
        raise CellClipError(f"{path} cannot be read as a file of embeddings ({error})") from error
    vectors = vectors.reshape(len(vectors), -1) if vectors.ndim > 1 else vectors
    if vectors.ndim != 2 or len(vectors) != len(names):
        raise CellClipError(f"{path.name}: {len(names)} names do not fit embeddings of shape {vectors.shape}")
    return pd.DataFrame({key: names}), vectors


def _joined(rows: pd.DataFrame, more: pd.DataFrame, path: Path, metadata: Path) -> pd.DataFrame:
    bare = {str(c).removeprefix(PREFIX).lower(): c for c in more.columns}
    for column in rows.columns:
        other = bare.get(str(column).removeprefix(PREFIX).lower())
        if other is not None:
            break
    else:
        raise CellClipError(
            f"{path.name} and {metadata.name} share no column, such as well_id, to be joined on"
        )
    right = more.assign(**{other: more[other].astype(str)}).drop_duplicates(other).set_index(other)
    right = right[[c for c in right.columns if c not in rows.columns]]
    joined = rows.join(right, on=rows[column].astype(str).rename("key"))
    found = rows[column].astype(str).isin(right.index)
    if not found.any():
        raise CellClipError(f"no {column} of {path.name} is in {metadata.name}")
    return joined.drop(columns="key", errors="ignore")
