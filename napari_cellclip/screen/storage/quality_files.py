"""The quality of each site, measured while it was encoded: one file beside each shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from napari_cellclip.plates.images.field_quality import QUALITY_COLUMNS
from napari_cellclip.screen.storage.failures import SITE
from napari_cellclip.screen.storage.files import exists, folder_name
from napari_cellclip.screen.storage.parquet import damage, read_table, write_table
from napari_cellclip.vocabulary import ScreenError

SCHEMA = pa.schema({SITE: pa.string(), **{name: pa.float32() for name in QUALITY_COLUMNS}})


class QualityFiles:
    """The quality tables of one plate; they depend on its pixels and on no model.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plate : str
        Name of the plate.
    """

    def __init__(self, folder: Path, plate: str) -> None:
        self.folder = folder / "quality" / folder_name(plate)

    def path(self, shard: int) -> Path:
        """File with the quality of a shard's sites."""
        return self.folder / f"shard-{shard:05d}.parquet"

    def write(self, shard: int, sites: Sequence[str], measured: Mapping[str, Mapping[str, float]]) -> None:
        """Write a row for each site of a shard, whole; NaN for a site that could not be read."""
        rows = [measured.get(site, {}) for site in sites]
        columns = {
            name: np.array([row.get(name, np.nan) for row in rows], np.float32) for name in QUALITY_COLUMNS
        }
        write_table(
            self.path(shard), pa.table({SITE: pa.array(sites, pa.string()), **columns}, schema=SCHEMA)
        )

    def read(self, shard: int) -> pd.DataFrame:
        """Quality of a shard's sites, by site id; empty if none was measured.

        Raises
        ------
        ScreenError
            If the file is damaged.
        """
        path = self.path(shard)
        if not exists(path):
            return pd.DataFrame(columns=list(QUALITY_COLUMNS), dtype=float)
        try:
            table = read_table(path, SCHEMA.names).select(SCHEMA.names).cast(SCHEMA)
        except (pa.ArrowException, ValueError) as error:
            raise ScreenError(damage(path, f"it is another table: {error}")) from error
        return table.to_pandas().set_index(SITE).astype(float)

    def problem(self, shard: int) -> str | None:
        """Say what is wrong with the quality of a shard's sites; ``None`` if whole or never measured."""
        try:
            self.read(shard)
        except ScreenError as error:
            return str(error)
        return None

    def kept(self, shard: int) -> dict[str, dict[str, float]]:
        """Quality of a shard's sites, by site id; empty if the file is damaged or was never written."""
        if self.problem(shard) is not None:
            return {}
        return {str(site): row for site, row in self.read(shard).to_dict("index").items()}
