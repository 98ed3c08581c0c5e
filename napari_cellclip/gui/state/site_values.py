"""Numbers measured at each site, and their statistics over the sites of a well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.plates import Plate
    from napari_cellclip.screen import Screen

SITE = "site:"
"""Begins the keys of what is measured at sites."""

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
    return {}


def describe_sites(screen: Screen | None, column: str, statistic: Statistic) -> pd.Series:
    """Compute a statistic over the sites of each well, indexed by well id."""
    return pd.Series(dtype=float)


def sites_of(plate: Plate | None, screen: Screen | None, wells: pd.Index) -> NDArray[np.float64]:
    """Count the sites of each well: those that were encoded, and where nothing is encoded those imaged."""
    imaged = {well.id: float(len(well.sites)) for well in plate.wells} if plate is not None else {}
    counts = np.array([imaged.get(str(well), np.nan) for well in wells])
    if screen is not None:
        encoded = screen.wells["Metadata_sites"].reindex(wells).to_numpy(float)
        counts = np.where(np.isfinite(encoded), encoded, counts)
    return counts
