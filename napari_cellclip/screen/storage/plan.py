"""Plan which sites of a plate go into which shard: decided before anything is encoded, and stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import RLock
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
PLACE = tuple(f"Metadata_{name}" for name in ("Plate", "Well", "Row", "Column", "known"))
"""Columns that all sites of a well share."""


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
    plan = _read(folder, plate, SCHEMA.names).to_pandas().set_index("id")
    if not plan.index.is_unique:
        twice = plan.index[plan.index.duplicated()][0]
        raise ScreenError(damage(plan_path(folder, plate), f"site {twice} is there twice"))
    return plan


def read_places(folder: Path, plate: str) -> pd.DataFrame:
    """Read which wells a plate has, in the plan's order, without a row for each site.

    Returns
    -------
    DataFrame
        By well id: :data:`PLACE`, and ``Metadata_all_sites``, the number of its sites.

    Raises
    ------
    ScreenError
        As :func:`read_plan`.
    """
    table = _read(folder, plate, ["Metadata_Well_id", *PLACE])
    wells = table["Metadata_Well_id"].combine_chunks().dictionary_encode()
    codes = wells.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)  # codes count wells in the order in which they come
    places = table.take(first).to_pandas().set_index("Metadata_Well_id")
    return places.assign(Metadata_all_sites=np.bincount(codes, minlength=len(first)))


def _read(folder: Path, plate: str, columns: list[str]) -> pa.Table:
    path = plan_path(folder, plate)
    try:
        return read_table(path, columns).select(columns).cast(pa.schema([SCHEMA.field(n) for n in columns]))
    except (pa.ArrowException, ValueError) as error:  # columns of other types
        raise ScreenError(damage(path, f"it is another table: {error}")) from error


class Plans(Mapping[str, pd.DataFrame]):
    """The plans of a screen's plates, each read when first asked for, once for all threads.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plates : iterable of str
        Their names.
    """

    def __init__(self, folder: Path, plates: Iterable[str]) -> None:
        self._folder = folder
        self._plans: dict[str, pd.DataFrame | None] = dict.fromkeys(plates)
        self._reading = RLock()

    def __getitem__(self, plate: str) -> pd.DataFrame:
        with self._reading:
            if (plan := self._plans[plate]) is None:
                plan = self._plans[plate] = read_plan(self._folder, plate)
            return plan

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)

    def shards(self, plate: str) -> set[int]:
        """Numbers of the shards that a plate's plan names; no more of it is read."""
        return set(_read(self._folder, plate, ["Metadata_shard"])["Metadata_shard"].unique().to_pylist())
