"""One profile for each perturbation."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.protocols.embeddings import PERTURBATION, EmbeddingTable
from napari_cellclip.vocabulary import CellClipError

How = Literal["mean", "median"]


def consensus(
    table: EmbeddingTable, by: pd.Series[str] | str = PERTURBATION, how: How = "mean"
) -> EmbeddingTable:
    """Mean or median profile of the wells of each perturbation.

    Parameters
    ----------
    table : EmbeddingTable
        Wells.
    by : str or Series
        Column, or one name for each well, that tells perturbations apart; wells where it is empty are left
        out.
    how : {"mean", "median"}
        Of each dimension.

    Returns
    -------
    EmbeddingTable
        Indexed by perturbation in alphabetical order; what is known of one is what its first well says, and
        ``n_wells`` counts its wells.

    Raises
    ------
    CellClipError
        If no well has a name.
    """
    if how not in ("mean", "median"):
        raise CellClipError(f"{how!r} is no consensus: use mean or median")
    keys = (table.column(by) if isinstance(by, str) else by).to_numpy().astype(str)
    groups = pd.Series(np.arange(len(keys)))[keys != ""].groupby(keys[keys != ""], sort=True).indices
    places = np.flatnonzero(keys != "")
    if not groups:
        raise CellClipError(f"{table.name} says of no well what was done to it: add a plate map")
    pooled = np.mean if how == "mean" else np.median
    members = {name: places[rows] for name, rows in groups.items()}
    vectors = np.stack([pooled(table.vectors[rows], axis=0) for rows in members.values()])
    first = table.wells.iloc[[rows[0] for rows in members.values()]]
    wells = first.set_axis(pd.Index(list(members), name="perturbation"), axis=0)
    return replace(
        table, wells=wells.assign(n_wells=[len(rows) for rows in members.values()]), vectors=vectors
    )
