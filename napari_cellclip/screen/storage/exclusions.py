"""Sites that are left out of their wells' embeddings, and why: chosen by a user, and kept in the screen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from napari_cellclip.screen.storage.failures import SITE
from napari_cellclip.screen.storage.files import exists
from napari_cellclip.screen.storage.parquet import read_table, write_table
from napari_cellclip.vocabulary import ScreenError

FILE = "excluded.parquet"
REASON = "Metadata_Excluded"
"""Column of the table of excluded sites, and of a screen's wells: why they are left out."""


def read_exclusions(folder: Path) -> dict[str, str]:
    """Return the reason of each excluded site, by site id; empty if none is.

    Raises
    ------
    ScreenError
        If the table is damaged.
    """
    path = folder / FILE
    if not exists(path):
        return {}
    try:
        table = read_table(path, (SITE, REASON))
    except ScreenError as error:
        raise ScreenError(
            f"{path} is damaged or another table: delete it and exclude sites again (no image is read again)"
        ) from error
    return dict(zip(map(str, table[SITE].to_pylist()), map(str, table[REASON].to_pylist()), strict=True))


def write_exclusions(folder: Path, excluded: Mapping[str, str]) -> None:
    """Replace the table of excluded sites."""
    columns = {SITE: list(excluded), REASON: list(excluded.values())}
    write_table(folder / FILE, pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()}))
