"""Open a plate in whichever layout its files are, and tell which that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from napari_cellclip.plates.acquisition import Acquisition
from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.plates.images.projection import Projection
from napari_cellclip.plates.layouts import LAYOUTS
from napari_cellclip.plates.layouts.layout import Layout, Match, Options, Strength
from napari_cellclip.plates.plate import Plate
from napari_cellclip.vocabulary import PlateError, PlateMapError, Stain


def open_plate(
    path: str | Path,
    *,
    layout: str | None = None,
    channels: Mapping[Stain | str, str | int] | None = None,
    pattern: str | None = None,
    image_root: str | Path | None = None,
    name: str | None = None,
    time: int | None = None,
    projection: Projection = "max",
) -> Plate:
    """Open a plate in any known layout; image files are not read until pixels are asked for.

    Parameters
    ----------
    path : str or Path
        Folder of a plate, an ``Index.idx.xml``, a ``load_data.csv`` (or ``.csv.gz``), or an OME-Zarr plate.
    layout : str, optional
        Name of a layout, such as ``"phenix"`` or ``"tiff-folder"`` (``docs/formats.md`` lists them); found
        out unless given.
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
    time : int, optional
        Which time point to open where the files hold several, as they count them; the first unless given.
    projection : {"max", "mean", "focus", "dna-focus"}
        What becomes of several focal planes of a stain: their maximum, their mean, the sharpest plane of
        each stain, or the plane in which DNA is sharpest. Illumination is corrected by
        :meth:`Plate.with_illumination`.

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
    place = Path(path).expanduser()
    root = Path(image_root).expanduser() if image_root is not None else None
    if not place.exists():
        raise PlateError(f"{place} does not exist: check the path")
    if root is not None and not root.is_dir():
        raise PlateError(f"the image root {root} is not a folder: check the path")
    if layout is not None and layout not in LAYOUTS:
        raise PlateError(f"{layout!r} is not a layout: choose {', '.join(LAYOUTS)}")
    try:
        acquisition = _read(place, layout, Options(name, pattern, root, time))
        return Plate(acquisition, channels, Processing(projection))
    except PermissionError as error:
        raise PlateError(f"{error.filename} may not be read: ask for permission to that folder") from None
    except OSError as error:
        raise PlateError(f"{place} cannot be read ({error}): check the disk or the connection") from None


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
        found = _find(Path(path).expanduser(), LAYOUTS.values(), Options())
    except (OSError, ValueError, RuntimeError):  # no such disk, a NUL in the path, no such user
        return None
    return found[0].name if found is not None and found[1].strength > Strength.IMAGES else None


def _read(path: Path, layout: str | None, options: Options) -> Acquisition:
    if layout is not None:
        tried = [LAYOUTS[layout]]
    else:
        tried = [known for known in LAYOUTS.values() if known.reads_patterns or not options.pattern]
    found = _find(path, tried, options)
    if found is None and layout is not None:
        raise PlateError(f"{path} is not laid out as {layout!r}: leave layout= out to have it found out")
    if found is None:
        raise PlateError(_no_plate(path))
    if found[1].refusal:
        raise PlateError(found[1].refusal)
    try:
        return found[0].read(found[1].path, options)
    except PlateMapError as error:  # the tables of some layouts are read as plate maps are
        raise PlateError(str(error)) from error


def _find(path: Path, layouts: Iterable[Layout], options: Options) -> tuple[Layout, Match] | None:
    """Find the layout that the files speak for most strongly; among equals the first in order."""
    best: tuple[Layout, Match] | None = None
    for layout in layouts:
        if best is not None and layout.strongest <= best[1].strength:
            continue  # a folder can be long, and need not be searched once more
        match = layout.detect(path, options)
        if match is not None and (best is None or match.strength > best[1].strength):
            best = layout, match
    return best


def _no_plate(path: Path) -> str:
    if path.is_dir() and not any(path.iterdir()):
        return f"{path} is empty: check that this is the folder with the images in it"
    *expected, last = (layout.expected for layout in LAYOUTS.values())
    return f"{path} holds no plate that can be read: expected {', '.join(expected)}, or {last}"
