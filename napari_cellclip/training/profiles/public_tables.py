"""Read the public tables that the bundled profile model is fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.screen.imports.profile_tables import read_profiles
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.annotations import annotated_mechanisms

CPJUMP1 = {
    48: tuple(f"BR001170{n}" for n in (10, 11, 12, 13)),
    24: tuple(f"BR001170{n}" for n in (24, 25, 26)),
}
"""Compound plates of U2OS cells by hours of treatment."""

ANNOTATIONS = "JUMP-Target-1_compound_metadata_additional_annotations.tsv"

CLASSES = {
    "Cytoskeletal": "cytoskeleton disruptor",
    "Ferroptosis": "ferroptosis inducer",
    "Genotoxin": "genotoxic agent",
    "HDAC": "HDAC inhibitor",
    "Hsp90": "HSP90 inhibitor",
    "Kinase": "kinase inhibitor",
    "Mitochondria": "mitochondrial toxin",
    "Proteasome": "proteasome inhibitor",
    "Redox": "redox-active compound",
    "Saponin": "saponin",
    "Tannin": "tannin",
    "mTOR": "mTOR inhibitor",
}
"""Injury classes of Dahlin et al. 2023, in words that one would ask with."""

_COLUMNS = {
    "Plate": "Metadata_Plate",
    "Well": "Metadata_Well",
    "Compound Name": "Metadata_treatment",
    "Compound SMILES": "Metadata_smiles",
    "Compound InChIKey": "Metadata_InChIKey",
    "Compound Concentration (microMolar)": "Metadata_doseum",
    "Characteristics [Cell Line]": "Metadata_cell_line",
    "Control Type": "Metadata_control_type",
}
_HOURS = "Experimental Condition [Treatment time (h)]"


def cpjump1_screen(tables: Path, hours: int, out: Path) -> Screen:
    """Import the plates of CPJUMP1 (cpg0000, CC0; Chandrasekaran et al. 2024) of one time point."""
    files = [tables / f"{plate}_normalized_feature_select_negcon_batch.csv.gz" for plate in CPJUMP1[hours]]
    _require([*files, tables / ANNOTATIONS])
    return import_profiles(files, out, annotations=tables / ANNOTATIONS, cell_line="U2OS", model="")


def dahlin_screen(tables: Path, hours: int, out: Path) -> Screen:
    """Import the plates of Dahlin et al. 2023 (idr0133, CC BY 4.0) of one time point.

    A compound's mechanisms are those that this package's own table has for its name, and its injury class.
    """
    files = [tables / f"dahlin2023_{part}_holdout.csv.gz" for part in ("plate", "treatment", "well")]
    _require(files)
    table = pd.concat([read_profiles(file) for file in files], ignore_index=True)
    table = table[table[_HOURS] == hours].rename(columns=_COLUMNS)
    known = mechanisms_by_compound()
    table["Metadata_mechanism"] = [
        "|".join(
            dict.fromkeys((*known.get(str(name).lower(), ()), *filter(None, [CLASSES.get(str(kind), "")])))
        )
        for name, kind in zip(table["Metadata_treatment"], table["injury_type"], strict=True)
    ]
    negative = table["Metadata_control_type"] == "Negative"
    table["Metadata_control_type"] = np.where(negative, "negcon", "")
    out.parent.mkdir(parents=True, exist_ok=True)
    joined = out.with_suffix(".parquet")
    table.to_parquet(joined, index=False)
    return import_profiles(joined, out, cell_line="U2OS", model="")


def mechanisms_by_compound() -> dict[str, list[str]]:
    """Mechanisms of this package's own table by every name of a compound, in lower case."""
    found: dict[str, list[str]] = {}
    for mechanism in annotated_mechanisms():
        for compound in mechanism.compounds:
            for name in (compound.name, *compound.synonyms):
                found.setdefault(name.lower(), []).append(mechanism.name)
    return found


def _require(files: list[Path]) -> None:
    if missing := [file for file in files if not file.is_file()]:
        raise CellClipError(
            f"{missing[0]} is missing: 'napari-cellclip references install' says where the public tables are"
        )
