"""Where things lie in the Cell Painting Gallery (Weisbart et al. 2024, doi:10.1038/s41592-024-02399-z).

``<project>/<source>/images/<batch>/{images,illum}/…`` and ``<project>/<source>/workspace/…``, as
<https://broadinstitute.github.io/cellpainting-gallery/data_structure.html> documents them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from napari_cellclip.plates.remote.stores.addresses import GALLERY, Address, is_safe
from napari_cellclip.plates.remote.stores.store import GALLERY_BUCKET, RemoteStore
from napari_cellclip.vocabulary import PlateError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +,()-]{0,150}")


@dataclass(frozen=True, slots=True)
class GalleryPlate:
    """A plate of the gallery.

    Attributes
    ----------
    project, source, batch, plate : str
        ``cpg0016-jump``, ``source_4``, ``2021_06_07_Batch5``, ``BR00123947``.
    """

    project: str
    source: str
    batch: str
    plate: str

    @property
    def address(self) -> Address:
        """Address that :func:`napari_cellclip.open_plate` takes."""
        return Address(GALLERY, "/".join((self.project, self.source, self.batch, self.plate)))

    @property
    def source_key(self) -> str:
        """Bucket, project and source."""
        return f"{GALLERY_BUCKET}/{self.project}/{self.source}"

    @property
    def images_key(self) -> str:
        """Folder of the batch below ``images``, where no table may lead out of."""
        return f"{self.source_key}/images/{self.batch}"

    def workspace(self, *parts: str) -> str:
        """Key of something below ``workspace``."""
        return "/".join((self.source_key, "workspace", *parts))


def gallery_store() -> RemoteStore:
    """Open the gallery's bucket, without credentials."""
    return RemoteStore(Address("s3", GALLERY_BUCKET))


def gallery_plate(store: RemoteStore, address: Address) -> GalleryPlate:
    """Find the plate that an address means, and its batch where the address leaves that out.

    Parameters
    ----------
    store : RemoteStore
        The gallery's.
    address : Address
        ``cpg://project/source/plate`` or ``cpg://project/source/batch/plate``.

    Raises
    ------
    PlateError
        If there is no such plate, or several batches have one.
    """
    parts = address.place.split("/")
    if len(parts) not in (3, 4) or not all(_NAME.fullmatch(part) for part in parts):
        raise PlateError(
            f"{address} names no plate of the gallery: write cpg://project/source/plate or "
            "cpg://project/source/batch/plate, as in cpg://cpg0016-jump/source_4/BR00123947"
        )
    if len(parts) == 4:
        return GalleryPlate(*parts)
    project, source, plate = parts
    found = [
        batch for batch in batches(store, project, source) if plate in plates(store, project, source, batch)
    ]
    if not found:
        raise PlateError(
            f"the gallery has no plate {plate!r} in {project}/{source}: 'napari-cellclip gallery search "
            f"--project {project} --source {source}' lists those it has"
        )
    if len(found) > 1:
        ways = ", ".join(f"cpg://{project}/{source}/{batch}/{plate}" for batch in found)
        raise PlateError(f"several batches of {project}/{source} have a plate {plate!r}: open one of {ways}")
    return GalleryPlate(project, source, found[0], plate)


def batches(store: RemoteStore, project: str, source: str) -> list[str]:
    """List the batches of a source: those with tables of images, or else those with images."""
    key = f"{GALLERY_BUCKET}/{project}/{source}"
    return store.folders(f"{key}/workspace/load_data_csv") or store.folders(f"{key}/images")


def plates(store: RemoteStore, project: str, source: str, batch: str) -> list[str]:
    """List the plates of a batch; folders of images are called plate, two underscores and a time."""
    key = f"{GALLERY_BUCKET}/{project}/{source}"
    named = store.folders(f"{key}/workspace/load_data_csv/{batch}")
    return named or sorted({f.split("__")[0] for f in store.folders(f"{key}/images/{batch}/images")})


def image_key(place: GalleryPlate, folder: str, name: str) -> str | None:
    """Find the key of an image that a table names, ``None`` where it leads out of the batch.

    Tables name images by the path of the computer that wrote them (``/home/ubuntu/bucket/cpg0016-jump/…``) or
    by ``s3://cellpainting-gallery/cpg0016-jump/…``. What counts is what comes after the project's name: it
    must lie below ``<project>/<source>/images/<batch>/``.

    Parameters
    ----------
    place : GalleryPlate
        The plate whose table it is.
    folder, name : str
        ``PathName_`` and ``FileName_`` of a table; the folder may be empty where the name is a whole path.

    Examples
    --------
    >>> place = GalleryPlate("cpg0016-jump", "source_4", "B1", "P1")
    >>> image_key(place, "/home/ubuntu/bucket/cpg0016-jump/source_4/images/B1/images/P1__x/Images", "a.tiff")
    'cellpainting-gallery/cpg0016-jump/source_4/images/B1/images/P1__x/Images/a.tiff'
    >>> image_key(place, "s3://cellpainting-gallery/cpg0016-jump/source_4/images/B1/..", "a.tiff") is None
    True
    """
    text = f"{folder.rstrip('/')}/{name}" if folder else name
    text = re.sub(r"(?<!:)/{2,}", "/", text.replace("\\", "/"))
    marker = f"/{place.project}/{place.source}/images/{place.batch}/"
    before, found, relative = f"/{text}".partition(marker)
    if not found or not is_safe(relative) or ".." in PurePosixPath(before).parts:
        return None
    return f"{place.images_key}/{relative}"
