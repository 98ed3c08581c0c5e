"""How a site that cannot be used is recorded: its result, the columns that say why, and the table of them.

A failed site is a row of its shard that has a reason in place of features. Everything that reads or writes
such reasons takes the names of the columns from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.storage.parquet import read_table, write_table
from napari_cellclip.vocabulary import ScreenError

SITE = "Metadata_Site_id"
WELL = "Metadata_Well_id"
FAILURE = "Metadata_Failure"
"""Column of shards and of the table of failures: why a site could not be used."""

FILE = "failures.parquet"
HALF_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class SiteResult:
    """Result of a site: features of shape (5, D), or the reason why there are none."""

    id: str
    features: NDArray[np.float32] | None = None
    failure: str = ""

    def checked(self) -> SiteResult:
        """Return a failure in place of features that half precision cannot hold."""
        if self.features is not None and not (np.abs(self.features) < HALF_MAX).all():
            return SiteResult(
                self.id, failure="the channel encoder gave numbers that are not finite or far too large"
            )
        return self


def failures_table(status: Mapping[str, str]) -> pd.DataFrame:
    """Build the table of failed sites from the failure of each site, empty where it was encoded."""
    rows = [(site, site.rsplit("/", 1)[0], why) for site, why in status.items() if why]
    return pd.DataFrame(rows, columns=[SITE, WELL, FAILURE])


def reasons(failures: pd.DataFrame) -> list[tuple[str, str]]:
    """List site id and reason of each row of a table of failures."""
    return list(zip(failures[SITE], failures[FAILURE], strict=True))


def write_failures(folder: Path, status: Mapping[str, str]) -> None:
    """Write ``failures.parquet`` for people and other programs; the shards themselves are what counts."""
    _write(folder, failures_table(status))


def update_failures(folder: Path, plate: str, status: Mapping[str, str]) -> bool:
    """Replace the failures of one plate in ``failures.parquet``; those of the others stay.

    Returns
    -------
    bool
        Whether there was a table of the others to keep.
    """
    try:
        others = read_table(folder / FILE, (SITE, WELL, FAILURE)).to_pandas()
    except ScreenError:  # missing or damaged
        return False
    others = others[~others[SITE].str.startswith(f"{plate}/")]
    _write(folder, pd.concat([others, failures_table(status)]))
    return True


def _write(folder: Path, failures: pd.DataFrame) -> None:
    # Plates by name, whichever was finished first; the sites of each as they are planned.
    failures = failures.sort_values(SITE, key=lambda ids: ids.str.rsplit("/", n=2).str[0], kind="stable")
    columns = {name: pa.array(failures[name].tolist(), pa.string()) for name in failures}
    write_table(folder / FILE, pa.table(columns))
