"""Which sites of a plate go into which shard: decided before anything is encoded, and kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from napari_cellclip.screen.storage.files import folder_name
from napari_cellclip.screen.storage.parquet import read_table, write_table

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate, Site


def make_plan(plate: Plate, shard_sites: int) -> pd.DataFrame:
    """One row per site in the plate's order: where it is, what its files look like, its shard.

    Parameters
    ----------
    plate : Plate
        Wells by row and column.
    shard_sites : int
        Sites in one shard; the last has what is left.

    Returns
    -------
    DataFrame
        Indexed by site id: ``Metadata_Well_id``, ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Row`` and
        ``Metadata_Column`` (0-based), ``Metadata_Site``, ``Metadata_known``, ``Metadata_files`` (hash of the
        files' names, sizes and times) and ``Metadata_shard``.
    """
    rows = [
        (
            site.id,
            well.id,
            plate.name,
            well.name,
            well.row,
            well.column,
            str(site.number),
            well.known,
            files_state(site),
        )
        for well in plate.wells
        for site in well.sites
    ]
    columns = ["id", "Well_id", "Plate", "Well", "Row", "Column", "Site", "known", "files"]
    table = pd.DataFrame(rows, columns=[f"Metadata_{c}" if c != "id" else c for c in columns])
    table["Metadata_shard"] = table.index // shard_sites
    return table.set_index("id")


def files_state(site: Site) -> str:
    """16 hex digits over names, sizes and times of a site's files: another when one of them was changed."""
    digest = hashlib.sha256()
    for file in site.files:
        try:
            stat = file.stat()
            state = f"{stat.st_size}|{stat.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(f"{file.name}|{state}\n".encode())
    return digest.hexdigest()[:16]


def plan_path(folder: Path, plate: str) -> Path:
    """File with a plate's plan."""
    return folder / "plates" / f"{folder_name(plate)}.parquet"


def write_plan(folder: Path, plate: str, plan: pd.DataFrame) -> None:
    """Keep a plan."""
    write_table(plan_path(folder, plate), pa.Table.from_pandas(plan.reset_index(), preserve_index=False))


def read_plan(folder: Path, plate: str) -> pd.DataFrame:
    """Read a plan back, indexed by site id."""
    return read_table(plan_path(folder, plate)).to_pandas().set_index("id")
