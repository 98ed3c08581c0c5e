"""Make the folder that stands for a plate of the gallery: its images, their table, and its plate map."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.plates.remote.gallery.jump import JumpTables
from napari_cellclip.plates.remote.gallery.places import GalleryPlate, gallery_plate, gallery_store
from napari_cellclip.plates.remote.gallery.platemaps import GalleryPlateMaps
from napari_cellclip.plates.remote.gallery.tables import ImageTable, read_image_table
from napari_cellclip.plates.remote.mirror import Mirror
from napari_cellclip.plates.remote.stores.addresses import Address, relative_name
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.vocabulary import CellClipError, PlateError

TABLE = "load_data.csv"
PLATEMAP = "platemap.csv"


def fill_gallery_plate(address: Address) -> tuple[Mirror, list[Problem]]:
    """List a plate of the gallery and make the local folder that stands for it.

    Parameters
    ----------
    address : Address
        ``cpg://project/source/plate`` or ``cpg://project/source/batch/plate``.

    Returns
    -------
    Mirror
        With images that are fetched when they are read, ``load_data.csv`` and ``platemap.csv``.
    list of Problem
        What is missing or was left out.

    Raises
    ------
    PlateError
        If there is no such plate or it cannot be reached; a plate that was opened before is opened as it was.
    """
    store = gallery_store()
    mirror = Mirror(address, store)
    try:
        place = gallery_plate(store, address)
        with TemporaryDirectory(prefix="napari-cellclip-") as scratch:
            problems = _fill(mirror, store, place, Path(scratch))
    except PlateError as error:
        if not mirror.reopen():
            raise
        problems = [Problem(address.name, f"{error}; what was fetched of it earlier is shown")]
    return mirror, problems


def _fill(mirror: Mirror, store: RemoteStore, place: GalleryPlate, scratch: Path) -> list[Problem]:
    table = read_image_table(store, place, scratch)
    problems = _told(table, place) if table is not None else []
    if table is not None:
        mirror.fill(table.files)
        _written(mirror.folder / TABLE, table.table.to_csv(index=False))
    else:
        mirror.fill(_images(store, place))
        problems.append(
            Problem(place.plate, "the gallery has no table of its images: their own names are read instead")
        )
    try:
        platemap = GalleryPlateMaps(store, scratch, JumpTables()).read(place)
    except CellClipError as error:  # images without labels are still worth looking at
        problems.append(Problem(PLATEMAP, f"what its wells got is not known: {error}"))
        return problems
    if platemap is None:
        problems.append(Problem(PLATEMAP, "the gallery has no plate map of this plate: give one of your own"))
        (mirror.folder / PLATEMAP).unlink(missing_ok=True)
        return problems
    temporary = scratch / PLATEMAP
    platemap.to_csv(temporary)
    _written(mirror.folder / PLATEMAP, temporary.read_text(encoding="utf-8"))
    return problems


def _images(store: RemoteStore, place: GalleryPlate) -> dict[str, RemoteFile]:
    """List the folder of images of a plate without a table, and whatever lies in it."""
    above = f"{place.images_key}/images"
    folders = [f for f in store.folders(above) if f == place.plate or f.startswith(f"{place.plate}__")]
    if len(folders) != 1:
        found = f"{len(folders)} folders of images ({', '.join(folders[:5])})" if folders else "no images"
        raise PlateError(f"the gallery has {found} of plate {place.plate} in {place.batch}: one was expected")
    prefix = f"{above}/{folders[0]}/"
    named = ((relative_name(file.key, prefix), file) for file in store.files(prefix))
    return {name: file for name, file in named if name}


def _told(table: ImageTable, place: GalleryPlate) -> list[Problem]:
    problems = []
    if table.refused:
        what = f"{table.refused} images of its table lie outside of images/{place.batch} and are left out"
        problems.append(Problem(place.plate, what))
    if table.missing:
        what = f"{table.missing} files that its table names are not in the gallery"
        problems.append(Problem(place.plate, what))
    return problems


def _written(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
