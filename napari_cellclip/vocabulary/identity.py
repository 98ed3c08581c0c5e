"""Identify treatments: which wells show the same one, under whatever names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.vocabulary.perturbations import Control, Kind
from napari_cellclip.vocabulary.plain_names import name_key

_CHARGED = re.compile(r"\[[^]]*[+-]")
"""An atom with a charge in SMILES."""

_COLUMNS = {
    "name": "treatment",
    "kind": "kind",
    "smiles": "smiles",
    "inchikey": "InChIKey",
    "genes": "genes",
}
"""What identifies a treatment, and its column in `Screen.wells`."""

Role = Literal["treatment", "negative control", "nothing"]


def role_of(well: Mapping[Any, Any]) -> Role:
    """Tell what a row of `Screen.wells` is: a treatment, a negative control, or neither."""
    control, kind = text_of(well, "control_type"), text_of(well, "kind")
    if control == Control.EMPTY:
        return "nothing"
    if control == Control.NEGATIVE or (kind == Kind.CONTROL and not control):
        return "negative control"
    return "treatment" if treatment_keys(described_well(well)) else "nothing"


def treatment_keys(
    row: Mapping[Any, Any], unstructured: frozenset[str] = frozenset(), *, knockouts_apart: bool = True
) -> tuple[str, ...]:
    """List all that a treatment is known by; two that share one of them are the same treatment.

    Parameters
    ----------
    row : mapping
        ``name``, ``kind``, ``smiles``, ``inchikey``, ``genes``; what is absent counts as empty.
    unstructured : frozenset of str
        Names of treatments without a structure (`names_without_structure`): these are compared without salts
        and marks of handedness.
    knockouts_apart : bool
        Whether a knockout of a gene and its over-expression are two treatments.

    Returns
    -------
    tuple of str
        Of a compound its name, its structure (`canonical_structure`) and the first block of its InChIKey; of
        a knockout or an over-expression its genes, or its name where there are none. Dose plays no part.
        Empty where nothing says what was done.
    """
    name, kind, smiles, inchikey, genes = (
        _text(row.get(column)) for column in ("name", "kind", "smiles", "inchikey", "genes")
    )
    if kind in (Kind.CRISPR, Kind.ORF):
        what = kind if knockouts_apart else "gene"
        named = [gene.strip().upper() for gene in genes.split("|") if gene.strip()]
        return tuple(f"{what} {gene}" for gene in named) or ((f"{what} {name.upper()}",) if name else ())
    keys = [f"name {' '.join(name.casefold().split())}"] if name else []
    if unstructured and (key := name_key(name)) in unstructured:
        keys.append(f"name without salt {key}")
    if smiles:
        keys.append(f"structure {canonical_structure(smiles)}")
    if len(block := inchikey.split("-", 1)[0]) == 14:
        keys.append(f"InChIKey {block.upper()}")
    return tuple(keys)


def names_without_structure(rows: Iterable[Mapping[Any, Any]]) -> frozenset[str]:
    """List, without salts and handedness, the names of treatments that have neither SMILES nor InChIKey."""
    bare = (
        name_key(_text(r.get("name")))
        for r in rows
        if not (_text(r.get("smiles")) or _text(r.get("inchikey")))
    )
    return frozenset(bare) - {""}


def described_well(well: Mapping[Any, Any]) -> dict[str, str]:
    """Return what a row of `Screen.wells` says of its treatment, as `treatment_keys` reads it."""
    return {column: text_of(well, of) for column, of in _COLUMNS.items()}


def well_keys(wells: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """List by well id what the treatment of each well is known by, within one table.

    A knockout of a gene and its over-expression count as the same, so that a split never parts them. Wells
    that show no treatment (see `role_of`) have no keys.
    """
    rows = dict(zip(map(str, wells.index), wells.to_dict("records"), strict=True))
    treated = {well: described_well(row) for well, row in rows.items() if role_of(row) == "treatment"}
    bare = names_without_structure(treated.values())
    return {
        well: treatment_keys(treated[well], bare, knockouts_apart=False) if well in treated else ()
        for well in rows
    }


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
    return _text(well.get(f"Metadata_{column}"))


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value).strip()
