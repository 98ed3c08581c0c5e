"""The wells of a screen: their table, and their embeddings as stored for each plate and model card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import folder_name
from napari_cellclip.screen.storage.labels import label_table, merged
from napari_cellclip.screen.storage.parquet import (
    column_to_rows,
    damage,
    read_table,
    rows_to_column,
    write_table,
)
from napari_cellclip.vocabulary import ScreenError

COLUMNS = ("Metadata_Well_id", "Metadata_Site_ids", "embedding")


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
    if not path.exists():
        return WellEmbeddings((), (), np.zeros((0, dim), np.float32))
    table = read_table(path, COLUMNS)
    kind = table.schema.field("embedding").type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
        raise ScreenError(damage(path, "it is another table: its embeddings are no rows of numbers"))
    if kind.list_size != dim and len(table):
        raise ScreenError(damage(path, f"its embeddings have {kind.list_size} numbers, its model's {dim}"))
    return WellEmbeddings(
        tuple(table["Metadata_Well_id"].to_pylist()),
        tuple(tuple(sites) for sites in table["Metadata_Site_ids"].to_pylist()),
        column_to_rows(table["embedding"]).astype(np.float32),
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


def wells_table(
    plans: Mapping[str, pd.DataFrame], labels: pd.DataFrame, sites: Mapping[str, int]
) -> pd.DataFrame:
    """Build the table of a screen's wells, embedded or not, indexed by well id.

    Parameters
    ----------
    plans : mapping of str to DataFrame
        By plate, as :func:`~napari_cellclip.screen.storage.plan.read_plan` returns them.
    labels : DataFrame
        By well id, as :func:`~napari_cellclip.screen.storage.labels.read_labels` returns them.
    sites : mapping of str to int
        From how many sites each embedding was made, by well id.

    Returns
    -------
    DataFrame
        See :attr:`napari_cellclip.screen.Screen.wells`.
    """
    place = [f"Metadata_{n}" for n in ("Plate", "Well", "Row", "Column", "known")]
    tables = []
    for plan in plans.values():
        grouped = plan.groupby("Metadata_Well_id", sort=False)
        tables.append(grouped[place].first().assign(Metadata_all_sites=grouped.size()))
    wells = pd.concat(tables) if tables else pd.DataFrame(columns=[*place, "Metadata_all_sites"])
    used = pd.Series(sites, dtype=int).reindex(wells.index).fillna(0).astype(int)
    wells.insert(len(place), "Metadata_sites", used)
    known = merged(label_table(wells.index, None), labels).reindex(wells.index)
    return wells.join(known).rename_axis("well_id")
