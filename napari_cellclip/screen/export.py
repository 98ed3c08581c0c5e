"""Export a screen: AnnData for scanpy, profiles as pycytominer and copairs read them.

Users call :meth:`Screen.to_anndata` and :meth:`Screen.to_parquet`, which hand over tables: another format
is another function here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.storage.parquet import write_table
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from anndata import AnnData

PREFIX = "CellCLIP_"


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


def write_profiles(path: Path, wells: pd.DataFrame, embeddings: NDArray[np.float32]) -> Path:
    """Write profiles as a Parquet file, whole or not at all, and return its path."""
    write_table(path, pa.Table.from_pandas(profiles(wells, embeddings), preserve_index=False))
    return path


def as_anndata(wells: pd.DataFrame, embeddings: NDArray[np.float32], uns: Mapping[str, Any]) -> AnnData:
    """Build an AnnData of embedded wells: `obs` the wells, `X` the embeddings.

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
        uns={"cellclip": {**uns, "wells_without_embedding": left_out}},
    )


def _names(embeddings: NDArray[np.float32]) -> list[str]:
    width = embeddings.shape[1]
    return [f"{PREFIX}{i:0{len(str(width - 1))}d}" for i in range(width)]
