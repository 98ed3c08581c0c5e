"""Fetch the metadata of a remote OME-Zarr plate or Zarr array, many at once, without listing a folder.

Web servers list nothing, and the chunks of a plate are too many to list. So its metadata are followed from
the plate to its wells and images, as the reader does afterwards on this disk.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from napari_cellclip.plates.layouts.files import ZARR_MARKS, inside
from napari_cellclip.plates.layouts.ome_metadata import attributes_of, dictionaries
from napari_cellclip.plates.remote.mirror import THREADS, Mirror
from napari_cellclip.vocabulary import PlateError

MAX_IMAGES = 200_000
"""Most images of a plate."""


def fetch_zarr_plate(mirror: Mirror) -> bool:
    """Fetch the metadata of a plate: its own, those of its wells and images, and of each first level.

    Parameters
    ----------
    mirror : Mirror
        Of an address; filled if it is a plate.

    Returns
    -------
    bool
        Whether there is an OME-Zarr plate at the address.

    Raises
    ------
    PlateError
        If something cannot be fetched, or the plate lists more images than a plate has.
    """
    root = mirror.folder
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(mirror.need, (root / mark for mark in ZARR_MARKS)))
        marks = [mark for mark in ZARR_MARKS if (root / mark).is_file()]
        attributes = attributes_of(root)
        if "plate" not in attributes:
            return False

        def fetch(groups: Iterable[Path]) -> list[Path]:
            """Fetch the metadata of groups or arrays, of the kinds that the plate has."""
            found = list(dict.fromkeys(groups))
            if len(found) > MAX_IMAGES:
                raise PlateError(f"{mirror.address} lists {len(found):,} images, more than a plate has")
            kinds = ["zarr.json"] if "zarr.json" in marks else [".zattrs", ".zgroup", ".zarray"]
            list(pool.map(mirror.need, (group / kind for group in found for kind in kinds)))
            return found

        wells = fetch(_below(root, root, attributes["plate"], "wells"))
        images = fetch(i for w in wells for i in _below(root, w, attributes_of(w).get("well"), "images"))
        fetch(a for image in images for a in _first_levels(root, image))
        mirror.keep_listing()
    return True


def _first_levels(root: Path, image: Path) -> list[Path]:
    scales = dictionaries(attributes_of(image), "multiscales")
    return _below(root, image, scales[0], "datasets")[:1] if scales else []


def _below(root: Path, group: Path, parent: Any, key: str) -> list[Path]:
    """Folders that a list of ``{"path": …}`` names below a group; what leads elsewhere is left out."""
    found = (inside(group, str(entry.get("path", ""))) for entry in dictionaries(parent, key))
    return [f for f in found if f is not None and f.is_relative_to(root)]
