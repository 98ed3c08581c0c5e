"""Handlers that open plates, plate maps, screens and the sample plate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import OpenRequest, OpenSampleRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError, Stain

if TYPE_CHECKING:
    from napari_cellclip.plates import Plate, PlateMap
    from napari_cellclip.screen import Screen

SIMULATING = "Simulating the sample plate (a minute, the first time)"
PLATE_MAP_SUFFIXES = {".csv", ".tsv", ".txt", ".xlsx", ".xls"}


@dataclass(frozen=True)
class Opened:
    """What was found at a path."""

    plate: Plate | None = None
    platemap: PlateMap | None = None
    screen: Screen | None = None
    remark: str = ""


def open_path(jobs: Jobs, request: OpenRequest) -> None:
    """Open a plate folder, a load_data.csv, a screen folder or a plate map."""
    session, plate = jobs.session, jobs.session.plate
    jobs.run(
        Task.OPEN,
        lambda: find_at(request.path, plate, request.channels),
        lambda opened: take(session, opened),
        f"Opening {request.path.name}",
    )


def open_sample(jobs: Jobs, _request: OpenSampleRequest) -> None:
    """Make or find the simulated sample plate, then open it, with its screen if the demo has encoded it."""

    def sample(report: Callable[[Any], None]) -> Opened:
        from napari_cellclip.simulation import sample_plate

        folder = sample_plate(read_settings().cache, progress=report)
        return replace(find_at(folder, None), screen=screen_of_sample(folder))

    jobs.run_reporting(Task.SAMPLE, sample, lambda opened: take(jobs.session, opened), SIMULATING)


def is_plate_map(path: Path) -> bool:
    """Whether a dropped file is a plate map (a load_data.csv is a plate)."""
    from napari_cellclip.plates.layouts import opens_as_plate

    return path.is_file() and path.suffix.lower() in PLATE_MAP_SUFFIXES and not opens_as_plate(path.name)


def find_at(path: Path, plate: Plate | None, channels: dict[Stain, str] | None = None) -> Opened:
    """Read what lies at a path: a plate folder, a load_data.csv, a screen folder or a plate map.

    Parameters
    ----------
    path : Path
        What the user chose or dropped.
    plate : Plate or None
        The plate open now, which a plate map is checked against.
    channels : dict, optional
        Stain mapping that overrides what the files say.

    Raises
    ------
    CellClipError
        If nothing there can be opened.
    """
    from napari_cellclip.plates import PlateMap, find_platemap, open_plate

    if (path / "screen.json").is_file():
        from napari_cellclip.screen import Screen

        return Opened(screen=Screen.open(path))
    if is_plate_map(path):
        if plate is None:
            raise CellClipError(f"Open the plate first, then its plate map {path.name}.")
        table = PlateMap.read(path, plate=plate.name)
        problems = table.check(plate)
        remark = f"{path.name}: {problems[0].what}" if problems else ""
        return Opened(plate=plate, platemap=table, remark=remark)
    mapping: dict[Stain | str, str | int] | None = dict(channels.items()) if channels else None
    opened = open_plate(path, channels=mapping)
    found = find_platemap(opened.path)
    remark, platemap = "", None
    if found is not None:
        try:
            platemap = PlateMap.read(found, plate=opened.name)
        except CellClipError as error:  # images without labels are still worth looking at
            remark = str(error)
    return Opened(plate=opened, platemap=platemap, remark=remark)


def take(session: Session, opened: Opened) -> None:
    """Write what was found into the session."""
    if opened.plate is not None and opened.plate is session.plate:
        session.set_platemap(opened.platemap)
    elif opened.plate is not None:
        session.set_plate(opened.plate, opened.platemap)
    if opened.screen is not None:
        session.set_screen(opened.screen)
    elif opened.plate is not None and session.screen is not None and opened.platemap is not None:
        session.set_platemap(opened.platemap)
    if opened.remark:
        session.message.emit(Task.OPEN, opened.remark)


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
