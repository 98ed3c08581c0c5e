"""Handing a screen over: AnnData for scanpy, profiles as pycytominer and copairs read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from napari_cellclip.screen.storage.parquet import write_table

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_cellclip.screen.screen import Screen

PREFIX = "CellCLIP_"


def profiles(screen: Screen) -> pd.DataFrame:
    """``Metadata_*`` columns and one ``CellCLIP_*`` column per dimension, wells with an embedding only."""
    there = np.isfinite(screen.embeddings).all(axis=1)
    metadata = screen.wells.loc[there].reset_index().rename(columns={"well_id": "Metadata_Well_id"})
    width = screen.embeddings.shape[1]
    names = [f"{PREFIX}{i:0{len(str(width - 1))}d}" for i in range(width)]
    return pd.concat([metadata, pd.DataFrame(screen.embeddings[there], columns=names)], axis=1)


def to_parquet(screen: Screen, path: Path) -> Path:
    """Write one row per embedded well with ``Metadata_*`` and ``CellCLIP_*`` columns, as pycytominer has
    them.

    Parameters
    ----------
    screen : Screen
        What to write.
    path : Path
        File to write, whole or not at all.

    Returns
    -------
    Path
        The file.
    """
    write_table(path, pa.Table.from_pandas(profiles(screen), preserve_index=False))
    return path


def to_anndata(screen: Screen) -> AnnData:
    """Hand over embedded wells: `obs` the wells, `X` the embeddings, `uns` model card and failures.

    Wells without an embedding are left out, since most of scanpy refuses NaN; they are named in
    ``uns["cellclip"]["wells_without_embedding"]``.

    Parameters
    ----------
    screen : Screen
        What to hand over.

    Returns
    -------
    AnnData
        float32 (wells, E).
    """
    from anndata import AnnData

    there = np.isfinite(screen.embeddings).all(axis=1)
    obs = screen.wells.loc[there].copy()
    obs.index = obs.index.astype(str)
    width = screen.embeddings.shape[1]
    var = pd.DataFrame(index=[f"{PREFIX}{i:0{len(str(width - 1))}d}" for i in range(width)])
    uns = {
        "cellclip": {
            "model": str(screen.card.name),
            "card": screen.card.model_dump_json(),
            "card_hash": screen.card_hash,
            "plates": json.dumps({n: p.model_dump(mode="json") for n, p in screen.plates.items()}),
            "wells_without_embedding": np.array(screen.wells.index[~there], dtype=str),
            "failures": screen.failures.astype(str),
        }
    }
    return AnnData(X=screen.embeddings[there].copy(), obs=obs, var=var, uns=uns)
