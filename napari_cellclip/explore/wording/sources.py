"""Where recognised words come from: this package's table, installed annotation tables, the plate map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from napari_cellclip.explore.wording.library import PLATE_MAP, Drug, Entry, Library
from napari_cellclip.vocabulary import Control, Kind
from napari_cellclip.vocabulary.annotation_tables import AnnotationTable, installed_annotations
from napari_cellclip.vocabulary.annotations import OWN_TABLE, known_compounds, references
from napari_cellclip.vocabulary.user_folders import cache_folder


def annotations_folder() -> Path:
    """Where annotation tables are installed: ``annotations`` in the user's cache folder."""
    return cache_folder() / "annotations"


def installed() -> tuple[AnnotationTable, ...]:
    """Annotation tables installed on this computer."""
    return installed_annotations(annotations_folder())


@cache
def own_parts() -> tuple[tuple[Drug, ...], tuple[Entry, ...], tuple[tuple[str, Drug], ...]]:
    """Drugs, mechanisms and synonyms of this package's table."""
    doing = {c.name: found.name for found in references() for c in found.compounds}
    drugs = {
        c.name: Drug(c.name, c.smiles, c.genes, tuple(filter(None, (doing.get(c.name),))))
        for c in known_compounds()
    }
    entries = tuple(
        Entry(
            found.name,
            (found.name, *found.phrases),
            tuple(drugs[c.name] for c in found.compounds),
            OWN_TABLE,
            found.knockouts,
            found.targets,
            found.effect,
        )
        for found in references()
    )
    synonyms = tuple((name, drugs[c.name]) for c in known_compounds() for name in c.synonyms)
    return tuple(drugs.values()), entries, synonyms


def table_parts(rows: pd.DataFrame, source: str) -> tuple[list[Drug], list[Entry]]:
    """Drugs and mechanisms of an annotation table."""
    drugs = [
        Drug(str(name), str(smiles), _split(genes), _split(mechanisms), source)
        for name, mechanisms, genes, smiles in zip(
            rows["name"], rows["mechanisms"], rows["genes"], rows["smiles"], strict=True
        )
    ]
    return drugs, _entries(drugs, source)


_PLATE_COLUMNS = tuple(
    f"Metadata_{column}" for column in ("treatment", "kind", "smiles", "genes", "mechanism")
)


def plate_parts(wells: pd.DataFrame) -> tuple[list[Drug], list[Entry]]:
    """Treatments of a plate map (``Screen.wells``) and the mechanisms it names."""
    treated = wells[~wells["Metadata_control_type"].isin([str(Control.NEGATIVE), str(Control.EMPTY)])]
    treated = treated[treated["Metadata_treatment"].astype(str) != ""].drop_duplicates("Metadata_treatment")
    drugs = [
        Drug(str(name), str(smiles), _split(genes), _split(mechanism), PLATE_MAP, Kind(kind))
        for name, kind, smiles, genes, mechanism in zip(
            *(treated[column].fillna("") for column in _PLATE_COLUMNS), strict=True
        )
    ]
    return drugs, _entries(drugs, PLATE_MAP)


def _split(text: object) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in str(text).split("|")) if part)


def _entries(drugs: Sequence[Drug], source: str) -> list[Entry]:
    doing: dict[str, list[Drug]] = {}
    for drug in drugs:
        for mechanism in drug.mechanisms:
            doing.setdefault(mechanism, []).append(drug)
    # Who does one thing only stands for it best.
    return [
        Entry(name, (name,), tuple(sorted(found, key=lambda d: (len(d.mechanisms), not d.smiles))), source)
        for name, found in doing.items()
    ]


_MADE: dict[tuple[object, ...], Library] = {}
_MOST = 6


def _kept(key: tuple[object, ...], make: Callable[[], Library]) -> Library:
    """A library made once for the same content; questions come many times."""
    if key not in _MADE:
        made = make()
        while len(_MADE) >= _MOST:
            _MADE.pop(next(iter(_MADE)))
        _MADE[key] = made
    return _MADE[key]


def library(tables: Sequence[AnnotationTable], own: bool = True) -> Library:
    """What annotation tables and, after them, this package's table know.

    Raises
    ------
    CellClipError
        If a table is damaged.
    """

    def make() -> Library:
        drugs: list[Drug] = []
        entries: list[Entry] = []
        for table in tables:
            more_drugs, more_entries = table_parts(table.rows, table.name)
            drugs += more_drugs
            entries += more_entries
        own_drugs, own_entries, synonyms = own_parts() if own else ((), (), ())
        return Library([*drugs, *own_drugs], [*entries, *own_entries], synonyms)

    return _kept(
        (own, *((str(t.folder), t.name, t.installed, *sorted(t.files.values())) for t in tables)), make
    )


def plate_library(wells: pd.DataFrame) -> Library:
    """What a plate map (``Screen.wells``) knows."""
    content = (tuple(wells[column].tolist()) for column in (*_PLATE_COLUMNS, "Metadata_control_type"))
    return _kept((PLATE_MAP, *content), lambda: Library(*plate_parts(wells)))
