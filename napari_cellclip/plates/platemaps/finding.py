"""Find the plate map that lies beside a plate's images."""

from __future__ import annotations

from pathlib import Path

from napari_cellclip.plates.platemaps.tables import TABLE_SUFFIXES
from napari_cellclip.vocabulary.user_folders import from_home


def find_platemap(path: str | Path) -> Path | None:
    """Return the plate map beside a plate's images, if there is one by that name.

    Parameters
    ----------
    path : str or Path
        A plate's folder, or a file in it.

    Returns
    -------
    Path or None
        ``platemap.csv``, ``plate_map.xlsx``, ``BR0012_platemap.tsv`` and the like, in the folder or the
        one above.
    """
    start = from_home(path)
    start = start if start.is_dir() else start.parent
    for folder in (start, start.parent):
        named = [
            f
            for f in _listed(folder)
            if f.is_file()
            and "platemap" in f.name.lower().replace("_", "").replace("-", "").replace(" ", "")
            and f.name.lower().endswith(TABLE_SUFFIXES)
        ]
        if len(named) == 1 or (named and named[0].stem.lower() == "platemap"):
            return named[0]
    return None


def _listed(folder: Path) -> list[Path]:
    """List a folder; nothing where it may not be listed, as the one above a plate's own."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
