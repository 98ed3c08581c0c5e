"""Handlers that open plates, plate maps, screens and the sample plate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.gui.recent import confirmed_stains, remember, remember_stains
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import (
    OpenRequest,
    OpenSampleRequest,
    OpenSessionRequest,
    PlateMapRequest,
    PlateOptions,
    ShowRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.setup import FoundScreen
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.files.session_file import is_address, is_session_name
from napari_cellclip.gui.work.finding import encoded_by_other_names, screens_of
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError, PlateMapError, ScreenError, Stain, split_id
from napari_cellclip.vocabulary.user_folders import from_home

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen

SIMULATING = "Simulating the sample plate (a minute, the first time)"
PLATE_MAP_SUFFIXES = {".csv", ".tsv", ".txt", ".xlsx", ".xls"}


@dataclass(frozen=True)
class Opened:
    """Things found at a path.

    Attributes
    ----------
    plate, platemap, screen
        What there is.
    remark : str
        What the user should know of it.
    request : OpenRequest or None
        How the plate was opened.
    map_request : PlateMapRequest or None
        How the plate map was read.
    screens : tuple of FoundScreen
        Screens there are of the plate.
    """

    plate: Plate | None = None
    platemap: PlateMap | None = None
    screen: Screen | None = None
    remark: str = ""
    request: OpenRequest | None = None
    map_request: PlateMapRequest | None = None
    screens: tuple[FoundScreen, ...] = ()


def open_path(jobs: Jobs, request: OpenRequest) -> None:
    """Open a plate folder, a load_data.csv, a screen folder, a plate map or a session file."""
    session, plate = jobs.session, jobs.session.plate
    if is_session_name(request.path):
        session.request(OpenSessionRequest(request.path))
        return
    if is_plate_map(request.path):
        read_platemap(jobs, PlateMapRequest(request.path))
        return
    jobs.run(
        Task.OPEN,
        lambda: find_at(request, plate, jobs.session.view.plate),
        lambda opened: take(session, opened),
        f"Opening {request.path.name}",
    )


def read_platemap(jobs: Jobs, request: PlateMapRequest) -> None:
    """Read a plate map; where its columns are not found the user is asked for them."""
    session, plate = jobs.session, jobs.session.plate

    def read() -> Opened | str:
        if plate is None:
            raise CellClipError(f"Open the plate first, then its plate map {request.path.name}.")
        from napari_cellclip.plates.platemaps.tables import read_lines

        try:
            return platemap_at(request, plate)
        except PlateMapError as error:
            if request.columns or not read_lines(request.path):
                raise
            return str(error)

    def done(found: Opened | str) -> None:
        if isinstance(found, Opened):
            take(session, found)
        else:
            session.message.emit(Task.OPEN, found)
            session.setup.unread_table.emit(request.path, found)

    jobs.run(Task.OPEN, read, done, f"Reading {request.path.name}")


def is_plate_map(path: Path) -> bool:
    """Tell whether a dropped file is a plate map (a load_data.csv is a plate)."""
    from napari_cellclip.plates.layouts import opens_as_plate

    return path.is_file() and path.suffix.lower() in PLATE_MAP_SUFFIXES and not opens_as_plate(path.name)


def open_sample(jobs: Jobs, _request: OpenSampleRequest) -> None:
    """Make or find the simulated sample plate, then open it, with its screen if the demo has encoded it."""

    def sample(report: Callable[[Any], None]) -> Opened:
        from napari_cellclip.simulation import sample_plate

        folder = sample_plate(read_settings().cache, progress=report)
        return replace(find_at(OpenRequest(folder)), screen=screen_of_sample(folder))

    jobs.run_reporting(Task.SAMPLE, sample, lambda opened: take(jobs.session, opened), SIMULATING)


def platemap_at(request: PlateMapRequest, plate: Plate) -> Opened:
    """Read a plate map and compare it with the plate.

    Raises
    ------
    PlateMapError
        If it cannot be read.
    """
    from napari_cellclip.plates import PlateMap

    table = PlateMap.read(
        request.path,
        request.metadata,
        plate=plate.name,
        decimal=request.decimal,
        sheet=request.sheet,
        heading=request.heading,
        columns=dict(request.columns),
    )
    problems = table.check(plate)
    remark = f"{request.path.name}: {problems[0].what}" if problems else ""
    return Opened(plate=plate, platemap=table, remark=remark, map_request=request)


def find_at(request: OpenRequest, plate: Plate | None = None, looked_at: str | None = None) -> Opened:
    """Read what lies at a path: a plate or a screen, each with what belongs to it.

    Parameters
    ----------
    request : OpenRequest
        What the user chose or dropped.
    plate : Plate or None
        The plate open now; a screen of it needs no other.
    looked_at : str or None
        Plate of a screen that is opened with it.

    Raises
    ------
    CellClipError
        If nothing there can be opened.
    """
    path = from_home(request.path)
    if _is_screen(path):
        return screen_at(path, plate, looked_at)
    return plate_at(replace(request, path=path))


def _is_screen(path: Path) -> bool:
    """Tell whether a screen lies in a folder, or at an address of an object store."""
    if not is_address(path):
        return (path / "screen.json").is_file()
    from napari_cellclip.screen.storage.files import exists, screen_folder

    try:
        folder = screen_folder(path)
    except ScreenError:  # of a server of plates, or a store whose client is not here: opening a plate says so
        return False
    return exists(folder / "screen.json")


def plate_at(request: OpenRequest) -> Opened:
    """Open a plate with its plate map, and find the screens there are of it.

    Stains that the files do not say are those that the user confirmed for this plate, or for another one of
    the same kind in the same folder.

    Raises
    ------
    CellClipError
        If there is no plate.
    """
    from napari_cellclip.plates import find_platemap

    opened, remark = _plate(request), ""
    if request.channels:
        remember_stains(opened)
    elif (known := confirmed_here(opened)) is not None:
        opened = opened.with_channels(dict(known.items()))
        request = replace(request, channels=known)
    screens = screens_of(opened)
    if not screens and (before := _by_its_name_then(request, opened)) is not None:
        request, opened = before
        screens = screens_of(opened)
        remark = f"{request.path.name} was encoded as {opened.name}, and is open by that name."
    if not is_address(Path(opened.address)):
        remember("plates", opened.path)
    found = find_platemap(opened.path)
    whole = Opened(plate=opened, request=request, screens=screens, remark=remark)
    if found is None:
        return whole
    try:
        labelled = platemap_at(PlateMapRequest(found), opened)
        return replace(labelled, request=request, screens=screens, remark=remark)
    except CellClipError as error:  # images without labels are still worth looking at
        return replace(whole, remark=str(error))


def _plate(request: OpenRequest) -> Plate:
    from napari_cellclip.plates import open_plate

    options = request.options
    mapping: dict[Stain | str, str | int] | None = (
        dict(request.channels.items()) if request.channels else None
    )
    return open_plate(
        request.path,
        channels=mapping,
        pattern=options.pattern or None,
        image_root=options.image_root,
        name=options.name or None,
        time=options.time,
        projection=options.projection,
    )


def _by_its_name_then(request: OpenRequest, plate: Plate) -> tuple[OpenRequest, Plate] | None:
    """Open a plate by the name that it was encoded by, if its folder has been renamed since."""
    from napari_cellclip.screen.storage.processing import as_encoded

    if request.options.name or is_address(Path(plate.address)):
        return None
    for folder, name, record in encoded_by_other_names(plate):
        stains = {stain: channel for stain, channel in record.stains.items() if channel}
        options = replace(request.options, name=name, time=record.time, projection=record.projection)
        then = replace(request, channels=request.channels or stains, options=options)
        try:
            renamed = _plate(then)
            if as_encoded(folder, record, renamed).fingerprint() == record.fingerprint:
                return then, renamed
        except CellClipError:  # it lacks stains or time points of that one
            continue
    return None


def confirmed_here(plate: Plate) -> dict[Stain, str] | None:
    """Stains that the user confirmed for this plate or its neighbours, if its files do not say them."""
    known = None if plate.stains.complete else confirmed_stains(plate)
    return known.channels if known is not None and known.folder == plate.path.absolute().parent else None


def screen_at(path: Path, plate: Plate | None, looked_at: str | None) -> Opened:
    """Open a screen, with the plate it was made of where its images are still there.

    Raises
    ------
    CellClipError
        If it is no screen, or damaged.
    """
    from napari_cellclip.plates.layouts import LAYOUTS
    from napari_cellclip.screen import Screen

    screen = Screen.open(path)
    remember("screens", path)
    if plate is not None and plate.name in screen.plates:
        return Opened(screen=screen)
    records = screen.plates
    name = looked_at if looked_at in records else next(iter(records), None)
    if name is None or records[name].layout not in LAYOUTS:  # of profiles or features there are no images
        return Opened(screen=screen)
    try:
        return replace(plate_of(screen, name), screen=screen)
    except CellClipError as error:
        return Opened(screen=screen, remark=str(error))


def plate_of(screen: Screen, name: str) -> Opened:
    """Open a plate that a screen was made of, where it was then and with the stains it had.

    Raises
    ------
    CellClipError
        If its images are not there any more, or the screen was not made of images.
    """
    from napari_cellclip.plates.layouts import LAYOUTS

    record = screen.plates[name]
    if record.layout not in LAYOUTS:
        raise CellClipError("The pixels of this screen are not open: drop its plate folder on the Explorer.")
    stains = {stain: channel for stain, channel in record.stains.items() if channel}
    try:
        return plate_at(OpenRequest(Path(record.path), stains or None, PlateOptions(name=name)))
    except CellClipError:
        raise CellClipError(
            f"The images of {name} are not at {record.path} any more: choose their folder in the plate menu."
        ) from None


def show_other_plate(jobs: Jobs, request: ShowRequest) -> None:
    """Open the plate of the open screen that a well is of, then show the well; question and screen stay."""
    session, screen = jobs.session, jobs.session.screen
    name = split_id(request.identifier)[0]
    if screen is None:
        return

    def done(opened: Opened) -> None:
        if session.screen is screen and opened.plate is not None and opened.plate.name == name:
            session.setup.opened, session.setup.platemap = opened.request, opened.map_request
            session.set_plate(opened.plate, opened.platemap)
            session.setup.screens = opened.screens
            session.show(request.identifier)

    jobs.run(Task.OPEN, lambda: plate_of(screen, name), done, f"Opening {name}")


def take(session: Session, opened: Opened) -> None:
    """Write what was found into the session; of a plate that is new, a field is shown at once."""
    if opened.plate is not None and opened.plate is session.plate:
        session.setup.platemap = opened.map_request
        session.set_platemap(opened.platemap)
    elif opened.plate is not None:
        session.setup.opened, session.setup.platemap = opened.request, opened.map_request
        session.set_plate(opened.plate, opened.platemap)
        session.setup.screens = opened.screens
    if opened.screen is not None:
        session.set_screen(opened.screen)
    if opened.plate is not None and session.shown is None:
        sites = opened.plate.sites  # of a plate whose stains are not known, the channels are shown
        first = next(
            (s for s in sites if s.problem is None and (s.stains or not opened.plate.stains.channels)), None
        )
        if first is not None:
            session.show(first.id)
    if opened.remark:
        session.message.emit(Task.OPEN, opened.remark)
    elif opened.plate is not None and opened.screens and session.screen is None:
        newest = opened.screens[0]
        text = f"{opened.plate.name} was encoded before, by {newest.model}: "
        session.message.emit(Task.OPEN, text + f"open {newest.path.name} in the screen menu.")


def screen_of_sample(sample: Path) -> Screen | None:
    """Open the newest complete screen that the demo has made of the sample plate, if there is one."""
    from napari_cellclip.screen import Screen

    folders = [f for f in sample.parent.glob(f"{sample.name}-*.screen") if (f / "screen.json").is_file()]
    for folder in sorted(folders, key=lambda f: (f / "screen.json").stat().st_mtime, reverse=True):
        try:
            screen = Screen.open(folder)
        except CellClipError:  # made by another version: encoding makes a new one
            continue
        if screen.complete:
            return screen
    return None
