"""Tables of profiles as CellProfiler and pycytominer write them: read, and parted into plates."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from napari_cellclip.plates.platemaps.columns import Columns, is_blank
from napari_cellclip.plates.platemaps.tables import read_table, unpacked
from napari_cellclip.screen.imports.embedding_tables import read_site_embeddings, with_embedding_columns
from napari_cellclip.screen.imports.stain_groups import COMPARTMENTS, is_feature
from napari_cellclip.screen.imports.standardise import MOST_MISSING
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

JOINED_ON = ("broad_sample", "InChIKey", "broad_id", "InChIKey14", "pert_iname", "JCP2022", "pubchem_cid")
"""Columns, with or without ``Metadata_``, that a table of annotations is joined on; the first they share."""

_SHORTER = {"broad_id": (("broad_id", "broad_sample"), 13), "InChIKey14": (("InChIKey14", "InChIKey"), 14)}
"""Identifiers that begin others: a compound's is the beginning of its batch's or salt's (``BRD-K12345678`` of
``BRD-K12345678-001-01-9``, the skeleton of an InChIKey). Name, columns it is found in, letters."""

_MECHANISMS = ("moa_list", "moa", "mechanism")
_GENES = ("target_list", "target", "gene")
_METADATA = re.compile(r"^(Image_)?Metadata_", re.IGNORECASE)
_INCHIKEYS = ("InChIKey", "InChIKey14", "inchikey", "inchi_key", "InChI_key")
_PLACE = frozenset(f"Metadata_{n}" for n in ("Plate", "Well", "Row", "Column", "Site", "known", "sites"))


def read_profiles(path: str | Path) -> pd.DataFrame:
    """Read a table of profiles.

    Parameters
    ----------
    path : path
        ``.csv``, ``.csv.gz``, ``.tsv`` or Parquet, a row for each well or field, of CellProfiler features or
        an embedding; or a folder of JUMP-Lite's embeddings
        (:mod:`~napari_cellclip.screen.imports.embedding_tables`).

    Raises
    ------
    ScreenError
        If it cannot be read, is empty, or holds neither CellProfiler features nor an embedding.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        return read_site_embeddings(file)
    try:
        content = unpacked(file)
    except (OSError, EOFError, PlateMapError) as error:
        raise ScreenError(f"the profiles in {file.name} cannot be read: {error}") from error
    try:
        if content[:4] == b"PAR1":
            table = pq.read_table(pa.BufferReader(content)).to_pandas()
        else:
            separator = "\t" if b"\t" in content.split(b"\n", 1)[0] else ","
            table = pd.read_csv(io.BytesIO(content), sep=separator, low_memory=False)
    except (ValueError, pa.ArrowInvalid, OSError) as error:
        raise ScreenError(f"{file.name} is no table of profiles: {error}") from error
    table.columns = pd.Index([_METADATA.sub("Metadata_", str(name).strip()) for name in table.columns])
    if table.empty:
        raise ScreenError(f"{file.name} has a heading but no rows: export the profiles again")
    if not any(map(is_feature, table.columns)):
        table = with_embedding_columns(table)
    found = [name for name in table.columns if is_feature(name)]
    if not found:
        some = ", ".join(table.columns[:5])
        raise ScreenError(
            f"{file.name} has no CellProfiler features, which begin with Cells_, Cytoplasm_ or Nuclei_, and"
            f" no embedding, which is a column of lists or columns numbered from 0 or 1 on; it has {some}"
        )
    if words := [name for name in found if not is_numeric_dtype(table[name])]:
        raise ScreenError(
            f"{file.name}: {words[0]} holds something other than numbers: export the profiles again"
        )
    return table


def features_of(tables: Sequence[tuple[str, pd.DataFrame]], *, shared: bool = False) -> tuple[str, ...]:
    """Features that all tables have, in the order of the first.

    Parameters
    ----------
    tables : sequence of (str, DataFrame)
        File names and tables.
    shared : bool
        Take what they share; else all must have the same.

    Raises
    ------
    ScreenError
        If they differ, with what is missing where.
    """
    first_name, first = tables[0]
    names = [name for name in first.columns if is_feature(name)]
    for other_name, table in tables[1:]:
        others = {name for name in table.columns if is_feature(name)}
        lacking, more = [n for n in names if n not in others], sorted(others - set(names))
        if (lacking or more) and not shared:
            missing, incomplete = (lacking, other_name) if lacking else (more, first_name)
            raise ScreenError(
                f"{other_name} has {len(others)} features and {first_name} {len(names)}: {incomplete} lacks"
                f" {len(missing)} ({missing[0]}, …); import one feature set at a time, or only what they"
                " share (shared=True, on the command line --shared)"
            )
        names = [name for name in names if name in others]
    if not names:
        raise ScreenError("these tables share no feature: import them one by one")
    return tuple(names)


def plates_of(name: str, table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each plate of a table, indexed by site id; a table that names no plate is one of its own.

    Raises
    ------
    ScreenError
        If no column says the wells, a well does not exist, or a plate has a name that no folder can have.
    """
    columns = Columns.find(_metadata(table))
    if columns.well is None and columns.plate is None and columns.names:
        raise ScreenError(
            f"{name} has a row for each treatment and names no wells (a consensus, level 5), which"
            " are compared by their difference to the negative controls of a plate: import the profiles of"
            " wells (level 3, 4a or 4b, with a column Metadata_Well)"
        )
    if columns.well is None:
        raise ScreenError(
            f"{name} does not say the wells: a column Metadata_Well (B03) is needed; its Metadata columns are"
            f" {', '.join(_metadata(table)[:6]) or 'none'}"
        )
    plates = _words(table[columns.plate]) if columns.plate else pd.Series("", index=table.index)
    stem = re.sub(r"(\.(csv|tsv|parquet|txt|gz))+$", "", name)
    for plate, rows in table.groupby(plates.where(plates != "", stem).to_numpy(), sort=False):
        plate = str(plate)
        if "/" in plate or plate in {".", ".."}:
            raise ScreenError(f"{name}: {plate!r} cannot be the name of a plate: write it without a slash")
        try:
            wells = [normalise_well(text) for text in _words(rows[columns.well])]
        except PlateMapError as error:
            raise ScreenError(f"{name}, plate {plate}: {error}") from error
        again = pd.Series(wells).groupby(wells).cumcount() + 1
        yield plate, rows.set_index(pd.Index([f"{plate}/{w}/{n}" for w, n in zip(wells, again, strict=True)]))


def annotated(table: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Add what a second table knows of each compound; columns of the first win.

    Raises
    ------
    ScreenError
        If the two share no identifier.
    PlateMapError
        If the second cannot be read.
    """
    more = _annotation_table(Path(path).expanduser())
    more.columns = pd.Index([f"Metadata_{str(c).removeprefix('Metadata_')}" for c in more.columns])
    pairs = (
        [
            (_words(table[key]), _words(more[key]))
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
    words = first[_metadata(first)].apply(_words)
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


def gaps_of(table: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    """Features that are missing or infinite in too many wells of a plate to be used, in the order given.

    Parameters
    ----------
    table : DataFrame
        Profiles of one plate.
    names : sequence of str
        Features of it.
    """
    missing = ~np.isfinite(table[list(names)].to_numpy(np.float64))
    there = ~missing.all(axis=1)
    bad = missing[there].mean(axis=0) > MOST_MISSING if there.any() else np.zeros(len(names), bool)
    return tuple(name for name, yes in zip(names, bad, strict=True) if yes)


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


def _metadata(table: pd.DataFrame) -> list[str]:
    """Columns that describe the rows: all but measurements."""
    return [
        name
        for name in table.columns
        if not is_feature(name)
        and name.split("_", 1)[0] not in COMPARTMENTS
        and not name.startswith("Unnamed")
    ]


def _annotation_table(path: Path) -> pd.DataFrame:
    """Read annotations with every cell as text, from a table for people or from Parquet."""
    if path.suffix.lower() != ".parquet":
        return read_table(path)
    try:
        table = pq.read_table(pa.BufferReader(unpacked(path))).to_pandas()
    except (ValueError, pa.ArrowException, OSError) as error:
        raise ScreenError(f"the annotations in {path.name} cannot be read: {error}") from error
    return table.apply(_words)


def _wells(table: pd.DataFrame) -> pd.Series:
    """Plate and well of each row as one text; empty where a well is none."""
    wells = []
    for plate, text in zip(_words(table["Metadata_Plate"]), _words(table["Metadata_Well"]), strict=True):
        try:
            wells.append(f"{plate}/{normalise_well(text)}")
        except PlateMapError:
            wells.append("")
    return pd.Series(wells, index=table.index, dtype=object)


def _beginning(table: pd.DataFrame, columns: Sequence[str], letters: int) -> pd.Series | None:
    """Beginnings of an identifier, from the first of these columns that there is."""
    for name in columns:
        if f"Metadata_{name}" in table:
            return _words(table[f"Metadata_{name}"]).str[:letters].str.upper()
    return None


def _words(column: pd.Series) -> pd.Series:
    """A column as text, empty where a cell is empty; whole numbers without decimals."""
    if is_numeric_dtype(column):
        text = ["" if pd.isna(v) else f"{v:.15g}" for v in column]
    else:
        text = ["" if pd.isna(v) or is_blank(str(v)) else str(v).strip() for v in column]
    return pd.Series(text, index=column.index, dtype=object)
