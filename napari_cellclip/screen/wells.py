"""From sites to wells: the cheap stage, made from stored features without a pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.files import folder_name
from napari_cellclip.screen.storage.parquet import column_to_rows, read_table, rows_to_column, write_table
from napari_cellclip.screen.storage.plan import read_plan
from napari_cellclip.screen.storage.shards import Shards

if TYPE_CHECKING:
    from napari_cellclip.model import Model

WELLS_AT_ONCE = 64


@dataclass(frozen=True)
class WellEmbeddings:
    """Embeddings of a plate's wells.

    Attributes
    ----------
    ids : tuple of str
        Wells with at least one encoded site.
    sites : tuple of tuple of str
        The sites each embedding was made from.
    vectors : ndarray of float32 (n, E)
        Not normalised.
    """

    ids: tuple[str, ...]
    sites: tuple[tuple[str, ...], ...]
    vectors: NDArray[np.float32]


def wells_path(folder: Path, card_hash: str, plate: str) -> Path:
    """File with a plate's well embeddings by one model card."""
    return folder / "wells" / card_hash / f"{folder_name(plate)}.parquet"


def read_wells(path: Path, dim: int) -> WellEmbeddings:
    """Read well embeddings; empty where none were made yet."""
    if not path.exists():
        return WellEmbeddings((), (), np.zeros((0, dim), np.float32))
    table = read_table(path)
    return WellEmbeddings(
        tuple(table["Metadata_Well_id"].to_pylist()),
        tuple(tuple(sites) for sites in table["Metadata_Site_ids"].to_pylist()),
        column_to_rows(table["embedding"]).astype(np.float32),
    )


def iter_embed_wells(folder: Path, plate: str, model: Model) -> Iterator[Progress]:
    """Embed the wells of a plate whose set of encoded sites is new; the others are kept as they are.

    Parameters
    ----------
    folder : Path
        Of the screen.
    plate : str
        Name of the plate.
    model : Model
        Its card's encoder must be the one the fields were encoded with.

    Yields
    ------
    Progress
        After each group of wells.
    """
    card = model.card
    plan = read_plan(folder, plate)
    shards = Shards(folder, card.encoder_hash, plate)
    encoded = [site for site, failure in shards.statuses(plan) if not failure]
    of_well = {w: tuple(g.index) for w, g in plan.loc[encoded].groupby("Metadata_Well_id", sort=False)}
    path = wells_path(folder, card.card_hash, plate)
    before = read_wells(path, card.embed_dim)
    known = {
        w: v for w, s, v in zip(before.ids, before.sites, before.vectors, strict=True) if of_well.get(w) == s
    }
    waiting = [well for well in of_well if well not in known]
    if not waiting and set(known) == set(before.ids):
        return
    for start in range(0, len(waiting), WELLS_AT_ONCE):
        group = waiting[start : start + WELLS_AT_ONCE]
        known |= zip(
            group, model.embed_wells([_bag(shards, plan, of_well[well]) for well in group]), strict=True
        )
        done = start + len(group)
        yield Progress(done, len(waiting), f"embedding wells of {plate}", group[-1], stage="wells")
    ids = list(of_well)
    vectors = np.stack([known[well] for well in ids]) if ids else np.zeros((0, card.embed_dim), np.float32)
    table = pa.table(
        {
            "Metadata_Well_id": pa.array(ids, pa.string()),
            "Metadata_sites": pa.array([len(of_well[well]) for well in ids], pa.int32()),
            "Metadata_Site_ids": pa.array([list(of_well[well]) for well in ids], pa.list_(pa.string())),
            "embedding": rows_to_column(vectors.astype(np.float32)),
        }
    )
    write_table(path, table)


def _bag(shards: Shards, plan: pd.DataFrame, sites: tuple[str, ...]) -> NDArray[np.float32]:
    numbers = plan.loc[list(sites), "Metadata_shard"]
    return np.stack([shards.features(int(n))[s] for s, n in zip(sites, numbers, strict=True)]).astype(
        np.float32
    )
