"""Which wells show the same treatment, under whatever names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

import pandas as pd

from napari_cellclip.vocabulary import CellClipError, Control, Kind

By = Literal["compound", "scaffold", "plate"]
Role = Literal["treatment", "negative control", "nothing"]


def role_of(well: Mapping[Any, Any]) -> Role:
    """What a row of `Screen.wells` is in a split: a treatment, a negative control, or of no use."""
    control, kind = _text(well, "control_type"), _text(well, "kind")
    if control == Control.EMPTY:
        return "nothing"
    if control == Control.NEGATIVE or (kind == Kind.CONTROL and not control):
        return "negative control"
    return "treatment" if identities(well) else "nothing"


def identities(well: Mapping[Any, Any]) -> tuple[str, ...]:
    """All that a treatment is known by; two that share one of them are the same treatment.

    Parameters
    ----------
    well : mapping
        A row of `Screen.wells`.

    Returns
    -------
    tuple of str
        Of a compound its name and its structure (see `canonical_structure`), of a knockout or an
        over-expression its genes, or its name where there are none. Dose plays no part. Empty where the plate
        map does not say what was done.
    """
    name, smiles = " ".join(_text(well, "treatment").casefold().split()), _text(well, "smiles")
    if _text(well, "kind") in (Kind.CRISPR, Kind.ORF):
        genes = [gene.strip().upper() for gene in _text(well, "genes").split("|") if gene.strip()]
        return tuple(f"gene {gene}" for gene in genes) or ((f"gene {name.upper()}",) if name else ())
    found = (f"name {name}",) if name else ()
    return (*found, f"structure {canonical_structure(smiles)}") if smiles else found


@lru_cache(maxsize=65536)
def canonical_structure(smiles: str) -> str:
    """One spelling for all SMILES of a compound, where RDKit is installed; else the text as it is.

    The largest fragment without its charges, so that a salt and its parent agree, and without stereo, because
    libraries name one compound now by an enantiomer and now by the racemate. Tautomers are not brought
    together. What RDKit cannot read stays as it is.
    """
    try:
        molecule = _parent(smiles)
    except ImportError:
        return smiles.strip()
    if molecule is None:
        return smiles.strip()
    from rdkit import Chem

    return str(Chem.MolToSmiles(molecule, isomericSmiles=False))


@lru_cache(maxsize=65536)
def scaffold(smiles: str) -> str:
    """Bemis-Murcko scaffold of a compound (J. Med. Chem. 1996, 39, 2887); empty for one without a ring.

    Raises
    ------
    CellClipError
        If RDKit is absent.
    """
    try:
        molecule = _parent(smiles)
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
    if by == "plate":
        return _numbered({well: (str(plate),) for well, plate in wells["Metadata_Plate"].items()})
    keys: dict[str, tuple[str, ...]] = {}
    for well, row in wells.iterrows():
        found = identities(row)
        if by == "scaffold" and _text(row, "kind") not in (Kind.CRISPR, Kind.ORF):
            ring = scaffold(smiles) if (smiles := _text(row, "smiles")) else ""
            found = (*found, f"scaffold {ring}") if ring else found
        keys[str(well)] = found
    return _numbered(keys)


def _numbered(keys: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Join wells that share a key, directly or through others (union-find)."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for names in keys.values():
        first, *others = names
        for other in others:
            parent[root(other)] = root(first)
    numbers: dict[str, int] = {}
    return {well: numbers.setdefault(root(next(iter(keys[well]))), len(numbers)) for well in sorted(keys)}


def _parent(smiles: str) -> Any:
    """The largest fragment of a structure, uncharged; ``None`` where RDKit cannot read it."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)
        if molecule is None:
            return None
        largest = rdMolStandardize.LargestFragmentChooser().choose(molecule)
        return rdMolStandardize.Uncharger().uncharge(largest)


def _text(well: Mapping[Any, Any], column: str) -> str:
    value = well.get(f"Metadata_{column}", "")
    return "" if value is None or value != value else str(value).strip()
