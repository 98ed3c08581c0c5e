"""Identify treatments: which wells show the same one, under whatever names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.vocabulary.perturbations import Control, Kind

_CHARGED = re.compile(r"\[[^]]*[+-]")
"""An atom with a charge in SMILES."""

Role = Literal["treatment", "negative control", "nothing"]


def role_of(well: Mapping[Any, Any]) -> Role:
    """Tell what a row of `Screen.wells` is: a treatment, a negative control, or neither."""
    control, kind = text_of(well, "control_type"), text_of(well, "kind")
    if control == Control.EMPTY:
        return "nothing"
    if control == Control.NEGATIVE or (kind == Kind.CONTROL and not control):
        return "negative control"
    return "treatment" if identities(well) else "nothing"


def identities(well: Mapping[Any, Any]) -> tuple[str, ...]:
    """List all that a treatment is known by; two that share one of them are the same treatment.

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
    name, smiles = " ".join(text_of(well, "treatment").casefold().split()), text_of(well, "smiles")
    if text_of(well, "kind") in (Kind.CRISPR, Kind.ORF):
        genes = [gene.strip().upper() for gene in text_of(well, "genes").split("|") if gene.strip()]
        return tuple(f"gene {gene}" for gene in genes) or ((f"gene {name.upper()}",) if name else ())
    found = (f"name {name}",) if name else ()
    return (*found, f"structure {canonical_structure(smiles)}") if smiles else found


@lru_cache(maxsize=65536)
def canonical_structure(smiles: str) -> str:
    """Return one spelling for all SMILES of a compound where RDKit is installed, else the text as it is.

    The largest fragment without its charges, so that a salt and its parent agree, and without stereo, because
    libraries name one compound now by an enantiomer and now by the racemate. Tautomers are not brought
    together. What RDKit cannot read stays as it is.
    """
    try:
        molecule = parent_molecule(smiles)
    except ImportError:
        return smiles.strip()
    if molecule is None:
        return smiles.strip()
    from rdkit import Chem

    return str(Chem.MolToSmiles(molecule, isomericSmiles=False))


def parent_molecule(smiles: str) -> Any:
    """Return the largest fragment of a structure, uncharged; ``None`` where RDKit cannot read it.

    Raises
    ------
    ImportError
        If RDKit is absent.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        molecule: Any = Chem.MolFromSmiles(smiles)
        if molecule is None or ("." not in smiles and not _CHARGED.search(smiles)):
            return molecule  # one uncharged fragment already: the common case, and four times as fast
        largest = rdMolStandardize.LargestFragmentChooser().choose(molecule)
        return rdMolStandardize.Uncharger().uncharge(largest)


def groups_of(keys: Sequence[Sequence[str]]) -> NDArray[np.intp]:
    """Number groups of rows that share a key, directly or through others; by first appearance.

    Examples
    --------
    >>> groups_of([["a"], ["b"], ["a", "c"], ["c"]]).tolist()
    [0, 1, 0, 0]
    """
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    holder: dict[str, int] = {}
    for i, found in enumerate(keys):
        for key in found:
            parent[root(i)] = root(holder.setdefault(key, i))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(i), len(numbers)) for i in range(len(keys))], np.intp)


def text_of(well: Mapping[Any, Any], column: str) -> str:
    """Return a label of a well as text; empty where there is none."""
    value = well.get(f"Metadata_{column}", "")
    return "" if value is None or value != value else str(value).strip()
