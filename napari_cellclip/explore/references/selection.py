"""Find the reference treatments that a text names: by annotation, name, structure, gene, or a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.wording.name_index import NamedMechanism, NameIndex
from napari_cellclip.explore.wording.name_sources import installed_tables, names_of_platemap, names_of_tables
from napari_cellclip.explore.wording.phrases import read_phrase
from napari_cellclip.explore.wording.reader import LONGEST
from napari_cellclip.explore.wording.recognise import Recogniser
from napari_cellclip.explore.wording.wording import Wording
from napari_cellclip.model.prompts import PromptTemplates
from napari_cellclip.vocabulary import CellClipError, Kind
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable
from napari_cellclip.vocabulary.identity import canonical_structure
from napari_cellclip.vocabulary.plain_names import name_key

ANNOTATION = "annotation of the references"
"""How it is called that a reference itself is annotated with what is asked."""


@dataclass(frozen=True, eq=False)
class NamedReferences:
    """Reference treatments that carry what a text asks for.

    Attributes
    ----------
    text : str
        What was asked.
    wording : Wording
        How it was read.
    members : ndarray of bool (G,)
        The references in use.
    reasons : dict of str to str
        Why each one is among them: `ANNOTATION`, the name of a table, ``name``, ``structure`` or ``gene``.
    notes : tuple of str
    """

    text: str
    wording: Wording
    members: NDArray[np.bool_]
    reasons: dict[str, str]
    notes: tuple[str, ...] = ()

    def without(self, names: Sequence[str], look_alikes: LookAlikes) -> NamedReferences:
        """Return the selection with some references ticked off."""
        dropped = look_alikes.members(names)
        kept = {name: why for name, why in self.reasons.items() if name not in set(names)}
        return NamedReferences(self.text, self.wording, self.members & ~dropped, kept, self.notes)


def select(
    look_alikes: LookAlikes,
    text: str,
    *,
    annotations: Sequence[AnnotationTable] | None = None,
) -> NamedReferences:
    """Find the references that carry a mechanism, target, gene, compound or structure.

    The text is read as for prompts (:mod:`napari_cellclip.explore.wording.recognise`). Of a mechanism those
    count that are annotated with it under one of its names, and those that a table lists under it, with the
    reason given. ``BRD4 knockout`` means knockouts, ``BRD4 inhibitor`` compounds on that target and its
    knockouts.

    Parameters
    ----------
    look_alikes : LookAlikes
        Whose references are looked through.
    text : str
        One term of a question.
    annotations : sequence of AnnotationTable, optional
        Tables to read with; the installed ones where nothing is given.

    Returns
    -------
    NamedReferences
        Without members where no reference carries it.
    """
    index = _names(installed_tables() if annotations is None else tuple(annotations))
    own = names_of_platemap(_as_platemap(look_alikes))
    wording = Recogniser(PromptTemplates(), "", index, own).read(" ".join(text.split())[:LONGEST])
    n = len(look_alikes)
    reasons: dict[int, str] = {}
    if wording.kind == "mechanism":
        reasons = _of_mechanism(look_alikes, wording, index)
    elif wording.kind in ("compound", "smiles"):
        reasons = _of_compound(look_alikes, wording, text)
    elif wording.kind in ("knockout", "overexpression", "target"):
        reasons = _of_gene(look_alikes, wording)
    elif wording.kind == "free":
        reasons = _annotated(look_alikes, [text])
    members = np.zeros(n, bool)
    members[list(reasons)] = True
    notes = tuple(note for note in wording.notes if "sent as it is" not in note)
    named = {look_alikes.names[i]: why for i, why in sorted(reasons.items())}
    return NamedReferences(text, wording, members, named, notes)


def _names(tables: Sequence[AnnotationTable]) -> NameIndex:
    try:
        return names_of_tables(tables)
    except CellClipError:  # a damaged table: asking in words says so in its notes
        return names_of_tables(())


def _as_platemap(look_alikes: LookAlikes) -> pd.DataFrame:
    """The references as rows of a plate map, so that the reader knows their names."""
    return pd.DataFrame(
        {
            "Metadata_treatment": list(look_alikes.names),
            "Metadata_kind": list(look_alikes.kinds),
            "Metadata_smiles": list(look_alikes.smiles),
            "Metadata_genes": ["|".join(sorted(genes)) for genes in look_alikes.annotated_genes],
            "Metadata_mechanism": ["|".join(sorted(m)) for m in look_alikes.annotated_mechanisms],
            "Metadata_control_type": "",
        }
    )


def _annotated(look_alikes: LookAlikes, names: Sequence[str]) -> dict[int, str]:
    """References annotated with a mechanism that is called so, or says the same in other words."""
    called = {name.casefold() for name in names if name}
    phrases = {phrase for name in names if name and (phrase := read_phrase(name)).concepts}
    meant = [m for m in look_alikes.mechanisms if m.casefold() in called or read_phrase(m) in phrases]
    return {int(i): ANNOTATION for m in meant for i in np.flatnonzero(look_alikes.mechanisms[m])}


def _of_mechanism(look_alikes: LookAlikes, wording: Wording, index: NameIndex) -> dict[int, str]:
    found = _annotated(look_alikes, (wording.recognised, *wording.names))
    called = {name.casefold() for name in (wording.recognised, *wording.names)}
    for mechanism in index.mechanisms:
        if mechanism.name.casefold() in called:
            for i in _listed(look_alikes, mechanism):
                found.setdefault(i, mechanism.source)
    return found


def _listed(look_alikes: LookAlikes, mechanism: NamedMechanism) -> list[int]:
    names = {name_key(treatment.name) for treatment in mechanism.treatments}
    structures = {canonical_structure(t.smiles) for t in mechanism.treatments if t.smiles}
    knockouts = set(mechanism.knockouts)
    out = []
    for i, (name, kind, smiles) in enumerate(
        zip(look_alikes.names, look_alikes.kinds, look_alikes.smiles, strict=True)
    ):
        if kind == Kind.CRISPR:
            if knockouts & look_alikes.annotated_genes[i]:
                out.append(i)
        elif kind != Kind.ORF and (
            name_key(name) in names or (smiles and canonical_structure(smiles) in structures)
        ):
            out.append(i)
    return out


def _of_compound(look_alikes: LookAlikes, wording: Wording, text: str) -> dict[int, str]:
    names = {name_key(name) for name in (wording.recognised, text) if name} - {""}
    structures = {canonical_structure(text)} if wording.kind == "smiles" else set()
    found = {}
    for i, (name, smiles) in enumerate(zip(look_alikes.names, look_alikes.smiles, strict=True)):
        if name_key(name) in names:
            found[i] = "name"
        elif smiles and canonical_structure(smiles) in structures:
            found[i] = "structure"
    return found


def _of_gene(look_alikes: LookAlikes, wording: Wording) -> dict[int, str]:
    words = wording.recognised.replace(",", " ").split()
    genes = {word.upper() for word in words} | set(words)
    wanted = {
        "knockout": (Kind.CRISPR,),
        "overexpression": (Kind.ORF,),
        "target": (Kind.COMPOUND, Kind.UNKNOWN, *((Kind.CRISPR,) if "inhibitor" in words else ())),
    }[wording.kind]
    return {
        i: "gene"
        for i, (kind, carried) in enumerate(zip(look_alikes.kinds, look_alikes.annotated_genes, strict=True))
        if kind in {str(k) for k in wanted} and carried & genes
    }
