"""Decide which reference treatments and treatments of a screen are the same, under any name or salt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_cellclip.explore.references.reference_set import SEPARATOR
from napari_cellclip.explore.wording.name_index import name_key
from napari_cellclip.vocabulary import Kind
from napari_cellclip.vocabulary.identity import canonical_structure


def treatment_keys(row: Mapping[str, object], unstructured: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """List what a reference row is known by: its name, structure, first block of the InChIKey, or gene.

    Two rows that share one of them are the same treatment, under whatever name or salt. Where one of them has
    no structure, names are compared without salts and marks of handedness.

    Parameters
    ----------
    row : mapping
        ``name``, ``kind``, ``smiles``, ``inchikey``, ``genes``.
    unstructured : frozenset of str
        Names of treatments without a structure (:func:`names_without_structure`).
    """
    name = str(row.get("name") or "")
    kind = str(row.get("kind") or Kind.COMPOUND)
    if kind in (Kind.CRISPR, Kind.ORF):
        genes = [gene.strip().upper() for gene in str(row.get("genes") or "").split(SEPARATOR)]
        found = tuple(f"{kind} {gene}" for gene in genes if gene)
        return found or ((f"{kind} {name.upper()}",) if name else ())
    smiles, inchikey = str(row.get("smiles") or ""), str(row.get("inchikey") or "")
    keys = [f"name {' '.join(name.casefold().split())}"] if name.strip() else []
    if (key := name_key(name)) in unstructured:
        keys.append(f"bare name {key}")
    if smiles:
        keys.append(f"structure {canonical_structure(smiles)}")
    if len(inchikey.split("-", 1)[0]) == 14:
        keys.append(f"inchikey {inchikey.split('-', 1)[0].upper()}")
    return tuple(keys)


def names_without_structure(rows: Sequence[Mapping[str, object]]) -> frozenset[str]:
    """List the bare names of treatments that have neither SMILES nor InChIKey."""
    return frozenset(
        name_key(str(row["name"])) for row in rows if not (row.get("smiles") or row.get("inchikey"))
    ) - {""}
