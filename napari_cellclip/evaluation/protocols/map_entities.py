"""A map of perturbations: one profile for each gene and for each compound at each dose."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from napari_cellclip.evaluation.protocols.consensus import How, consensus
from napari_cellclip.evaluation.protocols.embeddings import TREATMENT, EmbeddingTable
from napari_cellclip.vocabulary import CellClipError, Kind

GENE_KINDS = (Kind.CRISPR.value, Kind.ORF.value)


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
        As :func:`~napari_cellclip.evaluation.protocols.consensus.consensus`, with two more columns:
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
            " judge one kind at a time"
        )
    names = entities.wells["entity"].to_numpy().astype(str)
    return {name: i for i, name in enumerate(names) if entities.wells["is_gene"].iloc[i]}
