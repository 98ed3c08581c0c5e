"""Which wells show the same treatment, under whatever names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import pandas as pd

from napari_cellclip.vocabulary import CellClipError, Kind
from napari_cellclip.vocabulary.identity import groups_of, parent_molecule, text_of, well_keys

By = Literal["compound", "scaffold", "plate"]


@lru_cache(maxsize=65536)
def scaffold(smiles: str) -> str:
    """Bemis-Murcko scaffold of a compound (J. Med. Chem. 1996, 39, 2887); empty for one without a ring.

    Raises
    ------
    CellClipError
        If RDKit is absent.
    """
    try:
        molecule = parent_molecule(smiles)
    except ImportError as error:
        raise CellClipError(
            'scaffolds need RDKit: install it with pip install "napari-cellclip[chem]", or split by compound'
        ) from error
    if molecule is None:
        return ""
    from rdkit.Chem.Scaffolds import MurckoScaffold

    return str(MurckoScaffold.MurckoScaffoldSmiles(mol=molecule, includeChirality=False))


def treatment_groups(wells: pd.DataFrame, by: By) -> dict[str, int]:
    """Groups of wells that must stay together.

    Parameters
    ----------
    wells : DataFrame
        `Screen.wells`, of treatments only.
    by : {"compound", "scaffold", "plate"}
        What keeps wells together. Compounds without a ring or a structure are a scaffold of their own each.

    Returns
    -------
    dict of str to int
        Number of the group of each well id; groups are numbered by their first well in the order of ids.
    """
    return _numbered(split_keys(wells, by))


def split_keys(wells: pd.DataFrame, by: str) -> dict[str, tuple[str, ...]]:
    """List by well id what must not be on two sides of a split; empty for wells without a treatment."""
    if by == "plate":
        return {str(well): (f"plate {plate}",) for well, plate in wells["Metadata_Plate"].items()}
    keys = well_keys(wells)
    if by == "scaffold":
        for well, row in zip(keys, wells.to_dict("records"), strict=True):
            smiles = text_of(row, "smiles")
            compound = keys[well] and text_of(row, "kind") not in (Kind.CRISPR, Kind.ORF)
            if compound and smiles and (ring := scaffold(smiles)):
                keys[well] = (*keys[well], f"scaffold {ring}")
    return keys


def _numbered(keys: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Number groups of wells that share a key, directly or through others."""
    wells = sorted(keys)
    return dict(zip(wells, groups_of([keys[well] for well in wells]).tolist(), strict=True))
