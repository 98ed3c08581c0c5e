"""Make again what is damaged or lost in a screen, from its copy of ``screen.json`` and from the images."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from napari_cellclip.plates import Plate, open_plate
from napari_cellclip.screen.check import check_screen
from napari_cellclip.screen.derive import iter_embed_wells
from napari_cellclip.screen.encode import iter_encode
from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.encoded_fields import encoded_fields
from napari_cellclip.screen.storage.failures import FILE as FAILURES
from napari_cellclip.screen.storage.failures import write_failures
from napari_cellclip.screen.storage.files import screen_folder
from napari_cellclip.screen.storage.fitted_heads import kept_model
from napari_cellclip.screen.storage.lock import WriteLock
from napari_cellclip.screen.storage.processing import as_encoded
from napari_cellclip.screen.storage.screen_json import FILE, CardRecord, PlateRecord, ScreenRecord
from napari_cellclip.screen.wells import wells_path
from napari_cellclip.vocabulary import CellClipError, ScreenError
from napari_cellclip.vocabulary.user_folders import from_home


def iter_repair(
    folder: str | Path, images: str | Path | None = None, *, device: str = "auto"
) -> Generator[Progress, None, None]:
    """Make again what :func:`~napari_cellclip.screen.check.check_screen` finds damaged.

    ``screen.json`` comes from its copy; plans, shards and previews from the images, wells from the shards.
    Of plates that were imported, wells are embedded again; their features are in the tables alone, which the
    error names. What is whole stays as it is.

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
    screen = screen_folder(folder)
    try:
        record = ScreenRecord.read(screen)
    except ScreenError as error:
        with WriteLock(screen).now():
            record = ScreenRecord.read_copy(screen)
            record.write(screen)
        yield Progress(1, 1, f"{screen / FILE} was restored from its copy ({error})", notice=True)
    findings = check_screen(screen)
    why = dict[Path, str]()
    for plate in dict.fromkeys(f.plate for f in findings if f.plate is not None):
        known, damaged = record.plates[plate], {f.path for f in findings if f.plate == plate}
        wells = {wells_path(screen, key, plate): key for key in record.cards}
        if not damaged <= wells.keys():
            if not known.stains:
                continue  # features of an import: only its table has them
            opened = _plate(screen, plate, known, from_home(images) if images is not None else None)
            yield from iter_encode(opened, None, _origin(screen, record.current), screen, device=device)
            damaged.discard(wells_path(screen, record.card_hash, plate))  # it has embedded them too
        for path in sorted(damaged & wells.keys()):
            try:
                yield from _embed_again(screen, plate, wells[path], record.cards[wells[path]], device)
            except CellClipError as error:
                why[path] = f"{path} is not made again: {error}"
    if any(f.path == screen / FAILURES for f in findings):
        with WriteLock(screen).now():
            write_failures(screen, encoded_fields(screen, record).status)
    left = check_screen(screen)
    for path in sorted({f.path for f in findings} - {f.path for f in left}):
        yield Progress(1, 1, f"made again: {path}", notice=True)
    if left:
        files = f"{len(left)} files are left as they were" if len(left) > 1 else "One file is left as it was"
        raise ScreenError(f"{files}: {'; '.join(why.get(f.path, f.what) for f in left)}")


def _embed_again(
    folder: Path, plate: str, card_hash: str, card: CardRecord, device: str
) -> Generator[Progress, None, None]:
    """Embed the wells of a plate from its features, by the model of one of the screen's cards."""
    from napari_cellclip.model import load_model

    if not card.has_head:
        return
    model = load_model(_origin(folder, card), device=device)
    if model.card.card_hash != card_hash:
        raise ScreenError(f"{card.origin} is now another model than the one that embedded them")
    lock = WriteLock(folder)
    yield from lock.wait()
    try:
        yield from iter_embed_wells(folder, plate, model)
    finally:
        lock.release()


def _origin(folder: Path, card: CardRecord) -> str:
    """What to give ``load_model``: the model where it was, or the one that the screen keeps."""
    kept = None if Path(card.origin).exists() else kept_model(folder, str(card.card.get("name", "")))
    return card.origin if kept is None else str(kept)


def _plate(folder: Path, name: str, record: PlateRecord, images: Path | None) -> Plate:
    """Open the images of a plate as when it was encoded: stains, focal planes, illumination."""
    place: str | Path = record.path if images is None else images
    if images is not None and (images / name).exists():
        place = images / name
    try:
        channels = {str(stain): channel for stain, channel in record.stains.items()}
        opened = open_plate(place, layout=record.layout, channels=channels, name=name, time=record.time)
        return as_encoded(folder, record, opened)
    except CellClipError as error:
        raise ScreenError(
            f"files of plate {name} are damaged and its images cannot be opened ({error}): give their folder"
            " with --images, or encode again with the command that made the screen"
        ) from error
