"""Plan which sites of a plate go into which shard: decided before anything is encoded, and stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from napari_cellclip.screen.storage.files import folder_name
from napari_cellclip.screen.storage.parquet import damage, read_table, write_table
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "Metadata_Well_id": pa.string(),
        "Metadata_Plate": pa.string(),
        "Metadata_Well": pa.string(),
        "Metadata_Row": pa.int64(),
        "Metadata_Column": pa.int64(),
        "Metadata_Site": pa.string(),
        "Metadata_known": pa.bool_(),
        "Metadata_files": pa.string(),
        "Metadata_shard": pa.int64(),
    }
)
"""Of the stored table, whoever makes it; :class:`PlannedSite` says what the columns mean."""


class PlannedSite(NamedTuple):
    """One row of a plan: a site, and where it is on the plate.

    Attributes
    ----------
    id, well_id, plate, well : str
        ``"plate/B03/1"``, ``"plate/B03"``, ``"plate"``, ``"B03"``.
    row, column : int
        0-based; -1 where the well is not known.
    site : str
        Number within the well.
    known : bool
        Whether the files said which well this is.
    files : str
        Hash of what the site was made from: another when it changes.
    """

    id: str
    well_id: str
    plate: str
    well: str
    row: int
    column: int
    site: str
    known: bool
    files: str


def plan_table(sites: Iterable[PlannedSite], shard_sites: int) -> pd.DataFrame:
    """Build a plan: a row per site, indexed by site id, in shards of `shard_sites`; the last has the rest.

    Returns
    -------
    DataFrame
        Columns as in `SCHEMA`, ``id`` being the index.
    """
    table = pd.DataFrame(list(sites), columns=SCHEMA.names[:-1])
    table["Metadata_shard"] = np.arange(len(table)) // shard_sites
    return table.set_index("id")


def make_plan(plate: Plate, shard_sites: int, states: Mapping[str, str]) -> pd.DataFrame:
    """Plan the sites of a plate, in the plate's order: wells by row and column.

    Parameters
    ----------
    plate : Plate
        What is encoded.
    shard_sites : int
        Sites in one shard.
    states : mapping of str to str
        What ``plate.file_states()`` returned.

    Returns
    -------
    DataFrame
        See :func:`plan_table`.
    """
    return plan_table(
        (
            PlannedSite(
                site.id,
                well.id,
                plate.name,
                well.name,
                well.row,
                well.column,
                str(site.number),
                well.known,
                states[site.id],
            )
            for well in plate.wells
            for site in well.sites
        ),
        shard_sites,
    )


def plan_path(folder: Path, plate: str) -> Path:
    """Name the file with a plate's plan."""
    return folder / "plates" / f"{folder_name(plate)}.parquet"


def write_plan(folder: Path, plate: str, plan: pd.DataFrame) -> None:
    """Write a plan, whole."""
    table = pa.Table.from_pandas(plan.reset_index(), SCHEMA, preserve_index=False)
    write_table(plan_path(folder, plate), table)


def read_plan(folder: Path, plate: str) -> pd.DataFrame:
    """Read a plan back, indexed by site id.

    Raises
    ------
    ScreenError
        If it is missing, damaged, or no plan.
    """
    path = plan_path(folder, plate)
    try:
        plan = read_table(path, SCHEMA.names).select(SCHEMA.names).cast(SCHEMA).to_pandas().set_index("id")
    except (pa.ArrowException, ValueError) as error:  # columns of other types
        raise ScreenError(damage(path, f"it is another table: {error}")) from error
    if not plan.index.is_unique:
        raise ScreenError(damage(path, f"site {plan.index[plan.index.duplicated()][0]} is there twice"))
    return plan
