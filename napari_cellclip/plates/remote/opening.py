"""Open a plate at an address: list it, fetch its tables, and read the folder that stands for it."""

from __future__ import annotations

from dataclasses import replace

from napari_cellclip.plates.acquisition import Acquisition, Problem
from napari_cellclip.plates.layouts.layout import Options
from napari_cellclip.plates.reading import read_plate
from napari_cellclip.plates.remote.gallery.opening import fill_gallery_plate
from napari_cellclip.plates.remote.lazy_planes import lazily
from napari_cellclip.plates.remote.mirror import Mirror
from napari_cellclip.plates.remote.omero import read_omero_plate
from napari_cellclip.plates.remote.stores.addresses import GALLERY, OMERO, Address, relative_name
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.plates.remote.zarr_folders import fetch_zarr_plate
from napari_cellclip.vocabulary import PlateError

FIRST_READ = 3
"""Images that are fetched where a layout must look into one to read a plate."""


def open_remote(address: Address, layout: str | None, options: Options) -> Acquisition:
    """Read a remote plate; its pixels are fetched when they are asked for.

    Parameters
    ----------
    address : Address
        Of a folder in a store, an OME-Zarr plate, a plate of the Cell Painting Gallery or of OMERO.
    layout, options
        As of :func:`napari_cellclip.plates.open_plate`.

    Raises
    ------
    PlateError
        If it cannot be reached or holds no plate.
    """
    if address.protocol == OMERO:
        return read_omero_plate(address, options)
    return open_mirror(address, layout, options)[0]


def open_mirror(address: Address, layout: str | None, options: Options) -> tuple[Acquisition, Mirror]:
    """Read a remote plate, and return the folder that stands for it as well; as :func:`open_remote`."""
    if address.protocol == GALLERY:
        mirror, problems = fill_gallery_plate(address)
    else:
        mirror, problems = _mirror(address)
    acquisition = _read(mirror, layout, options)
    told = replace(acquisition, problems=(*problems, *acquisition.problems))
    return lazily(told, mirror), mirror


def _mirror(address: Address) -> tuple[Mirror, list[Problem]]:
    """Fill the folder of an address; where it cannot be reached, what was fetched before serves."""
    store = RemoteStore(address)
    zarr, listed = Mirror(address, store, zarr=True), Mirror(address, store)
    try:
        if fetch_zarr_plate(zarr) or _fill_arrays(zarr):
            return zarr, []
        problems = _fill(listed)
    except PlateError as error:
        before = next((mirror for mirror in (zarr, listed) if mirror.reopen()), None)
        if before is None:
            raise
        return before, [Problem(address.name, f"{error}; what was fetched of it earlier is shown")]
    return listed, problems


def _fill_arrays(mirror: Mirror) -> bool:
    """Fill a mirror with the arrays whose names begin with the address: one plate of a JUMP-Lite store.

    Such a store has hundreds of thousands of arrays; a plate of it is addressed as
    ``s3://…/zstd.zarr/SOURCE__BATCH__PLATE``.
    """
    store, _, name = mirror.address.place.rpartition("/")
    if mirror.address.is_web or name.count("__") != 2 or not store.lower().endswith(".zarr"):
        return False
    named = ((relative_name(f.key, f"{store}/"), f) for f in mirror.store.files(f"{store}/{name}__"))
    files = {relative: file for relative, file in named if relative}
    if files:
        mirror.fill(files)
    return bool(files)


def _fill(mirror: Mirror) -> list[Problem]:
    """List the files of a folder, and fetch those that are no images."""
    address = mirror.address
    if address.is_web:
        raise PlateError(
            f"{address} is no OME-Zarr plate, and a web server lists no folders: open it where it can be "
            "listed (s3://, gs://), or copy it to this computer"
        )
    prefix = address.place + "/"
    files, left = {}, 0
    for file in mirror.store.files(prefix):
        if name := relative_name(file.key, prefix):
            files[name] = file
        else:
            left += 1
    if not files:
        raise PlateError(f"{address} holds no files: check the address")
    mirror.fill(files)
    what = f"{left} files have names that a disk of this computer cannot hold safely; they are left out"
    return [Problem(address.name, what)] if left else []


def _read(mirror: Mirror, layout: str | None, options: Options) -> Acquisition:
    """Read the folder; a layout that must look into images finds the first few fetched the second time."""
    try:
        return read_plate(mirror.folder, layout, options)
    except PlateError:
        if not mirror.need_first(FIRST_READ):
            raise
    return read_plate(mirror.folder, layout, options)
