"""The wells of a screen: their table, and their embeddings as stored for each plate and model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import exists, folder_name
from napari_cellclip.screen.storage.labels import labels_of
from napari_cellclip.screen.storage.parquet import (
    column_to_rows,
    damage,
    read_table,
    rows_to_column,
    write_table,
)
from napari_cellclip.screen.storage.plan import PLACE
from napari_cellclip.vocabulary import ScreenError

COLUMNS = ("Metadata_Well_id", "Metadata_Site_ids", "embedding")
COUNTS = ("Metadata_Well_id", "Metadata_sites")


@dataclass(frozen=True)
class WellEmbeddings:
    """Embeddings of a plate's wells.

    Attributes
    ----------
    ids : tuple of str
        Wells with at least one encoded site.
    sites : tuple of tuple of str
        The sites each embedding was made from.
    vectors : ndarray of float32 (n, E)
        Not normalised.
    """

    ids: tuple[str, ...]
    sites: tuple[tuple[str, ...], ...]
    vectors: NDArray[np.float32]


def wells_path(folder: Path, card_hash: str, plate: str) -> Path:
    """Name the file with a plate's well embeddings by one model card."""
    return folder / "wells" / card_hash / f"{folder_name(plate)}.parquet"


def read_wells(path: Path, dim: int) -> WellEmbeddings:
    """Read well embeddings; empty where none were made yet.

    Raises
    ------
    ScreenError
        If the file is damaged or of another model.
    """
    if not exists(path):
        return WellEmbeddings((), (), np.zeros((0, dim), np.float32))
    table = read_table(path, COLUMNS)
    ids, vectors = _rows(path, table, dim)
    return WellEmbeddings(
        tuple(ids), tuple(tuple(sites) for sites in table["Metadata_Site_ids"].to_pylist()), vectors
    )


def read_vectors(path: Path, dim: int) -> tuple[list[str], NDArray[np.float32]]:
    """Read ids and embeddings of wells, without their sites; errors as :func:`read_wells`."""
    if not exists(path):
        return [], np.zeros((0, dim), np.float32)
    return _rows(path, read_table(path, ("Metadata_Well_id", "embedding")), dim)


def read_site_counts(path: Path) -> pd.Series[int]:
    """Read from how many sites each embedding was made, by well id; the embeddings are not read.

    Raises
    ------
    ScreenError
        As :func:`read_wells`.
    """
    if not exists(path):
        return pd.Series(dtype=int)
    table = read_table(path, COUNTS, all_bytes=False)
    if not pa.types.is_integer(table.schema.field("Metadata_sites").type):
        raise ScreenError(damage(path, "it is another table: its numbers of sites are none"))
    return pd.Series(table["Metadata_sites"].to_numpy(), table["Metadata_Well_id"].to_pylist(), int)


def _rows(path: Path, table: pa.Table, dim: int) -> tuple[list[str], NDArray[np.float32]]:
    kind = table.schema.field("embedding").type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
        raise ScreenError(damage(path, "it is another table: its embeddings are no rows of numbers"))
    if kind.list_size != dim and len(table):
        raise ScreenError(damage(path, f"its embeddings have {kind.list_size} numbers, its model's {dim}"))
    return table["Metadata_Well_id"].to_pylist(), column_to_rows(table["embedding"]).astype(
        np.float32, copy=False
    )


def write_wells(path: Path, wells: WellEmbeddings) -> None:
    """Write well embeddings, whole; both encoding and importing write their tables here."""
    table = pa.table(
        {
            "Metadata_Well_id": pa.array(wells.ids, pa.string()),
            "Metadata_sites": pa.array([len(sites) for sites in wells.sites], pa.int32()),
            "Metadata_Site_ids": pa.array([list(sites) for sites in wells.sites], pa.list_(pa.string())),
            "embedding": rows_to_column(wells.vectors.astype(np.float32)),
        }
    )
    write_table(path, table)


def wells_table(places: pd.DataFrame, labels: pd.DataFrame, sites: pd.Series[int]) -> pd.DataFrame:
    """Build the table of a screen's wells, embedded or not, indexed by well id.

    Parameters
    ----------
    places : DataFrame
        Of all plates, as :func:`~napari_cellclip.screen.storage.plan.read_places` returns them.
    labels : DataFrame
        By well id, as :func:`~napari_cellclip.screen.storage.labels.read_labels` returns them.
    sites : Series of int
        From how many sites each embedding was made, by well id.

    Returns
    -------
    DataFrame
        ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Row`` and ``Metadata_Column`` (0-based),
        ``Metadata_known``, ``Metadata_sites`` (those the embedding was made from), ``Metadata_all_sites``,
        then what the plate map says: ``Metadata_treatment``, ``Metadata_kind``, ``Metadata_control_type``,
        ``Metadata_smiles``, ``Metadata_genes`` (joined by ``|``), ``Metadata_mechanism``, ``Metadata_dose``
        (µM), ``Metadata_cell_line`` and any other column.
    """
    wells = places.copy()
    wells.insert(len(PLACE), "Metadata_sites", sites.reindex(wells.index).fillna(0).astype(int))
    return wells.join(labels_of(wells.index, labels)).rename_axis("well_id")
