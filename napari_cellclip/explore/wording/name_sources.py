"""Sources of names: this package's table, installed annotation tables, the plate map."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import pandas as pd
from cachetools import LRUCache, cached

from napari_cellclip.explore.wording.name_index import PLATE_MAP, NamedMechanism, NamedTreatment, NameIndex
from napari_cellclip.vocabulary import Control, Kind
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable, installed_annotations
from napari_cellclip.vocabulary.annotations import OWN_TABLE, annotated_mechanisms, known_compounds
from napari_cellclip.vocabulary.user_folders import cache_folder


def annotations_folder() -> Path:
    """Name the folder of installed annotation tables: ``annotations`` in the user's cache folder."""
    return cache_folder() / "annotations"


def installed_tables() -> tuple[AnnotationTable, ...]:
    """List the annotation tables installed on this computer."""
    return installed_annotations(annotations_folder())


@cache
def own_parts() -> tuple[
    tuple[NamedTreatment, ...], tuple[NamedMechanism, ...], tuple[tuple[str, NamedTreatment], ...]
]:
    """Read treatments, mechanisms and synonyms of this package's table."""
    doing = {c.name: found.name for found in annotated_mechanisms() for c in found.compounds}
    treatments = {
        c.name: NamedTreatment(c.name, c.smiles, c.genes, tuple(filter(None, (doing.get(c.name),))))
        for c in known_compounds()
    }
    mechanisms = tuple(
        NamedMechanism(
            found.name,
            (found.name, *found.synonyms),
            tuple(treatments[c.name] for c in found.compounds),
            OWN_TABLE,
            found.knockouts,
            found.targets,
            found.effect,
        )
        for found in annotated_mechanisms()
    )
    synonyms = tuple((name, treatments[c.name]) for c in known_compounds() for name in c.synonyms)
    return tuple(treatments.values()), mechanisms, synonyms


def table_parts(rows: pd.DataFrame, source: str) -> tuple[list[NamedTreatment], list[NamedMechanism]]:
    """Read treatments and mechanisms of an annotation table."""
    treatments = [
        NamedTreatment(str(name), str(smiles), _split(genes), _split(mechanisms), source)
        for name, mechanisms, genes, smiles in zip(
            rows["name"], rows["mechanisms"], rows["genes"], rows["smiles"], strict=True
        )
    ]
    return treatments, _mechanisms_of(treatments, source)


_PLATE_COLUMNS = tuple(
    f"Metadata_{column}" for column in ("treatment", "kind", "smiles", "genes", "mechanism")
)


def plate_parts(wells: pd.DataFrame) -> tuple[list[NamedTreatment], list[NamedMechanism]]:
    """Read the treatments of a plate map (``Screen.wells``) and the mechanisms it names."""
    treated = wells[~wells["Metadata_control_type"].isin([str(Control.NEGATIVE), str(Control.EMPTY)])]
    treated = treated[treated["Metadata_treatment"].astype(str) != ""].drop_duplicates("Metadata_treatment")
    treatments = [
        NamedTreatment(str(name), str(smiles), _split(genes), _split(mechanism), PLATE_MAP, Kind(kind))
        for name, kind, smiles, genes, mechanism in zip(
            *(treated[column].fillna("") for column in _PLATE_COLUMNS), strict=True
        )
    ]
    return treatments, _mechanisms_of(treatments, PLATE_MAP)


def _split(text: object) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in str(text).split("|")) if part)


def _mechanisms_of(treatments: Sequence[NamedTreatment], source: str) -> list[NamedMechanism]:
    doing: dict[str, list[NamedTreatment]] = {}
    for treatment in treatments:
        for mechanism in treatment.mechanisms:
            doing.setdefault(mechanism, []).append(treatment)
    # Who does one thing only stands for it best.
    return [
        NamedMechanism(
            name, (name,), tuple(sorted(found, key=lambda d: (len(d.mechanisms), not d.smiles))), source
        )
        for name, found in doing.items()
    ]


_COLUMNS_READ = (*_PLATE_COLUMNS, "Metadata_control_type")


def _tables_key(tables: Sequence[AnnotationTable], own: bool = True) -> Hashable:
    return own, *((str(t.folder), t.name, t.installed, *sorted(t.files.values())) for t in tables)


@cached(LRUCache(maxsize=4), key=_tables_key, lock=Lock())
def names_of_tables(tables: Sequence[AnnotationTable], own: bool = True) -> NameIndex:
    """Index what annotation tables and, after them, this package's table know; made once for each content.

    Raises
    ------
    CellClipError
        If a table is damaged.
    """
    treatments: list[NamedTreatment] = []
    mechanisms: list[NamedMechanism] = []
    for table in tables:
        more_treatments, more_mechanisms = table_parts(table.rows, table.name)
        treatments += more_treatments
        mechanisms += more_mechanisms
    own_treatments, own_mechanisms, synonyms = own_parts() if own else ((), (), ())
    return NameIndex([*treatments, *own_treatments], [*mechanisms, *own_mechanisms], synonyms)


def _wells_key(wells: pd.DataFrame) -> Hashable:
    return tuple(tuple(wells[column].tolist()) for column in _COLUMNS_READ)


@cached(LRUCache(maxsize=4), key=_wells_key, lock=Lock())
def names_of_platemap(wells: pd.DataFrame) -> NameIndex:
    """Index what a plate map (``Screen.wells``) knows; made once for each content."""
    return NameIndex(*plate_parts(wells))
