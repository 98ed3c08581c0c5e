"""Maps kept with their screen: read back while nothing changed, and extended by plates that were added."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from napari_cellclip.explore.maps.projection import Projection
from napari_cellclip.screen.storage.parquet import read_table, write_table
from napari_cellclip.vocabulary import ScreenError, split_id

WELL, DIGEST = "Metadata_Well_id", "embedding"
"""Columns of a stored map: its wells, and a digest of the embedding that each was mapped by."""


def state_of(ids: tuple[str, ...], unit: NDArray[np.float32], parameters: dict[str, Any]) -> str:
    """Hash everything a map depends on."""
    digest = hashlib.sha256(json.dumps([ids, parameters], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(unit).data)
    return digest.hexdigest()


def store_places(
    path: Path,
    ids: tuple[str, ...],
    unit: NDArray[np.float32],
    xy: NDArray[np.float32],
    about: dict[str, Any],
) -> None:
    """Write a map, whole; `about` goes with it."""
    table = pa.table(
        {
            WELL: pa.array(ids, pa.string()),
            "x": xy[:, 0],
            "y": xy[:, 1],
            DIGEST: pa.array(_digests(unit), pa.string()),
        }
    )
    # A screen on a read-only share, in a store or on a full disk can be looked at all the same; its map is
    # made anew next time.
    with suppress(OSError, ScreenError):
        write_table(path, table.replace_schema_metadata({"cellclip": json.dumps(about)}))


def read_places(path: Path, ids: tuple[str, ...]) -> NDArray[np.float32] | None:
    """Read the places of these wells; ``None`` where there is no such map, or it is damaged or of others."""
    table = _read(path)
    if table is None or tuple(table[WELL].to_pylist()) != ids:
        return None
    return _places(table)


def earlier_map(
    folder: Path, ids: tuple[str, ...], unit: NDArray[np.float32], parameters: dict[str, Any]
) -> Projection | None:
    """Find the largest stored map of the same parameters that lacks nothing but whole plates added since.

    Whether it was laid out by a sample makes no difference: a map stays when its screen becomes too large.

    Parameters
    ----------
    folder : Path
        Where the maps of a screen are kept.
    ids, unit, parameters
        Wells, their unit embeddings, and everything else the map depends on.
    """
    rows = {well: row for row, well in enumerate(ids)}
    digests = _digests(unit)
    best: Projection | None = None
    for path in sorted(folder.glob("umap-*.parquet")):
        table = _read(path)
        if table is None or DIGEST not in table.column_names:
            continue
        own = _about(table).get("parameters")
        if not isinstance(own, dict) or {**own, "sample": 0} != {**parameters, "sample": 0}:
            continue
        wells = tuple(table[WELL].to_pylist())
        if 2 * len(wells) < len(ids) or (best is not None and len(wells) <= len(best.ids)):
            continue
        plates = {split_id(well)[0] for well in wells}
        same = {well for well in ids if split_id(well)[0] in plates}
        if set(wells) != same or [digests[rows[well]] for well in wells] != table[DIGEST].to_pylist():
            continue
        mapped = unit[[rows[well] for well in wells]]
        best = Projection(wells, _places(table), "umap", own, mapped)
    return best


def with_plates_added(earlier: Projection, ids: tuple[str, ...], unit: NDArray[np.float32]) -> Projection:
    """Place the wells that a map lacks into it: the map itself does not change."""
    known = {well: row for row, well in enumerate(earlier.ids)}
    added = np.array([well not in known for well in ids])
    xy = np.zeros((len(ids), 2), np.float32)
    xy[~added] = earlier.xy[[known[well] for well in ids if well in known]]
    xy[added] = earlier.place(unit[added])
    parameters = {**earlier.parameters, "placed": int(added.sum())}
    return Projection(ids, xy, earlier.method, parameters, unit)


def _digests(unit: NDArray[np.float32]) -> list[str]:
    return [hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest() for row in np.ascontiguousarray(unit)]


def _read(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        return read_table(path)
    except ScreenError:
        return None  # damaged: made anew and written over


def _about(table: pa.Table) -> dict[str, Any]:
    try:
        about = json.loads((table.schema.metadata or {}).get(b"cellclip", b"{}"))
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _places(table: pa.Table) -> NDArray[np.float32]:
    return np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()]).astype(np.float32)
