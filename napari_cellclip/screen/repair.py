"""Make again what is damaged or lost in a screen, from its copy of ``screen.json`` and from the images."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from napari_cellclip.plates import Plate, open_plate
from napari_cellclip.screen.check import check_screen
from napari_cellclip.screen.encode import iter_encode
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.lock import WriteLock
from napari_cellclip.screen.storage.processing import as_encoded
from napari_cellclip.screen.storage.screen_json import FILE, PlateRecord, ScreenRecord
from napari_cellclip.vocabulary import CellClipError, ScreenError


def iter_repair(
    folder: str | Path, images: str | Path | None = None, *, device: str = "auto"
) -> Generator[Progress, None, None]:
    """Make again what :func:`~napari_cellclip.screen.check.check_screen` finds damaged.

    ``screen.json`` comes from its copy; plans, shards and previews from the images, wells from the shards.
    What is whole stays as it is.

    Parameters
    ----------
    folder : path
        Of the screen.
    images : path, optional
        Where the images of the plates are now, if not where they were when the screen was made: a plate's
        folder, or one with a folder for each plate, by name.
    device : str
        Where to compute.

    Yields
    ------
    Progress
        Of the plates that are encoded again; what was made again is a notice.

    Raises
    ------
    ScreenError
        If something cannot be made again: says what is missing. What could be done before is done.
    """
    screen = Path(folder)
    try:
        record = ScreenRecord.read(screen)
    except ScreenError as error:
        with WriteLock(screen).now():
            record = ScreenRecord.read_copy(screen)
            record.write(screen)
        yield Progress(1, 1, f"{screen / FILE} was restored from its copy ({error})", notice=True)
    findings = check_screen(screen)
    for plate in dict.fromkeys(f.plate for f in findings if f.plate is not None):
        opened = _plate(screen, plate, record.plates[plate], Path(images) if images is not None else None)
        yield from iter_encode(opened, None, record.current.origin, screen, device=device)
    left = check_screen(screen)
    for path in sorted({f.path for f in findings} - {f.path for f in left}):
        yield Progress(1, 1, f"made again: {path}", notice=True)
    if left:
        raise ScreenError(f"{len(left)} files are left as they were: {'; '.join(f.what for f in left)}")


def _plate(folder: Path, name: str, record: PlateRecord, images: Path | None) -> Plate:
    """Open the images of a plate as when it was encoded: stains, focal planes, illumination."""
    place: str | Path = record.path if images is None else images
    if images is not None and (images / name).exists():
        place = images / name
    if not record.stains:
        raise ScreenError(f"plate {name} was imported from tables: import them again into a new folder")
    try:
        channels = {str(stain): channel for stain, channel in record.stains.items()}
        opened = open_plate(place, layout=record.layout, channels=channels, name=name, time=record.time)
        return as_encoded(folder, record, opened)
    except CellClipError as error:
        raise ScreenError(
            f"files of plate {name} are damaged and its images cannot be opened ({error}): give their folder"
            " with --images, or encode again with the command that made the screen"
        ) from error
