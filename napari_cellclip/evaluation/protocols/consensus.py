"""Pool wells: one profile for each perturbation, or for each gene and each compound at each dose."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from napari_cellclip.evaluation.protocols.embeddings import PERTURBATION, TREATMENT, EmbeddingTable
from napari_cellclip.vocabulary import CellClipError, Kind

How = Literal["mean", "median"]
GENE_KINDS = (Kind.CRISPR.value, Kind.ORF.value)


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


def entity_map(table: EmbeddingTable, how: How = "median") -> EmbeddingTable:
    """Pool the wells of each gene, and of each compound at each dose; negative controls are left out.

    Parameters
    ----------
    table : EmbeddingTable
        Wells.
    how : {"median", "mean"}
        Consensus.

    Returns
    -------
    EmbeddingTable
        As :func:`consensus`, with two more columns:
        ``entity`` (gene symbol or compound name) and ``is_gene``.

    Raises
    ------
    CellClipError
        If no well says what was done to it.
    """
    wells = table.take(table.treated)
    if not len(wells):
        raise CellClipError(f"{table.name} says of no treated well what was done to it: add a plate map")
    is_gene = wells.wells["Metadata_kind"].isin(GENE_KINDS)
    name = wells.wells[TREATMENT]
    # Guides of a gene have names of their own, and share the symbol.
    entity = name.where(~is_gene | (wells.wells["Metadata_genes"] == ""), wells.wells["Metadata_genes"])
    entity = entity.where(entity != "", wells.wells["Metadata_smiles"])
    dose = wells.wells["Metadata_dose"].where(~is_gene).map(lambda d: "" if pd.isna(d) else f"{d:g} µM")
    key = wells.wells["Metadata_kind"] + " | " + entity + " | " + dose
    labelled = replace(wells, wells=wells.wells.assign(entity=entity, is_gene=is_gene))
    return consensus(labelled, key, how)


def gene_rows(entities: EmbeddingTable) -> dict[str, int]:
    """Row of each gene of a map.

    Raises
    ------
    CellClipError
        If a gene has two rows.
    """
    genes = entities.wells.loc[entities.wells["is_gene"].to_numpy(dtype=bool), "entity"]
    if genes.duplicated().any():
        twice = genes[genes.duplicated()].iloc[0]
        raise CellClipError(
            f"gene {twice} of {entities.name} was both knocked out and over-expressed:"
            " score one kind at a time"
        )
    names = entities.wells["entity"].to_numpy().astype(str)
    return {name: i for i, name in enumerate(names) if entities.wells["is_gene"].iloc[i]}
