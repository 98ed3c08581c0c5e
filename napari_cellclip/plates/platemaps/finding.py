"""Find the plate map that lies beside a plate's images."""

from __future__ import annotations

from pathlib import Path

from napari_cellclip.plates.platemaps.tables import TABLE_SUFFIXES


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
    start = Path(path).expanduser()
    start = start if start.is_dir() else start.parent
    for folder in (start, start.parent):
        named = [
            f
            for f in sorted(folder.iterdir() if folder.is_dir() else [])
            if f.is_file()
            and "platemap" in f.name.lower().replace("_", "").replace("-", "").replace(" ", "")
            and f.name.lower().endswith(TABLE_SUFFIXES)
        ]
        if len(named) == 1 or (named and named[0].stem.lower() == "platemap"):
            return named[0]
    return None
