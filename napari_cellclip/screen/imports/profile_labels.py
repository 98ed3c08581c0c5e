"""Read what the rows of a profile table got: treatments and controls, with a table of annotations joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_cellclip.plates.platemaps.columns import Columns
from napari_cellclip.plates.platemaps.tables import read_table, unpacked
from napari_cellclip.screen.imports.profile_tables import metadata_columns, words_of
from napari_cellclip.screen.storage.labels import COLUMNS as LABELS
from napari_cellclip.screen.storage.labels import label_table
from napari_cellclip.vocabulary import (
    CellClipError,
    Kind,
    Perturbation,
    PlateMapError,
    ScreenError,
    normalise_well,
)
from napari_cellclip.vocabulary.mechanism_lists import listed_mechanisms
from napari_cellclip.vocabulary.user_folders import from_home

JOINED_ON = ("broad_sample", "InChIKey", "broad_id", "InChIKey14", "pert_iname", "JCP2022", "pubchem_cid")
"""Columns, with or without ``Metadata_``, that a table of annotations is joined on; the first they share."""

_SHORTER = {"broad_id": (("broad_id", "broad_sample"), 13), "InChIKey14": (("InChIKey14", "InChIKey"), 14)}
"""Identifiers that begin others: a compound's is the beginning of its batch's or salt's (``BRD-K12345678`` of
``BRD-K12345678-001-01-9``, the skeleton of an InChIKey). Name, columns it is found in, letters."""

_MECHANISMS = ("moa_list", "moa", "mechanism")
_GENES = ("target_list", "target", "gene")
_INCHIKEYS = ("InChIKey", "InChIKey14", "inchikey", "inchi_key", "InChI_key")
_PLACE = frozenset(f"Metadata_{n}" for n in ("Plate", "Well", "Row", "Column", "Site", "known", "sites"))


def annotated(table: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Add what a second table knows of each compound; columns of the first win.

    Raises
    ------
    ScreenError
        If the two share no identifier.
    PlateMapError
        If the second cannot be read.
    """
    more = _annotation_table(from_home(path))
    more.columns = pd.Index([f"Metadata_{str(c).removeprefix('Metadata_')}" for c in more.columns])
    pairs = (
        [
            (words_of(table[key]), words_of(more[key]))
            for key in (f"Metadata_{n}" for n in JOINED_ON)
            if key in table and key in more
        ]
        + [
            (_wells(table), _wells(more))
            for both in [("Metadata_Plate", "Metadata_Well")]
            if set(both) <= {*table} & {*more}
        ]
        + [
            (own, other)
            for columns, letters in _SHORTER.values()
            if (own := _beginning(table, columns, letters)) is not None
            and (other := _beginning(more, columns, letters)) is not None
        ]
    )
    if not pairs:
        raise ScreenError(
            f"{Path(path).name} and the profiles share none of the columns {', '.join(JOINED_ON)}, or Plate"
            " and Well, to be joined on"
        )
    # The first that says anything: identifiers of batches may be none of the table's.
    own, other = next((p for p in pairs if p[0][p[0] != ""].isin(p[1]).any()), pairs[0])
    known = more.assign(_key=other)[(other != "").to_numpy()].drop_duplicates("_key").set_index("_key")
    new = known[[name for name in known if name not in table]]
    joined = new.reindex(own).fillna("").set_axis(table.index)
    return pd.concat([table, joined], axis=1)


def labels_of(rows: pd.DataFrame, *, cell_line: str = "") -> pd.DataFrame:
    """Read what was done to each well of a plate, with every other ``Metadata_`` column kept.

    Parameters
    ----------
    rows : DataFrame
        Of one plate, as :func:`plates_of` gives them.
    cell_line : str
        Where no column says it.

    Returns
    -------
    DataFrame
        By well id. ``Metadata_mechanism`` and ``Metadata_genes`` are taken from ``moa_list`` and
        ``target_list`` where the table has them.

    Raises
    ------
    ScreenError
        If a dose is no number.
    """
    wells = pd.Index([str(site).rsplit("/", 1)[0] for site in rows.index])
    first = rows.set_axis(wells)[~wells.duplicated()]
    words = first[metadata_columns(first)].apply(words_of)
    # An empty column tells nothing, but its name would (a guide's sequence makes a plate a CRISPR plate).
    words = words.loc[:, (words != "").any()]
    columns = Columns.find(list(words.columns))
    table = label_table(words.index, None)
    records = [{str(k): str(v) for k, v in record.items()} for record in words.to_dict("records")]
    decimal = columns.decimal(records)
    for well, record in zip(words.index, records, strict=True):
        try:
            found = columns.perturbation(record, columns.dose_of(record, decimal))
        except CellClipError as error:
            raise ScreenError(f"well {well}: {error}") from error
        _write(table, str(well), found)
    for target, names in (("Metadata_mechanism", _MECHANISMS), ("Metadata_genes", _GENES)):
        for name in (f"Metadata_{n}" for n in names):
            if name in words:
                listed = words[name].map(lambda cell: "|".join(listed_mechanisms(cell)))
                table[target] = table[target].where(table[target] != "", listed)
    _only_control(table, words, columns)
    if key := next((n for n in (f"Metadata_{n}" for n in _INCHIKEYS) if n in words), None):
        words["Metadata_InChIKey"] = words[key]
    table["Metadata_cell_line"] = table["Metadata_cell_line"].where(
        table["Metadata_cell_line"] != "", cell_line
    )
    more = [name for name in words if name not in LABELS and name not in _PLACE]
    return pd.concat([table, words[more]], axis=1)


def controls_of(rows: pd.DataFrame, labels: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark the rows that are negative controls, bool (n,)."""
    wells = [str(site).rsplit("/", 1)[0] for site in rows.index]
    return np.asarray(labels["Metadata_control_type"].reindex(wells) == "negcon", bool)


def _only_control(table: pd.DataFrame, words: pd.DataFrame, columns: Columns) -> None:
    """Mark the wells that a table calls controls of no kind, where it has one such sample and no others."""
    if (table["Metadata_control_type"] == "negcon").any():
        return
    for column in (columns.control, columns.pert_type):
        if column in words:
            called = (words[column].str.lower() == "control").to_numpy()
            if called.any() and table["Metadata_treatment"][called].nunique() == 1:
                table.loc[called, "Metadata_control_type"] = "negcon"
                table.loc[called, "Metadata_kind"] = str(Kind.CONTROL)
                return


def _write(table: pd.DataFrame, well: str, p: Perturbation) -> None:
    table.at[well, "Metadata_treatment"] = p.name
    table.at[well, "Metadata_kind"] = str(p.kind)
    table.at[well, "Metadata_control_type"] = str(p.control) if p.control else ""
    table.at[well, "Metadata_smiles"] = p.smiles
    table.at[well, "Metadata_genes"] = "|".join(p.genes)
    table.at[well, "Metadata_mechanism"] = p.mechanism
    table.at[well, "Metadata_dose"] = np.nan if p.dose is None else p.dose
    table.at[well, "Metadata_cell_line"] = p.cell_line


def _annotation_table(path: Path) -> pd.DataFrame:
    """Read annotations with every cell as text, from a table for people or from Parquet."""
    if path.suffix.lower() != ".parquet":
        return read_table(path)
    try:
        table = pq.read_table(pa.BufferReader(unpacked(path))).to_pandas()
    except (ValueError, pa.ArrowException, OSError) as error:
        raise ScreenError(f"the annotations in {path.name} cannot be read: {error}") from error
    return table.apply(words_of)


def _wells(table: pd.DataFrame) -> pd.Series:
    """Plate and well of each row as one text; empty where a well is none."""
    wells = []
    for plate, text in zip(words_of(table["Metadata_Plate"]), words_of(table["Metadata_Well"]), strict=True):
        try:
            wells.append(f"{plate}/{normalise_well(text)}")
        except PlateMapError:
            wells.append("")
    return pd.Series(wells, index=table.index, dtype=object)


def _beginning(table: pd.DataFrame, columns: Sequence[str], letters: int) -> pd.Series | None:
    """Beginnings of an identifier, from the first of these columns that there is."""
    for name in columns:
        if f"Metadata_{name}" in table:
            return words_of(table[f"Metadata_{name}"]).str[:letters].str.upper()
    return None
