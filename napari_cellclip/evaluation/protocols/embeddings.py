"""Read embeddings to evaluate: from screens, or from any table, with the same column names afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from napari_cellclip.evaluation.protocols.embedding_files import (
    CONTROL,
    PERTURBATION,
    PREFIX,
    TREATMENT,
    perturbation_name,
    read_file,
)
from napari_cellclip.plates.platemaps.columns import is_blank
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage.labels import perturbation
from napari_cellclip.vocabulary import CellClipError, Control, Kind, Perturbation
from napari_cellclip.vocabulary.user_folders import from_home


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Embeddings with what is known of each.

    Attributes
    ----------
    name : str
        Where they come from.
    wells : DataFrame
        n rows, indexed by well id or row: ``Metadata_Plate``, ``Metadata_treatment``, ``Metadata_kind``,
        ``Metadata_control_type``, ``Metadata_smiles``, ``Metadata_genes`` (joined by ``|``),
        ``Metadata_mechanism``, ``Metadata_dose``, ``Metadata_cell_line``, :data:`PERTURBATION`, and every
        other ``Metadata_`` column of the source.
    vectors : ndarray of float64 (n, E)
        All finite.
    screens : tuple of Screen
        The screens they come from; empty for a table.
    """

    name: str
    wells: pd.DataFrame
    vectors: NDArray[np.float64]
    screens: tuple[Screen, ...] = ()

    def __len__(self) -> int:
        return len(self.wells)

    @property
    def model(self) -> dict[str, str] | None:
        """Name and card hash of the model that made them; ``None`` for a table, which does not say."""
        if not self.screens:
            return None
        return {"name": self.screens[0].card.name, "card": self.screens[0].card_hash}

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Mask of the rows that are negative controls, bool (n,)."""
        return (self.wells[CONTROL] == Control.NEGATIVE.value).to_numpy()

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Mask of the rows that are no negative control, not empty, and say what was done, bool (n,)."""
        idle = self.wells[CONTROL].isin([Control.NEGATIVE.value, Control.EMPTY.value])
        return (~idle & (self.wells[PERTURBATION] != "")).to_numpy()

    def take(self, rows: NDArray[Any] | pd.Series[bool]) -> EmbeddingTable:
        """Take some of the rows as a table."""
        kept = np.asarray(rows)
        return replace(
            self,
            wells=self.wells.loc[kept] if kept.dtype == bool else self.wells.iloc[kept],
            vectors=self.vectors[kept],
        )

    def column(self, name: str) -> pd.Series[str]:
        """Read a column as text, empty where the source says nothing.

        Raises
        ------
        CellClipError
            If there is none of that name, with those there are.
        """
        for candidate in (name, PREFIX + name):
            if candidate in self.wells:
                values = self.wells[candidate]
                return values.map(lambda v: "" if is_blank(str(v)) else str(v))
        known = ", ".join(str(c) for c in self.wells.columns)
        raise CellClipError(f"{self.name} has no column {name!r}: it has {known}")

    def with_controls(self, rule: str) -> EmbeddingTable:
        """Take the wells that a rule ``COLUMN=VALUE`` names as the negative controls, and no others.

        Raises
        ------
        CellClipError
            If the rule reads otherwise, or fits no row.
        """
        column, equals, value = rule.partition("=")
        if not equals:
            raise CellClipError(f"{rule!r} does not say which wells are controls: write COLUMN=VALUE")
        found = (self.column(column.strip()) == value.strip()).to_numpy()
        if not found.any():
            raise CellClipError(f"no row of {self.name} has {column.strip()} = {value.strip()!r}")
        before = self.wells[CONTROL].where(self.wells[CONTROL] != Control.NEGATIVE.value, "")
        return replace(
            self, wells=self.wells.assign(**{CONTROL: before.where(~found, Control.NEGATIVE.value)})
        )


def read_embeddings(
    sources: str | Path | Screen | Sequence[str | Path | Screen], metadata: str | Path | None = None
) -> EmbeddingTable:
    """Read embeddings from screens or from one table.

    Parameters
    ----------
    sources : path or Screen, or several
        Screen folders (all of one model), or one file: Parquet or CSV, in which ``Metadata_`` columns and
        columns of text describe a row and all other columns are its embedding; or HDF5 with ``embeddings``
        (n, E) and ``well_id`` or ``names``, as published feature files have them.
    metadata : path, optional
        A CSV or Parquet that says more of the rows, joined on the first column they share.

    Returns
    -------
    EmbeddingTable
        Rows whose embedding is not finite are left out.

    Raises
    ------
    CellClipError
        If a source cannot be read, models differ, or nothing remains.
    """
    given: Sequence[str | Path | Screen] = (
        [sources] if isinstance(sources, str | Path | Screen) else list(sources)
    )
    opened = [_opened(source) for source in given]
    screens = [source for source in opened if isinstance(source, Screen)]
    files = [source for source in opened if not isinstance(source, Screen)]
    if screens and not files and metadata is None:
        table = _of_screens(screens)
    elif len(files) == 1 and not screens:
        described = read_file(files[0], None if metadata is None else from_home(metadata))
        table = EmbeddingTable(files[0].name, *described)
    else:
        raise CellClipError(
            "give either screens, all of one model and without further metadata, or one file of embeddings"
        )
    finite = np.isfinite(table.vectors).all(axis=1)
    if not finite.any():
        raise CellClipError(f"{table.name} holds no embedding: encode its wells first")
    return table.take(finite)


def _opened(source: str | Path | Screen) -> Path | Screen:
    if isinstance(source, Screen):
        return source
    path = from_home(source)
    if not path.exists():
        raise CellClipError(f"{path} does not exist: name a screen folder or a file of embeddings")
    return Screen.open(path) if path.is_dir() else path


def _of_screens(screens: Sequence[Screen]) -> EmbeddingTable:
    if len({screen.card_hash for screen in screens}) > 1:
        models = ", ".join(f"{s.name}: {s.card.name} ({s.card_hash})" for s in screens)
        raise CellClipError(f"the screens were embedded by different models and cannot be pooled ({models})")
    wells = pd.concat([screen.wells for screen in screens])
    if wells.index.has_duplicates:
        twice = wells.index[wells.index.duplicated()][0]
        raise CellClipError(f"well {twice} is in two of the screens: give each plate once")
    names = [perturbation_name(screen.perturbation(w)) for screen in screens for w in screen.well_ids]
    vectors = np.concatenate([screen.embeddings for screen in screens]).astype(np.float64)
    text = [c for c in wells if not is_numeric_dtype(wells[c])]
    wells = wells.assign(**{c: wells[c].fillna("") for c in text}, **{PERTURBATION: names})
    return EmbeddingTable(", ".join(s.name for s in screens), wells, vectors, tuple(screens))


def treatments_of(wells: pd.DataFrame) -> list[Perturbation]:
    """Read the perturbation that each row speaks of."""
    return [perturbation(row) for row in wells.to_dict("records")]


def compounds_of(wells: pd.DataFrame) -> pd.Series[str]:
    """Compound or gene of each row, whatever its dose: what a bootstrap draws."""
    names = wells[TREATMENT].where(wells[TREATMENT] != "", wells["Metadata_smiles"])
    return names.where(names != "", wells["Metadata_genes"]).astype(str)


def kinds_present(wells: pd.DataFrame) -> tuple[str, ...]:
    """Modalities among the rows, in the order of :class:`~napari_cellclip.vocabulary.Kind`."""
    there: Iterable[str] = set(wells["Metadata_kind"])
    return tuple(kind.value for kind in Kind if kind.value in there)
