"""Shards: the features of a fixed group of sites in one Parquet file, failed sites with their reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
import pyarrow as pa
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from napari_cellclip.screen.storage.failures import FAILURE, SITE, SiteResult
from napari_cellclip.screen.storage.files import folder_name
from napari_cellclip.screen.storage.parquet import column_to_rows, read_table, rows_to_column, write_table

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

    def path(self, shard: int) -> Path:
        """File of a shard."""
        return self.folder / f"shard-{shard:05d}.parquet"

    def finished(self) -> set[int]:
        """Numbers of the shards that are on disk."""
        return {int(path.stem.removeprefix("shard-")) for path in self.folder.glob("shard-*.parquet")}

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
        write_table(self.path(shard), table.replace_schema_metadata({"stains": str(shape[0])}))

    def status(self, shard: int) -> dict[str, str]:
        """Failure reason of each site of a shard, empty where it was encoded; features are not read."""
        table = read_table(self.path(shard), STATUS)
        return {s: f or "" for s, f in zip(*(table[name].to_pylist() for name in STATUS), strict=True)}

    def features(self, shard: int) -> dict[str, NDArray[np.float16]]:
        """Features of a shard's encoded sites, (5, D) each, by site id."""
        path = self.path(shard)
        stat = path.stat() if path.exists() else None
        return _features(path, (stat.st_mtime_ns, stat.st_size) if stat else None)

    def results(self, shard: int) -> dict[str, SiteResult]:
        """Return what a shard holds, by site id."""
        features = self.features(shard)
        return {
            site: SiteResult(site, features[site].astype(np.float32) if site in features else None, failure)
            for site, failure in self.status(shard).items()
        }

    def statuses(self, plan: pd.DataFrame) -> Iterator[tuple[str, str]]:
        """Site id and failure reason of every site of the plan that is in a finished shard."""
        for shard in sorted(self.finished() & set(plan["Metadata_shard"].tolist())):
            yield from self.status(shard).items()


def _bytes(shard: dict[str, NDArray[np.float16]]) -> int:
    return sum(row.nbytes for row in shard.values())


@cached(LRUCache(CACHE_BYTES, getsizeof=_bytes), lock=Lock())
def _features(path: Path, state: tuple[int, int] | None) -> dict[str, NDArray[np.float16]]:
    """Read features of a shard; `state` makes a rewritten file another key."""
    table = read_table(path, [SITE, "features"])
    rows = column_to_rows(table["features"])
    there = ~np.isnan(rows).all(axis=1)
    stains = int((table.schema.metadata or {}).get(b"stains", b"5"))
    rows = rows.reshape(len(rows), stains, -1)
    rows.flags.writeable = False
    return {site: row for site, row, ok in zip(table[SITE].to_pylist(), rows, there, strict=True) if ok}
