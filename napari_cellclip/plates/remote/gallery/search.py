"""Search the Cell Painting Gallery for plates, by their place and by what their wells got."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from napari_cellclip.plates.platemaps.platemap import PlateMap
from napari_cellclip.plates.remote.gallery.jump import JumpTables
from napari_cellclip.plates.remote.gallery.places import GalleryPlate, batches, gallery_store, plates
from napari_cellclip.plates.remote.gallery.platemaps import GalleryPlateMaps
from napari_cellclip.plates.remote.stores.store import GALLERY_BUCKET, RemoteStore
from napari_cellclip.vocabulary import CellClipError, Perturbation, PlateError

COLUMNS = ("project", "source", "batch", "plate", "wells", "treatments", "address")


@dataclass(frozen=True, slots=True)
class Found:
    """One plate, or a project where nothing more was asked.

    Attributes
    ----------
    project, source, batch, plate : str
        Its place; all but the project are empty for a project.
    wells : str
        Wells that got what was asked for, joined by commas.
    treatments : str
        What those wells got, each once.
    address : str
        What :func:`napari_cellclip.open_plate` and :func:`napari_cellclip.fetch_plate` take.
    """

    project: str
    source: str = ""
    batch: str = ""
    plate: str = ""
    wells: str = ""
    treatments: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class SearchProgress:
    """Progress of a search.

    Attributes
    ----------
    done, total : int
        Batches looked through.
    message : str
        The batch at work, or what could not be read.
    found : tuple of Found
        Plates of this step.
    notice : bool
        Whether the message must not be missed.
    """

    done: int
    total: int
    message: str = ""
    found: tuple[Found, ...] = ()
    notice: bool = False


def search_gallery(**wanted: str | None) -> pd.DataFrame:
    """Search the Cell Painting Gallery; parameters and errors as :func:`iter_search_gallery`.

    Returns
    -------
    pandas.DataFrame
        A row a plate: ``project, source, batch, plate, wells, treatments, address``.

    Examples
    --------
    >>> search_gallery(project="cpg0000*", compound="nocodazole")   # doctest: +SKIP
    """
    rows = [asdict(found) for step in iter_search_gallery(**wanted) for found in step.found]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def iter_search_gallery(
    *,
    project: str | None = None,
    source: str | None = None,
    batch: str | None = None,
    plate: str | None = None,
    compound: str | None = None,
    gene: str | None = None,
) -> Generator[SearchProgress, None, None]:
    """Search the Cell Painting Gallery for plates; with nothing asked for, list its projects.

    Places may hold ``*`` and ``?`` and are compared without case. Listing costs a request for each batch; a
    compound or gene costs the plate maps of each batch as well, so at least the project is needed for them.

    Parameters
    ----------
    project, source, batch, plate : str, optional
        Names, such as ``cpg0016-jump``, ``source_4``, ``2021_06_07_Batch5``, ``BR00123947``.
    compound : str, optional
        Name of a compound (or its beginning, or that of a later word), JUMP or Broad identifier, or SMILES.
    gene : str, optional
        Symbol of a gene: perturbed, or a target of a compound.

    Yields
    ------
    SearchProgress
        After each batch.

    Raises
    ------
    PlateError
        If the gallery cannot be reached, or what is asked for would read all of it.
    """
    if any((source, batch, plate, compound, gene)) and not project:
        raise PlateError(
            "searching all projects would read the whole gallery: name a project, such as cpg0016-jump"
        )
    store = gallery_store()
    projects = [p for p in store.folders(GALLERY_BUCKET) if p.startswith("cpg") and _fits(p, project)]
    if not projects:
        raise PlateError(f"the gallery has no project {project!r}: search without one to see those it has")
    if not project:
        yield SearchProgress(1, 1, "projects", tuple(Found(name) for name in projects))
        return
    places = [
        (name, centre, one)
        for name in projects
        for centre in store.folders(f"{GALLERY_BUCKET}/{name}")
        if _fits(centre, source)
        for one in batches(store, name, centre)
        if _fits(one, batch)
    ]
    jump = JumpTables()
    with TemporaryDirectory(prefix="napari-cellclip-") as scratch:
        for done, place in enumerate(places, start=1):
            maps = GalleryPlateMaps(store, _folder(Path(scratch), place), jump)
            found, fault = [], ""
            for one, error in _in_batch(store, maps, place, plate, compound, gene):
                found += [one] if one else []
                fault = fault or error
            message = fault or "/".join(place)
            yield SearchProgress(done, len(places), message, tuple(found), notice=bool(fault))


def _in_batch(
    store: RemoteStore,
    maps: GalleryPlateMaps,
    place: tuple[str, str, str],
    plate: str | None,
    compound: str | None,
    gene: str | None,
) -> Iterator[tuple[Found | None, str]]:
    """Plates of a batch that fit, and plate maps that could not be read."""
    for name in plates(store, *place):
        if not _fits(name, plate):
            continue
        one = GalleryPlate(*place, name)
        if not (compound or gene):
            yield Found(*place, name, address=str(one.address)), ""
            continue
        try:
            platemap = maps.read(one)
        except CellClipError as error:
            yield None, f"{place[1]}/{place[2]}: {error}"
            continue
        if platemap is not None and (wells := _wells(platemap, compound, gene)):
            got = dict.fromkeys(platemap.get(well).treatment for well in wells)
            yield Found(*place, name, ",".join(wells), ", ".join(got), str(one.address)), ""


def _wells(platemap: PlateMap, compound: str | None, gene: str | None) -> list[str]:
    return [
        well
        for well, got in platemap.wells.items()
        if (not compound or _is_compound(got, compound)) and (not gene or _has_gene(got, gene))
    ]


def _is_compound(got: Perturbation, text: str) -> bool:
    if got.smiles and got.smiles == text.strip():
        return True
    return bool(re.search(rf"(?<![a-z0-9]){re.escape(text.strip().lower())}", got.name.lower()))


def _has_gene(got: Perturbation, text: str) -> bool:
    return text.strip().upper() in {gene.upper() for gene in got.genes}


def _fits(name: str, wanted: str | None) -> bool:
    return not wanted or fnmatchcase(name.lower(), wanted.strip().lower())


def _folder(scratch: Path, place: tuple[str, str, str]) -> Path:
    folder = scratch / hashlib.sha256("/".join(place).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder
