"""Numbers measured at each site, and their statistics over the sites of a well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from napari_cellclip.plates.images.field_quality import CELLS
from napari_cellclip.plates.images.field_quality import column as quality_column
from napari_cellclip.vocabulary import STAINS, CellClipError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen

SITE = "site:"
"""Begins the keys of what is measured at sites."""

MEASURED = {
    "focus": "Focus (slope of the spectrum)",
    "saturated": "Share saturated",
    "structure": "Structure over noise",
    "low": "Background (1st percentile)",
    "median": "Median counts",
    "high": "99th percentile",
}
"""Measures of each stain, with the title of each."""

Statistic = Literal["mean", "median", "min", "max", "sd"]
STATISTICS: dict[Statistic, str] = {
    "mean": "Mean",
    "median": "Median",
    "min": "Minimum",
    "max": "Maximum",
    "sd": "Standard deviation",
}
"""How the sites of a well become one number, with the title of each; `sd` needs two sites."""


def site_columns(screen: Screen | None) -> dict[str, str]:
    """Columns of what was measured at the sites of a screen, with their titles; none for imported screens."""
    if screen is None or not _measured(screen):
        return {}
    found = {CELLS: "Cells (bright spots of DNA)"}
    for measure, title in MEASURED.items():
        found |= {quality_column(measure, stain): f"{title}, {stain}" for stain in STAINS}
    return found


def _measured(screen: Screen) -> bool:
    try:
        return bool(screen.quality[CELLS].notna().any())
    except CellClipError:  # a damaged file, which the QC tab names
        return False


def describe_sites(screen: Screen | None, column: str, statistic: Statistic) -> pd.Series:
    """Compute a statistic over the sites of each well, indexed by well id."""
    if screen is None or not _measured(screen) or column not in screen.quality:
        return pd.Series(dtype=float)
    wells = screen.quality.groupby("Metadata_Well_id", sort=False)[column]
    return wells.std() if statistic == "sd" else wells.agg(statistic)


def sites_of(plate: Plate | None, screen: Screen | None, wells: pd.Index) -> NDArray[np.float64]:
    """Count the sites of each well: those that were encoded, and where nothing is encoded those imaged."""
    imaged = {well.id: float(len(well.sites)) for well in plate.wells} if plate is not None else {}
    counts = np.array([imaged.get(str(well), np.nan) for well in wells])
    if screen is not None:
        encoded = screen.wells["Metadata_sites"].reindex(wells).to_numpy(float)
        counts = np.where(np.isfinite(encoded), encoded, counts)
    return counts
