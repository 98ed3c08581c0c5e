"""A plate map as columns of a screen, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from napari_cellclip.screen.storage.files import exists
from napari_cellclip.screen.storage.parquet import read_table, write_table
from napari_cellclip.screen.storage.screen_json import ScreenRecord
from napari_cellclip.vocabulary import Control, Kind, Perturbation, ScreenError, split_id

if TYPE_CHECKING:
    from napari_cellclip.plates import PlateMap

FILE = "platemap.parquet"
COLUMNS = (
    "Metadata_treatment",
    "Metadata_kind",
    "Metadata_control_type",
    "Metadata_smiles",
    "Metadata_genes",
    "Metadata_mechanism",
    "Metadata_dose",
    "Metadata_cell_line",
)
"""Columns every screen has; genes are joined by ``|``, the dose is in micromolar."""


def label_table(wells: Iterable[str], platemap: PlateMap | None) -> pd.DataFrame:
    """One row per well id: what the plate map says, empty where it says nothing.

    Further ``Metadata_`` columns of the plate map are kept, as numbers or as text.
    """
    ids = list(wells)
    if platemap is None:
        return unlabelled(ids)
    names = [split_id(well)[1] for well in ids]
    table = table_of(ids, [platemap.get(name) or Perturbation() for name in names])
    if "Metadata_Well" in platemap.table:
        more = platemap.table.drop_duplicates("Metadata_Well").set_index("Metadata_Well").reindex(names)
        for name in more.columns:
            if str(name).startswith("Metadata_") and name not in table and name not in _POSITION:
                column = more[name]
                numbers = is_numeric_dtype(column)
                table[name] = column.to_numpy() if numbers else ["" if pd.isna(v) else str(v) for v in column]
    return table


def unlabelled(wells: Iterable[str]) -> pd.DataFrame:
    """One row per well id in the columns every screen has, of wells that nothing is known of."""
    return pd.DataFrame(dict(_NOTHING), index=pd.Index(list(wells), name="id"))


def labels_of(wells: pd.Index, labels: pd.DataFrame) -> pd.DataFrame:
    """One row per well of `wells`, in their order: its labels, or those of a well nothing is known of."""
    table = labels.reindex(wells)
    lacking = ~wells.isin(labels.index)
    for name in table.columns:
        if not is_numeric_dtype(table[name]):
            table[name] = table[name].fillna("").astype(str)
            if lacking.any():
                table.loc[lacking, name] = _NOTHING.get(name, "")
    return table


def table_of(wells: Iterable[str], perturbations: Iterable[Perturbation]) -> pd.DataFrame:
    """One row per well id in the columns every screen has."""
    rows = [_row(p) for p in perturbations]
    table = pd.DataFrame(rows, index=pd.Index(list(wells), name="id"), columns=list(COLUMNS))
    table["Metadata_dose"] = table["Metadata_dose"].astype(float)
    return table


_POSITION = {
    f"Metadata_{n}" for n in ("Plate", "Well", "Row", "Column", "sites", "failed_sites", "known", "Well_id")
}


def _row(p: Perturbation) -> tuple[Any, ...]:
    control = str(p.control) if p.control is not None else ""
    dose = math.nan if p.dose is None else p.dose
    return p.name, str(p.kind), control, p.smiles, "|".join(p.genes), p.mechanism, dose, p.cell_line


_NOTHING = dict(zip(COLUMNS, _row(Perturbation()), strict=True))


def perturbation(row: Mapping[Any, Any]) -> Perturbation:
    """Return the perturbation a row of the table speaks of."""
    dose = float(row["Metadata_dose"])
    control = row["Metadata_control_type"]
    return Perturbation(
        kind=Kind(row["Metadata_kind"]),
        name=row["Metadata_treatment"],
        smiles=row["Metadata_smiles"],
        genes=tuple(g for g in row["Metadata_genes"].split("|") if g),
        mechanism=row["Metadata_mechanism"],
        dose=None if math.isnan(dose) else dose,
        cell_line=row["Metadata_cell_line"],
        control=Control(control) if control else None,
    )


def read_labels(folder: Path) -> pd.DataFrame:
    """Labels of all plates of a screen, indexed by well id; empty if there are none yet.

    Raises
    ------
    ScreenError
        If the table is damaged: labels cannot be made again, so the message asks for the plate map.
    """
    path = folder / FILE
    if not exists(path):
        return label_table([], None)
    try:
        table = read_table(path)
        if lacking := [name for name in ("id", *COLUMNS) if name not in table.column_names]:
            raise ScreenError(f"it has no column {lacking[0]}")
    except ScreenError as error:
        raise ScreenError(f"{path} is damaged or another table: delete it and {_again(folder)}") from error
    return table.to_pandas().set_index("id")


def _again(folder: Path) -> str:
    """How the labels of a screen come back: of encoded plates by the plate map, of others by their tables."""
    plates = ScreenRecord.read(folder).plates.values()
    tables = [plate.path for plate in plates if not plate.stains]
    ways = [f"import {', '.join(dict.fromkeys(tables))} again into a new folder"] * bool(tables)
    if not tables or any(plate.stains for plate in plates):
        ways.append(
            "give the plate map again (encode the plate again with --platemap; no image is read again)"
        )
    return "; ".join(ways)


def write_labels(folder: Path, labels: pd.DataFrame) -> None:
    """Replace the labels of a screen; in the order of the wells' ids, whichever plate came first."""
    labels = labels.sort_index(kind="stable").reset_index()
    write_table(folder / FILE, pa.Table.from_pandas(labels, preserve_index=False))


def merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Labels of `new`, and those of `old` for wells that are not in `new`."""
    kept = old.loc[~old.index.isin(new.index)]
    table = pd.concat([kept, new]) if len(kept) else new
    text = [name for name in table.columns if not is_numeric_dtype(table[name])]
    return table.assign(**{name: table[name].fillna("").astype(str) for name in text})
