"""Finding out what a path is, and opening it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from napari_cellclip.plates.acquisition import Acquisition
from napari_cellclip.plates.layouts import LAYOUTS, phenix
from napari_cellclip.plates.layouts.folder import is_tiff
from napari_cellclip.plates.layouts.name_pattern import Parsed, guess_pattern
from napari_cellclip.plates.layouts.options import Options
from napari_cellclip.plates.plate import Plate
from napari_cellclip.vocabulary import CellClipError, PlateError, PlateMapError, Stain

LOOKED_AT = 2000
"""Directory entries looked at for images before a folder is given up: a drop must be judged at once."""

_TABLES = (".csv", ".csv.gz")
_METADATA = (*_TABLES, ".xml", "zarr.json", ".zattrs", ".zgroup")
_ZARR_MARKS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


def open_plate(
    path: str | Path,
    *,
    layout: str | None = None,
    channels: Mapping[Stain | str, str | int] | None = None,
    pattern: str | None = None,
    image_root: str | Path | None = None,
    name: str | None = None,
) -> Plate:
    """Open a plate in any known layout; image files are not read until pixels are asked for.

    Parameters
    ----------
    path : str or Path
        Folder of a plate, an ``Index.idx.xml``, a ``load_data.csv`` (or ``.csv.gz``), or an OME-Zarr plate.
    layout : str, optional
        ``"phenix"``, ``"load_data"``, ``"ome-zarr"``, ``"npz"``, ``"tiff-folder"`` or ``"zarr-table"``;
        found out unless given.
    channels : mapping, optional
        Stain to channel name or number in the files, such as ``{"DNA": "ch5"}``; overrides what the
        files say.
    pattern : str, optional
        How the file names of a TIFF folder are read: a template such as ``"{well}_s{site}_{channel}"`` or a
        regular expression with groups ``well`` (or ``row`` and ``column``), ``site`` and ``channel``.
    image_root : str or Path, optional
        Folder under which images named by a ``load_data.csv`` are found again by name.
    name : str, optional
        Which plate to open where the files hold several; otherwise the name to give the plate.

    Returns
    -------
    Plate

    Raises
    ------
    PlateError
        If nothing at ``path`` can be opened as a plate.
    StainError
        If ``channels`` names a stain or channel that does not exist.

    Examples
    --------
    >>> open_plate("BR00117006", channels={"DNA": "ch5"})   # doctest: +SKIP
    Plate('BR00117006', phenix, 1 wells, 1 sites, stains DNA)
    """
    folder = Path(path).expanduser()
    root = Path(image_root).expanduser() if image_root is not None else None
    options = Options(name, pattern, root)
    if not folder.exists():
        raise PlateError(f"{folder} does not exist: check the path")
    if root is not None and not root.is_dir():
        raise PlateError(f"the image root {root} is not a folder: check the path")
    if layout is not None and layout not in LAYOUTS:
        raise PlateError(f"{layout!r} is not a layout: choose {', '.join(LAYOUTS)}")
    try:
        return Plate(_read(folder, layout, options), channels)
    except PermissionError as error:
        raise PlateError(f"{error.filename} may not be read: ask for permission to that folder") from None
    except OSError as error:
        raise PlateError(f"{folder} cannot be read ({error}): check the disk or the connection") from None


def detect_layout(path: str | Path) -> str | None:
    """Say as which layout :func:`open_plate` would open a path; quick, and never raises.

    More is asked of a folder of TIFF images than :func:`open_plate` asks: its file names must tell wells, or
    stains, for any folder of pictures could be opened as fields without a well. No image is opened, and
    folders are not searched to their last file.

    Parameters
    ----------
    path : str or Path
        Anything.

    Returns
    -------
    str or None
        Name of a layout, also where several plates lie in the folder and :func:`open_plate` will ask for one
        of them. ``None`` for what is no plate and for single image files.

    Examples
    --------
    >>> detect_layout("BR00117006")   # doctest: +SKIP
    'phenix'
    """
    try:
        folder = Path(path).expanduser()
        if folder.is_file():
            names = list(LAYOUTS) if folder.name.lower().endswith(_METADATA) else []
        elif not folder.is_dir():
            names = []
        elif folder.suffix.lower() == ".zarr" or any((folder / mark).is_file() for mark in _ZARR_MARKS):
            names = ["ome-zarr", "zarr-table"]
        else:
            names = _order(folder, Options())
    except PlateError:  # several Phenix plates in one folder
        return "phenix"
    except (OSError, ValueError, RuntimeError):
        return None
    return next((name for name in names if _is_laid_out(folder, name)), None)


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
            and f.name.lower().endswith((".csv", ".tsv", ".txt", ".xlsx", ".csv.gz"))
        ]
        if len(named) == 1 or (named and named[0].stem.lower() == "platemap"):
            return named[0]
    return None


def _read(folder: Path, layout: str | None, options: Options) -> Acquisition:
    if options.pattern and layout is None:
        layout = "tiff-folder"
    for name in _order(folder, options) if layout is None else [layout]:
        reader: Any = LAYOUTS[name]
        if (found := reader.recognise(folder, options)) is not None:
            try:
                acquisition: Acquisition = reader.read(found, options)
            except PlateMapError as error:
                raise PlateError(str(error)) from error
            return acquisition
    if layout is not None:
        raise PlateError(f"{folder} is not laid out as {layout!r}: leave layout= out to have it found out")
    if folder.is_dir() and not any(folder.iterdir()):
        raise PlateError(f"{folder} is empty: check that this is the folder with the images in it")
    raise PlateError(
        f"{folder} holds no plate that can be read: expected Opera Phenix images with Index.idx.xml, "
        "a load_data.csv, an OME-Zarr plate, or a folder of TIFF images (or of .npz as CellCLIP's code has)"
    )


def _order(folder: Path, options: Options) -> list[str]:
    """Layouts in the order to try: a table that names stains goes before Phenix files without an index."""
    names = list(LAYOUTS)
    images = phenix.recognise(folder, options) if folder.is_dir() else None
    if images is not None and not phenix.has_index(images):
        names.remove("phenix")
        names.insert(names.index("load_data") + 1, "phenix")
    return names


def _is_laid_out(path: Path, layout: str) -> bool:
    try:
        if layout == "tiff-folder":
            return path.is_dir() and _names_tell(list(islice(_image_names(path), LOOKED_AT)))
        if layout == "load_data" and path.is_file() and "load_data" in path.name.lower():
            return path.name.lower().endswith(_TABLES)  # such tables are long: the name will do
        reader: Any = LAYOUTS[layout]
        return reader.recognise(path, Options()) is not None
    except CellClipError:  # recognised, and there is a sentence to say why it cannot be opened
        return True
    except (OSError, ValueError):
        return False


def _image_names(root: Path) -> Iterator[str]:
    """Paths of TIFF images below a folder, from the first entries only."""
    seen = 0
    for folder, folders, files in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = [f for f in sorted(folders) if depth < 6 and not f.lower().startswith(".")]
        folders[:] = [f for f in folders if not f.lower().endswith(".zarr")]
        for file in files:
            if is_tiff(file):
                yield (Path(folder).relative_to(root) / file).as_posix()
        seen += 1 + len(files)
        if seen > LOOKED_AT:
            return


def _names_tell(names: list[str]) -> bool:
    """Whether most names of images tell a well, a stain, or both site and channel."""
    if not names:
        return False
    pattern = guess_pattern(names)
    parsed = [found for name in names if (found := pattern.parse(name))]
    return sum(_tells(found) for found in parsed) * 2 >= len(names)


def _tells(found: Parsed) -> bool:
    return bool(found.well or (found.site and found.channel) or Stain.recognise(found.channel))
