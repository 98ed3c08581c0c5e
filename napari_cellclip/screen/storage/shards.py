"""Shards: the features of a fixed group of sites in one Parquet file, failed sites with their reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
import pyarrow as pa
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from napari_cellclip.screen.storage.failures import FAILURE, SITE, SiteResult
from napari_cellclip.screen.storage.files import State, folder_name, names_in, state_of
from napari_cellclip.screen.storage.parquet import (
    column_to_rows,
    damage,
    read_table,
    rows_to_column,
    write_table,
)
from napari_cellclip.vocabulary import ScreenError

CACHE_BYTES = 64 * 2**20
"""Most memory for the features of the last shards; one of 32 fields by the largest DINOv2 takes 0.5 MB."""
STATUS = (SITE, FAILURE)


class Shards:
    """The feature shards of one plate and one channel encoder.

    Parameters
    ----------
    folder : Path
        Of the screen.
    encoder_hash, plate : str
        What the features came from.
    """

    def __init__(self, folder: Path, encoder_hash: str, plate: str) -> None:
        self.folder = folder / "fields" / encoder_hash / folder_name(plate)
        self.encoder_hash = encoder_hash

    def path(self, shard: int) -> Path:
        """File of a shard."""
        return self.folder / f"shard-{shard:05d}.parquet"

    def finished(self) -> set[int]:
        """Numbers of the shards that are on disk; other files, such as copies, are none."""
        names = (re.fullmatch(r"shard-(\d{5,9})\.parquet", name) for name in names_in(self.folder))
        return {int(found[1]) for found in names if found}

    def write(self, shard: int, plan: pd.DataFrame, results: Sequence[SiteResult]) -> None:
        """Write a shard, whole; features in half precision, 5 * D values a row, stains as in the card."""
        stack = [r.features for r in results if r.features is not None]
        shape = stack[0].shape if stack else (5, 1)  # Parquet knows no lists of length 0
        rows = np.zeros((len(results), *shape), np.float16)
        for row, result in zip(rows, results, strict=True):
            if result.features is not None:
                row[:] = result.features
        missing = np.array([r.features is None for r in results], bool)
        metadata = plan.loc[[r.id for r in results], ["Metadata_Well_id", "Metadata_Plate", "Metadata_Well"]]
        table = pa.table(
            {
                SITE: pa.array([r.id for r in results], pa.string()),
                **{name: pa.array(metadata[name].tolist(), pa.string()) for name in metadata},
                "Metadata_Site": pa.array(plan.loc[metadata.index, "Metadata_Site"].tolist(), pa.string()),
                FAILURE: pa.array([r.failure or None for r in results], pa.string()),
                "features": rows_to_column(rows, missing),
            }
        )
        about = {"stains": str(shape[0]), "encoder": self.encoder_hash}
        write_table(self.path(shard), table.replace_schema_metadata(about))

    def status(self, shard: int) -> dict[str, str]:
        """Failure reason of each site of a shard, empty where it was encoded; features are not read."""
        return _status(self.path(shard), read_table(self.path(shard), STATUS, all_bytes=False))

    def features(self, shard: int) -> dict[str, NDArray[np.float16]]:
        """Features of a shard's encoded sites, (5, D) each, by site id."""
        path = self.path(shard)
        return _features(path, state_of(path), self.encoder_hash)

    def results(self, shard: int) -> dict[str, SiteResult]:
        """Return what a shard holds, by site id."""
        features = self.features(shard)
        return {
            site: SiteResult(site, features[site].astype(np.float32) if site in features else None, failure)
            for site, failure in self.status(shard).items()
        }

    def statuses(self, plan: pd.DataFrame) -> Iterator[tuple[str, str]]:
        """Site id and failure reason of every site of the plan that is in a finished shard.

        Raises
        ------
        ScreenError
            If a shard is damaged, or holds other sites than the plan says.
        """
        for shard, sites in self._planned(plan).items():
            status = self.status(shard)
            _require_sites(self.path(shard), list(status), sites)
            yield from status.items()

    def verified(self, plan: pd.DataFrame) -> tuple[dict[str, str], dict[int, str]]:
        """Read all of the finished shards.

        Returns
        -------
        statuses : dict of str to str
            As from :meth:`statuses`, of the shards that are whole.
        damaged : dict of int to str
            What is wrong with the others, by number.
        """
        statuses, damaged = dict[str, str](), dict[int, str]()
        for shard, sites in self._planned(plan).items():
            try:
                statuses |= self._verify(shard, sites)
            except ScreenError as error:
                damaged[shard] = str(error)
        return statuses, damaged

    def _planned(self, plan: pd.DataFrame) -> dict[int, list[str]]:
        """Sites that the plan wants in each finished shard."""
        there = self.finished()
        groups = plan.groupby("Metadata_shard", sort=True)
        return {number: list(rows.index) for n, rows in groups if (number := int(str(n))) in there}

    def _verify(self, shard: int, sites: list[str]) -> dict[str, str]:
        path = self.path(shard)
        table = read_table(path, [*STATUS, "features"])
        status = _status(path, table)
        _require_sites(path, list(status), sites)
        _features_of(path, table, self.encoder_hash)
        return status


def _bytes(shard: dict[str, NDArray[np.float16]]) -> int:
    return sum(row.nbytes for row in shard.values())


@cached(LRUCache(CACHE_BYTES, getsizeof=_bytes), lock=Lock())
def _features(path: Path, state: State, encoder_hash: str) -> dict[str, NDArray[np.float16]]:
    """Read features of a shard; `state` makes a rewritten file another key."""
    return _features_of(path, read_table(path, [*STATUS, "features"]), encoder_hash)


def _status(path: Path, table: pa.Table) -> dict[str, str]:
    sites, failures = (table[name].to_pylist() for name in STATUS)
    if not all(isinstance(site, str) for site in sites) or len(set(sites)) != len(sites):
        raise ScreenError(damage(path, "it names no site, or one twice"))
    return {site: str(why or "") for site, why in zip(sites, failures, strict=True)}


def _require_sites(path: Path, found: list[str], wanted: list[str]) -> None:
    if found != wanted:
        held = f"{len(found)} sites from {found[0]}" if found else "no site"
        raise ScreenError(damage(path, f"it holds {held} where the plan says {len(wanted)} from {wanted[0]}"))


def _features_of(path: Path, table: pa.Table, encoder_hash: str) -> dict[str, NDArray[np.float16]]:
    about, kind = table.schema.metadata or {}, table.schema.field("features").type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_float16(kind.value_type):
        raise ScreenError(damage(path, "it is another table: its features are no rows of numbers"))
    if about.get(b"encoder", encoder_hash.encode()) != encoder_hash.encode():
        raise ScreenError(damage(path, "its features are of another channel encoder"))
    stains = int(about.get(b"stains", b"5"))
    rows = column_to_rows(table["features"])
    there = np.array([not failure for failure in table[FAILURE].to_pylist()], bool)
    if rows.shape[1] % stains and there.any():
        raise ScreenError(
            damage(path, f"its {rows.shape[1]} numbers a site are not those of {stains} stains")
        )
    rows = (
        rows.reshape(len(rows), stains, -1) if there.any() else np.zeros((len(rows), stains, 1), np.float16)
    )
    if not np.isfinite(rows[there]).all():
        raise ScreenError(damage(path, "some of its features are no numbers"))
    rows.flags.writeable = False
    return {site: row for site, row, ok in zip(table[SITE].to_pylist(), rows, there, strict=True) if ok}
