"""Export a screen: AnnData for scanpy, profiles as pycytominer and copairs read them, tables of wells.

Another format is a function that writes it and one entry of :data:`EXPORTS` at the end of this file:
:meth:`Screen.export` and the window's file dialogs take what they offer from there.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.screen.storage.parquet import write_table
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_cellclip.model import ModelCard
    from napari_cellclip.screen.storage.screen_json import PlateRecord

PREFIX = "CellCLIP_"
MOST_ROWS = 1_048_575
"""Rows of a sheet of Excel below the names of its columns."""
_FORMULA = "=+-@\t\r"
"""Signs that a cell may not begin with: a plate map is written by others, and spreadsheets open exports."""


@dataclass(frozen=True)
class ExportedWells:
    """Wells and columns that a format writes.

    Attributes
    ----------
    wells : DataFrame
        n rows by well id: those of ``Screen.wells``, or a hit list.
    embeddings : ndarray of float32 (n, E)
        NaN where a well has none; of width 0 for a hit list.
    about : mapping
        What else to say of the screen, where a format has a place for it.
    maps : mapping of str to ndarray of float32 (n, 2)
        Places of the wells on maps, by names such as ``X_umap``; NaN where a well has none.
    """

    wells: pd.DataFrame
    embeddings: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    about: Mapping[str, Any] = field(default_factory=dict)
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportFormat:
    """A format of exported files.

    Attributes
    ----------
    title : str
        Shown in file dialogs; suffixes of one title are offered together.
    write : callable
        Takes the path and what to write.
    embeddings : bool
        Whether it holds embeddings, so that it takes a whole screen and no hit list.
    """

    title: str
    write: Callable[[Path, ExportedWells], object]
    embeddings: bool


def about(
    card: ModelCard,
    card_hash: str,
    plates: Mapping[str, PlateRecord],
    failures: pd.DataFrame,
    correction: str,
) -> dict[str, Any]:
    """Say of a screen what an export has a place for: model, plates, failures, and how it was corrected."""
    records = {name: plate.model_dump(mode="json") for name, plate in plates.items()}
    return {
        "model": str(card.name),
        "card": card.model_dump_json(),
        "card_hash": card_hash,
        "plates": json.dumps(records),
        "failures": failures.astype(str),
        "correction": correction,
    }


def profiles(wells: pd.DataFrame, embeddings: NDArray[np.float32]) -> pd.DataFrame:
    """Build ``Metadata_*`` columns and one ``CellCLIP_*`` column per dimension, embedded wells only.

    Parameters
    ----------
    wells : DataFrame
        n rows, as ``Screen.wells``.
    embeddings : ndarray of float32 (n, E)
        NaN where a well has none.
    """
    there = np.isfinite(embeddings).all(axis=1)
    metadata = wells.loc[there].reset_index().rename(columns={"well_id": "Metadata_Well_id"})
    values = pd.DataFrame(embeddings[there], columns=_names(embeddings))
    return pd.concat([metadata, values], axis=1)


def spreadsheet_safe(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run as a formula, such as ``=HYPERLINK(…)``."""

    def safe(cell: object) -> object:
        return f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA and cell else cell

    return table.map(safe).rename(index=safe, columns=safe)


def write_profiles(path: Path, wells: pd.DataFrame, embeddings: NDArray[np.float32]) -> Path:
    """Write profiles as a Parquet file, whole or not at all, and return its path."""
    write_table(path, pa.Table.from_pandas(profiles(wells, embeddings), preserve_index=False))
    return path


def as_anndata(
    wells: pd.DataFrame,
    embeddings: NDArray[np.float32],
    uns: Mapping[str, Any],
    maps: Mapping[str, NDArray[np.float32]] | None = None,
) -> AnnData:
    """Build an AnnData of embedded wells: `obs` the wells, `X` the embeddings.

    ``obsm["X_cellclip"]`` holds the embeddings too, for ``scanpy.pp.neighbors(use_rep="X_cellclip")``.

    Wells without an embedding are left out, since most of scanpy refuses NaN; they are named in
    ``uns["cellclip"]["wells_without_embedding"]``.

    Parameters
    ----------
    wells : DataFrame
        n rows, as ``Screen.wells``.
    embeddings : ndarray of float32 (n, E)
        NaN where a well has none.
    uns : mapping
        What else to say of the screen, under ``uns["cellclip"]``.
    maps : mapping of str to ndarray of float32 (n, 2), optional
        Places on maps, which go to ``obsm``.

    Returns
    -------
    AnnData
        float32 (embedded wells, E).

    Raises
    ------
    ScreenError
        If anndata is not installed.
    """
    try:
        from anndata import AnnData
    except ModuleNotFoundError as error:
        raise ScreenError(
            'AnnData needs anndata: pip install "napari-cellclip[hdf5]", or export a Parquet file'
        ) from error
    there = np.isfinite(embeddings).all(axis=1)
    obs = wells.loc[there].copy()
    obs.index = obs.index.astype(str)
    left_out = np.array(wells.index[~there], dtype=str)
    return AnnData(
        X=embeddings[there].copy(),
        obs=obs,
        var=pd.DataFrame(index=_names(embeddings)),
        obsm={
            "X_cellclip": embeddings[there].copy(),
            **{name: np.asarray(xy, np.float32)[there] for name, xy in (maps or {}).items()},
        },
        uns={"cellclip": {**uns, "wells_without_embedding": left_out}},
    )


def _names(embeddings: NDArray[np.float32]) -> list[str]:
    width = embeddings.shape[1]
    return [f"{PREFIX}{i:0{len(str(width - 1))}d}" for i in range(width)]


def _write_anndata(path: Path, exported: ExportedWells) -> None:
    made = as_anndata(exported.wells, exported.embeddings, exported.about, exported.maps)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        made.write_h5ad(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_parquet(path: Path, exported: ExportedWells) -> None:
    table = pa.Table.from_pandas(profiles(exported.wells, exported.embeddings), preserve_index=False)
    there = np.isfinite(exported.embeddings).all(axis=1)
    for name, xy in exported.maps.items():
        for axis, values in zip("xy", np.asarray(xy, np.float32)[there].T, strict=True):
            table = table.append_column(f"Metadata_{name.removeprefix('X_')}_{axis}", pa.array(values))
    about = {k: v for k, v in exported.about.items() if isinstance(v, (str, int, float, bool))}
    kept = table.schema.metadata or {}
    write_table(path, table.replace_schema_metadata({**kept, b"cellclip": json.dumps(about).encode()}))


def _write_text(separator: str) -> Callable[[Path, ExportedWells], None]:
    def write(path: Path, exported: ExportedWells) -> None:
        write_whole(path, spreadsheet_safe(exported.wells).to_csv(sep=separator).encode())

    return write


def _write_excel(path: Path, exported: ExportedWells) -> None:
    """Write a workbook: the wells, and on a second sheet what else there is to say of them."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(exported.wells) > MOST_ROWS:
        raise ScreenError(
            f"{path.name}: Excel holds {MOST_ROWS:,} wells and these are {len(exported.wells):,}: "
            "choose a name ending in .csv or .parquet."
        )

    def writable(cell: object) -> object:
        return ILLEGAL_CHARACTERS_RE.sub(" ", cell) if isinstance(cell, str) else cell

    about = pd.DataFrame({"": {k: v for k, v in exported.about.items() if isinstance(v, (str, int, float))}})
    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as book:
        for name, table in (("Wells", exported.wells), ("About", about)):
            safe = spreadsheet_safe(table.rename(index=writable, columns=writable).map(writable))
            if len(safe):
                safe.to_excel(book, sheet_name=name, freeze_panes=(1, 1))
    write_whole(path, content.getvalue())


EXPORTS: dict[str, ExportFormat] = {
    ".csv": ExportFormat("Hit list", _write_text(","), embeddings=False),
    ".tsv": ExportFormat("Hit list", _write_text("\t"), embeddings=False),
    ".xlsx": ExportFormat("Excel workbook", _write_excel, embeddings=False),
    ".h5ad": ExportFormat("AnnData", _write_anndata, embeddings=True),
    ".parquet": ExportFormat("Parquet", _write_parquet, embeddings=True),
}
"""The format of each suffix."""


def export_format(path: Path) -> ExportFormat:
    """Return the format that the suffix of a path names.

    Raises
    ------
    ScreenError
        If no format has that suffix.
    """
    found = EXPORTS.get(path.suffix.lower())
    if found is None:
        *others, last = EXPORTS
        raise ScreenError(f"{path.name}: choose a name ending in {', '.join(others)} or {last}.")
    return found


def file_filter() -> str:
    """Return the formats as file dialogs of Qt want them: ``Hit list (*.csv *.tsv);;AnnData (*.h5ad)``."""
    by_title: dict[str, list[str]] = {}
    for suffix, exported in EXPORTS.items():
        by_title.setdefault(exported.title, []).append(f"*{suffix}")
    return ";;".join(f"{title} ({' '.join(patterns)})" for title, patterns in by_title.items())
