"""Embeddings to be judged: from screens, or from anybody's table, with the same column names afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from napari_cellclip.plates.platemap_columns import Columns, is_blank
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError, Control, Kind, Perturbation

PREFIX = "Metadata_"
PERTURBATION = "Metadata_perturbation"
"""What counts as one perturbation unless another column is named: kind, name and dose."""

TREATMENT = "Metadata_treatment"
CONTROL = "Metadata_control_type"


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Embeddings with what is known of each.

    Attributes
    ----------
    name : str
        Where they come from.
    wells : DataFrame
        n rows, indexed by well id or row: ``Metadata_Plate``, ``Metadata_treatment``, ``Metadata_kind``,
        ``Metadata_control_type``, ``Metadata_smiles``, ``Metadata_genes`` (joined by ``|``),
        ``Metadata_mechanism``, ``Metadata_dose``, ``Metadata_cell_line``, :data:`PERTURBATION`, and every
        other ``Metadata_`` column of the source.
    vectors : ndarray of float64 (n, E)
        All finite.
    screens : tuple of Screen
        The screens they come from; empty for a table.
    """

    name: str
    wells: pd.DataFrame
    vectors: NDArray[np.float64]
    screens: tuple[Screen, ...] = ()

    def __len__(self) -> int:
        return len(self.wells)

    @property
    def model(self) -> dict[str, str] | None:
        """Name and card hash of the model that made them; ``None`` for a table, which does not say."""
        if not self.screens:
            return None
        return {"name": self.screens[0].card.name, "card": self.screens[0].card_hash}

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Which rows are negative controls."""
        return (self.wells[CONTROL] == Control.NEGATIVE.value).to_numpy()

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Which rows are no negative control, not empty, and say what was done."""
        idle = self.wells[CONTROL].isin([Control.NEGATIVE.value, Control.EMPTY.value])
        return (~idle & (self.wells[PERTURBATION] != "")).to_numpy()

    def take(self, rows: NDArray[Any] | pd.Series[bool]) -> EmbeddingTable:
        """The same with some of the rows."""
        kept = np.asarray(rows)
        return replace(
            self,
            wells=self.wells.loc[kept] if kept.dtype == bool else self.wells.iloc[kept],
            vectors=self.vectors[kept],
        )

    def column(self, name: str) -> pd.Series[str]:
        """A column as text, empty where the source says nothing.

        Raises
        ------
        CellClipError
            If there is none of that name, with those there are.
        """
        for candidate in (name, PREFIX + name):
            if candidate in self.wells:
                values = self.wells[candidate]
                return values.map(lambda v: "" if is_blank(str(v)) else str(v))
        known = ", ".join(str(c) for c in self.wells.columns)
        raise CellClipError(f"{self.name} has no column {name!r}: it has {known}")

    def with_controls(self, rule: str) -> EmbeddingTable:
        """Take the wells that a rule ``COLUMN=VALUE`` names as the negative controls, and no others.

        Raises
        ------
        CellClipError
            If the rule reads otherwise, or fits no row.
        """
        column, equals, value = rule.partition("=")
        if not equals:
            raise CellClipError(f"{rule!r} does not say which wells are controls: write COLUMN=VALUE")
        found = (self.column(column.strip()) == value.strip()).to_numpy()
        if not found.any():
            raise CellClipError(f"no row of {self.name} has {column.strip()} = {value.strip()!r}")
        before = self.wells[CONTROL].where(self.wells[CONTROL] != Control.NEGATIVE.value, "")
        return replace(
            self, wells=self.wells.assign(**{CONTROL: before.where(~found, Control.NEGATIVE.value)})
        )


def read_embeddings(
    sources: str | Path | Screen | Sequence[str | Path | Screen], metadata: str | Path | None = None
) -> EmbeddingTable:
    """Read embeddings from screens or from one table.

    Parameters
    ----------
    sources : path or Screen, or several
        Screen folders (all of one model), or one file: Parquet or CSV, in which ``Metadata_`` columns and
        columns of text describe a row and all other columns are its embedding; or HDF5 with ``embeddings``
        (n, E) and ``well_id`` or ``names``, as published feature files have them.
    metadata : path, optional
        A CSV or Parquet that says more of the rows, joined on the first column they share.

    Returns
    -------
    EmbeddingTable
        Rows whose embedding is not finite are left out.

    Raises
    ------
    CellClipError
        If a source cannot be read, models differ, or nothing remains.
    """
    given: Sequence[str | Path | Screen] = (
        [sources] if isinstance(sources, str | Path | Screen) else list(sources)
    )
    opened = [_opened(source) for source in given]
    screens = [source for source in opened if isinstance(source, Screen)]
    files = [source for source in opened if not isinstance(source, Screen)]
    if screens and not files and metadata is None:
        table = _of_screens(screens)
    elif len(files) == 1 and not screens:
        table = _of_file(files[0], None if metadata is None else Path(metadata))
    else:
        raise CellClipError(
            "give either screens, all of one model and without further metadata, or one file of embeddings"
        )
    finite = np.isfinite(table.vectors).all(axis=1)
    if not finite.any():
        raise CellClipError(f"{table.name} holds no embedding: encode its wells first")
    return table.take(finite)


def perturbation_name(perturbation: Perturbation) -> str:
    """What a well got as one label, such as ``nocodazole 1 µM``; empty where that is not known."""
    p = perturbation
    if not (p.name or p.smiles or p.genes):
        return ""
    return replace(p, name=p.name or p.smiles or "|".join(p.genes)).treatment


def _opened(source: str | Path | Screen) -> Path | Screen:
    if isinstance(source, Screen):
        return source
    path = Path(source)
    if not path.exists():
        raise CellClipError(f"{path} does not exist: name a screen folder or a file of embeddings")
    return Screen.open(path) if path.is_dir() else path


def _of_screens(screens: Sequence[Screen]) -> EmbeddingTable:
    if len({screen.card_hash for screen in screens}) > 1:
        models = ", ".join(f"{s.name}: {s.card.name} ({s.card_hash})" for s in screens)
        raise CellClipError(f"the screens were embedded by different models and cannot be pooled ({models})")
    wells = pd.concat([screen.wells for screen in screens])
    if wells.index.has_duplicates:
        twice = wells.index[wells.index.duplicated()][0]
        raise CellClipError(f"well {twice} is in two of the screens: give each plate once")
    names = [perturbation_name(screen.perturbation(w)) for screen in screens for w in screen.well_ids]
    vectors = np.concatenate([screen.embeddings for screen in screens]).astype(np.float64)
    text = [c for c in wells if not is_numeric_dtype(wells[c])]
    wells = wells.assign(**{c: wells[c].fillna("") for c in text}, **{PERTURBATION: names})
    return EmbeddingTable(", ".join(s.name for s in screens), wells, vectors, tuple(screens))


def _of_file(path: Path, metadata: Path | None) -> EmbeddingTable:
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
    return EmbeddingTable(path.name, _standard(described, path), vectors)


def _standard(described: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns that every screen has, read from whatever names the table uses."""
    # A column without a single entry says nothing, not even by its name (JUMP's empty target_sequence).
    text = described.dropna(axis=1, how="all").astype(object)
    text = text.where(text.notna(), "").map(str)
    columns = Columns.find([str(c) for c in text.columns])
    treatments = [columns.perturbation(record) for record in text.to_dict("records")]
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


def treatments_of(wells: pd.DataFrame) -> list[Perturbation]:
    """The perturbation that each row speaks of."""
    from napari_cellclip.screen.labels import perturbation

    return [perturbation(row) for row in wells.to_dict("records")]


def compounds_of(wells: pd.DataFrame) -> pd.Series[str]:
    """Compound or gene of each row, whatever its dose: what a bootstrap draws."""
    names = wells[TREATMENT].where(wells[TREATMENT] != "", wells["Metadata_smiles"])
    return names.where(names != "", wells["Metadata_genes"]).astype(str)


def kinds_present(wells: pd.DataFrame) -> tuple[str, ...]:
    """Modalities among the rows, in the order of :class:`~napari_cellclip.vocabulary.Kind`."""
    there: Iterable[str] = set(wells["Metadata_kind"])
    return tuple(kind.value for kind in Kind if kind.value in there)
