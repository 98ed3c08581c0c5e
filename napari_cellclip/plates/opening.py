"""Open a plate in whichever layout its files are, and tell which that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from napari_cellclip.plates.images.processing import Processing
from napari_cellclip.plates.images.projection import Projection
from napari_cellclip.plates.layouts import LAYOUTS
from napari_cellclip.plates.layouts.layout import Options, Strength
from napari_cellclip.plates.plate import Plate
from napari_cellclip.plates.reading import find_layout, read_plate
from napari_cellclip.plates.remote.opening import open_remote
from napari_cellclip.plates.remote.stores.addresses import remote_address
from napari_cellclip.vocabulary import PlateError, Stain
from napari_cellclip.vocabulary.user_folders import from_home


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
        Folder of a plate, an ``Index.idx.xml``, a ``load_data.csv`` (or ``.csv.gz``), or an OME-Zarr plate;
        or the address of one: ``s3://bucket/plate``, ``https://host/plate.zarr``, or a plate of the Cell
        Painting Gallery, ``cpg://cpg0016-jump/source_4/BR00123947`` (``docs/remote.md``).
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
    root = from_home(image_root) if image_root is not None else None
    if root is not None and not root.is_dir():
        raise PlateError(f"the image root {root} is not a folder: check the path")
    if layout is not None and layout not in LAYOUTS:
        raise PlateError(f"{layout!r} is not a layout: choose {', '.join(LAYOUTS)}")
    options = Options(name, pattern, root, time)
    if (address := remote_address(path)) is not None:
        opened = replace(open_remote(address, layout, options), time=time or 1)
        return Plate(opened, channels, Processing(projection))
    place = from_home(path)
    if not place.exists():
        raise PlateError(f"{place} does not exist: check the path")
    try:
        opened = replace(read_plate(place, layout, options), time=time or 1)
        return Plate(opened, channels, Processing(projection))
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
        found = find_layout(from_home(path), LAYOUTS.values(), Options())
    except (OSError, ValueError, RuntimeError):  # no such disk, a NUL in the path, no such user
        return None
    return found[0].name if found is not None and found[1].strength > Strength.IMAGES else None
