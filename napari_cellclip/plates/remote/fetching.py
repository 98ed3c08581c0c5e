"""Fetch a chosen part of a remote plate into a folder that opens like any other; goes on where it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from napari_cellclip.plates.acquisition import Acquisition, Field
from napari_cellclip.plates.images.plane import Plane
from napari_cellclip.plates.images.tiff import TiffPlane
from napari_cellclip.plates.images.zarr import ZarrPlane
from napari_cellclip.plates.images.zarr_metadata import chunk_files
from napari_cellclip.plates.layouts.layout import Options
from napari_cellclip.plates.remote.fetched_folder import LOCK, FetchedFolder
from napari_cellclip.plates.remote.lazy_planes import RemotePlane
from napari_cellclip.plates.remote.mirror import Mirror
from napari_cellclip.plates.remote.opening import open_mirror
from napari_cellclip.plates.remote.stores.addresses import OMERO, Address, remote_address
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.tables import image_table, zarr_subset
from napari_cellclip.plates.stain_mapping import map_stains, named_stain
from napari_cellclip.vocabulary import STAINS, CellClipError, PlateError, Stain, normalise_well
from napari_cellclip.vocabulary.user_folders import from_home

THREADS = 8
"""Images that are fetched at once."""

GIVE_UP_AFTER = 5
"""Images in a row that could not be fetched, after which the rest is not tried."""


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """Progress of a fetch.

    Attributes
    ----------
    done, total : int
        Files.
    message : str
        The file that came last, or what could not be fetched.
    notice : bool
        Whether the message must not be missed.
    """

    done: int
    total: int
    message: str = ""
    notice: bool = False


def fetch_plate(address: str, out: str | Path, **options: object) -> Path:
    """Fetch a remote plate, or a part of it; parameters and errors as :func:`iter_fetch_plate`.

    Returns
    -------
    Path
        The folder, which :func:`napari_cellclip.open_plate` opens.

    Examples
    --------
    >>> fetch_plate("cpg://cpg0016-jump/source_4/BR00123947", "BR00123947", wells=["G01"])   # doctest: +SKIP
    """
    for _ in iter_fetch_plate(address, out, **options):  # type: ignore[arg-type]
        pass
    return from_home(out)


def iter_fetch_plate(
    address: str,
    out: str | Path,
    *,
    wells: Iterable[str] | None = None,
    sites: Iterable[int | str] | None = None,
    stains: Iterable[Stain | str] | None = None,
    illum: bool = False,
    layout: str | None = None,
    name: str | None = None,
) -> Generator[FetchProgress, None, None]:
    """Fetch a remote plate, or a part of it, into a folder on this computer.

    May be closed at any step, and goes on there when it is called again with the same folder: whole files
    are not fetched again unless the store has another version of them, and of one that was cut off the rest.

    Parameters
    ----------
    address : str
        As :func:`napari_cellclip.open_plate` takes it: ``cpg://…``, ``s3://…``, ``https://….zarr``.
    out : path
        Folder to write; made if absent.
    wells : iterable of str, optional
        All unless given.
    sites : iterable of int or str, optional
        Numbers of sites as the plate counts them; all unless given.
    stains : iterable of Stain, optional
        The five stains unless given; channels without a stain, such as brightfield, are left out. Where the
        stains of the channels are not known, and of OME-Zarr, all channels are fetched.
    illum : bool
        Fetch CellProfiler's illumination functions, too.
    layout, name
        As of :func:`napari_cellclip.open_plate`.

    Yields
    ------
    FetchProgress
        After each file.

    Raises
    ------
    PlateError
        If there is no such plate, the choice leaves nothing, the folder holds another plate, or files could
        not be fetched: those that could are kept.
    """
    place = remote_address(address)
    if place is None or place.protocol == OMERO:
        raise PlateError(
            f"{address!r} is no address that can be fetched: write cpg://…, s3://… or https://….zarr"
        )
    acquisition, mirror = open_mirror(place, layout, Options(name))
    chosen = _chosen(acquisition, wells, sites, stains)
    folder = from_home(out)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PlateError(
            f"another program fetches into {folder} at this moment: wait for it to end"
        ) from None
    try:
        yield from _fetch(place, mirror, acquisition, chosen, folder, illum)
    finally:
        lock.release()


def _chosen(
    acquisition: Acquisition,
    wells: Iterable[str] | None,
    sites: Iterable[int | str] | None,
    stains: Iterable[Stain | str] | None,
) -> Acquisition:
    """Keep the fields and channels that are asked for."""
    names = None if wells is None else {normalise_well(well) for well in wells}
    numbers = None if sites is None else {str(site) for site in sites}
    fields = [
        f
        for f in acquisition.fields
        if (names is None or f.well in names) and (numbers is None or str(f.number) in numbers)
    ]
    if not fields:
        there = ", ".join(dict.fromkeys(f.well for f in acquisition.fields[:200]))
        raise PlateError(
            f"no site of plate {acquisition.name} is among those asked for: it has wells {there[:200]} …"
        )
    if names is not None and (absent := names - {f.well for f in fields}):
        raise PlateError(f"plate {acquisition.name} has no images of {', '.join(sorted(absent)[:10])}")
    mapping, _ = map_stains(acquisition.channels)
    wanted = (
        [named_stain(s) for s in stains]
        if stains is not None
        else [s for s in STAINS if s in mapping.channels]
    )
    if stains is not None:
        mapping.require(acquisition.name, wanted)
    keep = {mapping.channels[s] for s in wanted} if mapping.complete or stains is not None else None
    if keep is None or any(isinstance(_inner(p), ZarrPlane) for f in fields[:1] for p in _planes(f)):
        return replace(acquisition, fields=tuple(fields))
    trimmed = (replace(f, planes={c: p for c, p in f.planes.items() if c in keep}) for f in fields)
    channels = tuple(c for c in acquisition.channels if c.name in keep)
    return replace(acquisition, fields=tuple(trimmed), channels=channels)


def _fetch(
    place: Address, mirror: Mirror, whole: Acquisition, chosen: Acquisition, folder: Path, illum: bool
) -> Generator[FetchProgress, None, None]:
    record = FetchedFolder.open(folder, place)
    files = _files(mirror, chosen)
    if illum:
        files |= {n: f for n, f in mirror.listed().items() if n.startswith("illum/")}
    yield FetchProgress(
        0, len(files), f"{len(files)} files, {sum(f.size for f in files.values() if f) / 1e6:,.0f} MB"
    )
    _copy_tables(mirror, whole, chosen, folder)
    failed: list[str] = []
    done, in_a_row = 0, 0
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = iter(files.items())
        running: dict[Future[None], str] = {}
        try:
            while True:
                while (
                    len(running) < 2 * THREADS and in_a_row < GIVE_UP_AFTER and (one := next(waiting, None))
                ):
                    running[pool.submit(record.fetch, mirror, *one)] = one[0]
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(future)
                    try:
                        future.result()
                        done, in_a_row = done + 1, 0
                        yield FetchProgress(done, len(files), name)
                    except CellClipError as error:
                        failed.append(str(error))
                        in_a_row += 1
                        yield FetchProgress(done, len(files), str(error), notice=len(failed) <= GIVE_UP_AFTER)
        finally:
            for future in running:
                future.cancel()
            pool.shutdown(wait=True)
            record.write()
    if done < len(files):
        raise PlateError(
            f"{len(files) - done} of {len(files)} files of {place} could not be fetched ({failed[0]}). "
            "What came is kept: the same command goes on from there"
        )


def _files(mirror: Mirror, chosen: Acquisition) -> dict[str, RemoteFile | None]:
    """List the files of the chosen planes, by relative name; chunks are not known before."""
    listed = mirror.listed()
    names: dict[str, RemoteFile | None] = {}
    for f in chosen.fields:
        for plane in map(_inner, _planes(f)):
            paths = [plane.file]
            if isinstance(plane, ZarrPlane):
                mirror.need(plane.file)
                paths = chunk_files(plane.path, plane.index)
            for path in paths:
                name = path.relative_to(mirror.folder).as_posix()
                names[name] = listed.get(name)
    return names


def _copy_tables(mirror: Mirror, whole: Acquisition, chosen: Acquisition, folder: Path) -> None:
    """Write what describes the plate: its own tables if it is whole, else tables of what was chosen."""
    planes = [_inner(p) for f in chosen.fields for p in _planes(f)]
    tables = set(mirror.tables())
    if any(isinstance(plane, ZarrPlane) for plane in planes):
        written: Mapping[str, str] = zarr_subset(mirror.folder, chosen)
    elif (chosen.fields, chosen.channels) == (whole.fields, whole.channels) or not _is_plain(chosen):
        written = {}
    else:
        written = {"load_data.csv": image_table(chosen, mirror.folder)}
        tables &= {"platemap.csv"}  # an index or a table would promise the sites that were not chosen
    for name in tables - set(written):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mirror.folder / name, folder / name)
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _is_plain(acquisition: Acquisition) -> bool:
    """Whether each channel of each site is one page of a TIFF, which a table can name."""
    return all(
        len(planes) == 1 and isinstance(_inner(planes[0]), TiffPlane)
        for f in acquisition.fields
        for planes in f.planes.values()
    )


def _planes(field: Field) -> list[RemotePlane]:
    return [plane for planes in field.planes.values() for plane in planes if isinstance(plane, RemotePlane)]


def _inner(plane: Plane) -> Plane:
    return plane.inner if isinstance(plane, RemotePlane) else plane
