"""Which wells stand beside a hit: the nearest negative control of its plate, and the nearest replicate."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from napari_cellclip.vocabulary import split_id

if TYPE_CHECKING:
    import pandas as pd


def nearest(table: pd.DataFrame, well: str, among: Collection[str]) -> list[str]:
    """Sort wells of the same plate by their distance from a well on the plate, the nearest first.

    Parameters
    ----------
    table : DataFrame
        One row per well by id, with ``row`` and ``column``.
    well : str
        Id of the well.
    among : collection of str
        Ids to choose from; those of other plates and the well itself are left out.
    """
    plate = split_id(well)[0]
    there = table.loc[[i for i in among if i != well and i in table.index and split_id(i)[0] == plate]]
    if not len(there) or well not in table.index:
        return [str(i) for i in there.index]
    away = np.hypot(
        there["row"].to_numpy(float) - table.at[well, "row"],
        there["column"].to_numpy(float) - table.at[well, "column"],
    )
    return [str(there.index[i]) for i in np.argsort(away, kind="stable")]


def matched_controls(table: pd.DataFrame, well: str) -> list[str]:
    """Find the imaged negative controls on the plate of a well, the nearest first.

    Neighbours share drifts of staining and illumination across the plate, so the nearest control is the
    fairest comparison.
    """
    controls = table.index[(table["control"] == "negcon") & table["imaged"].to_numpy(bool)]
    return nearest(table, well, [str(i) for i in controls])


def replicates(table: pd.DataFrame, well: str) -> list[str]:
    """Find the other imaged wells of the same treatment on the plate of a well, the nearest first."""
    if well not in table.index or not table.at[well, "treatment"]:
        return []
    same = (table["treatment"] == table.at[well, "treatment"]) & table["imaged"].to_numpy(bool)
    return nearest(table, well, [str(i) for i in table.index[same]])


def wells_beside(table: pd.DataFrame, well: str, chosen: Collection[str], count: int) -> list[str]:
    """Choose the wells to draw beside each other, the well itself first.

    Those chosen come first, then the nearest negative control; a set of four also takes a replicate and a
    second control. Fewer are returned where the plate has no more.
    """
    picked = nearest(table, well, chosen) if chosen else []
    if not picked:
        controls, same = matched_controls(table, well), replicates(table, well)
        picked = controls[:1] if count == 2 else [*same[:1], *controls[:2]]
    return [well, *picked[: (3 if chosen else count - 1)]]
