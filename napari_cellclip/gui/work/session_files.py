"""Handlers that write what is open, asked, selected and looked at to a file, and open it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.recent import remember
from napari_cellclip.gui.state.references import AddedPart, AddedReferences
from napari_cellclip.gui.state.requests import (
    AskRequest,
    OpenRequest,
    OpenSessionRequest,
    PlateMapRequest,
    PlateOptions,
    SaveSessionRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.session_file import (
    SessionFile,
    StoredCanvas,
    StoredPlate,
    StoredPlateMap,
    StoredPrompt,
    StoredQuery,
    StoredView,
    is_address,
    read_session_file,
    write_session_file,
)
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.opening import Opened, plate_at, platemap_at, screen_at, take
from napari_cellclip.gui.work.references import joined_parts, read_part
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.explore.wording.wording import Prompt
    from napari_cellclip.plates import Plate


def stored(session: Session) -> SessionFile:
    """Collect what a session file holds of a session; paths are absolute here."""
    setup, view = session.setup, session.view
    return SessionFile(
        plate=_stored_plate(session),
        platemap=_stored_platemap(setup.platemap),
        screen=_stored_screen(session),
        model=setup.model,
        query=_stored_query(session.asked),
        references=tuple(session.references.added.paths) if session.references.added is not None else (),
        prompts=_changed_prompts(session),
        view=StoredView(**{f.name: getattr(view, f.name) for f in fields(View) if f.name != "plate"}),
        canvas=StoredCanvas(**asdict(session.canvas.state)),
        looked_at=view.plate,
        shown=session.shown,
        selection=tuple(sorted(session.selection.ids)),
        selections={name: tuple(sorted(ids)) for name, ids in session.named_selections.sets.items()},
    )


def _stored_screen(session: Session) -> Path | None:
    if session.screen is None:
        return None
    path = Path(str(session.screen.path))
    return path if is_address(path) else path.absolute()


def _stored_plate(session: Session) -> StoredPlate | None:
    plate, opened = session.plate, session.setup.opened
    if plate is None:
        return None
    options = opened.options if opened is not None else PlateOptions()
    remote = is_address(Path(plate.address))
    path = Path(plate.address) if remote else plate.path.absolute()
    return StoredPlate(path=path, channels=dict(plate.stains.channels), **asdict(options))


def _stored_platemap(request: PlateMapRequest | None) -> StoredPlateMap | None:
    if request is None:
        return None
    values = {f.name: getattr(request, f.name) for f in fields(request)}
    return StoredPlateMap(**{**values, "path": request.path.absolute(), "columns": dict(request.columns)})


def _stored_query(asked: AskRequest | None) -> StoredQuery | None:
    if asked is None:
        return None
    prompts = None
    if asked.prompts is not None:
        prompts = tuple(_stored_prompt(p) for p in asked.prompts)
    return StoredQuery(
        text=asked.text,
        prompts=prompts,
        combine=asked.combine,
        ticked_off=asked.ticked_off,
        like=asked.like,
        but_not=asked.but_not,
    )


def _changed_prompts(session: Session) -> tuple[StoredPrompt, ...] | None:
    """Return the prompts as the user has changed them since they were sent, if she has."""
    sent = session.answer.sent if session.answer is not None else ()
    if session.prompts.value == tuple(sent):
        return None
    return tuple(_stored_prompt(prompt) for prompt in session.prompts.value)


def _stored_prompt(prompt: Prompt | str) -> StoredPrompt:
    if isinstance(prompt, str):
        return StoredPrompt(text=prompt)
    return StoredPrompt(text=prompt.text, weight=prompt.weight, source=prompt.source, on=prompt.on)


def _prompts(stored: tuple[StoredPrompt, ...]) -> tuple[Prompt, ...]:
    from napari_cellclip.explore.wording.wording import Prompt

    return tuple(Prompt(p.text, p.weight, p.source, on=p.on) for p in stored)


def save_session(jobs: Jobs, request: SaveSessionRequest) -> None:
    """Write the session file."""
    content = stored(jobs.session)

    def work() -> Path:
        write_session_file(request.path, content)
        remember("sessions", request.path)
        return request.path

    def done(path: Path) -> None:
        jobs.session.message.emit(Task.EXPORT, f"Session saved: {path}")

    jobs.run(Task.EXPORT, work, done, "Saving the session")


@dataclass(frozen=True)
class Missing:
    """Data of a session that are not where its file says."""

    what: str
    path: Path


@dataclass(frozen=True)
class Found:
    """A session file, and what it names."""

    file: SessionFile
    opened: Opened
    references: AddedReferences | None


def open_session(jobs: Jobs, request: OpenSessionRequest) -> None:
    """Open what a session file names; of data that have moved the user is asked where they are now."""
    session, moved = jobs.session, dict(request.moved)

    def work() -> Found | Missing:
        file = read_session_file(request.path)
        for what, path in file.needed():
            place = moved.get(path, path)
            if not is_address(place) and not place.exists():
                near = moved_along(path, moved)
                if near is None:
                    return Missing(what, path)
                moved[path] = near
        file = file.moved(moved)
        remember("sessions", request.path)
        parts = tuple(AddedPart(path, read_part(path)) for path in file.references)
        return Found(file, _opened(file), joined_parts(parts) if parts else None)

    def done(found: Found | Missing) -> None:
        if isinstance(found, Missing):
            text = (
                f"{request.path.name}: the {found.what} is not at {found.path} any more: choose where it is."
            )
            session.message.emit(Task.OPEN, text)
            session.setup.moved.emit(request, found.what, found.path)
        else:
            restore(session, found)

    jobs.run(Task.OPEN, work, done, f"Opening {request.path.name}")


def moved_along(path: Path, moved: Mapping[Path, Path]) -> Path | None:
    """Find data that lay beside others which have moved, at the same place beside them now."""
    for old, new in moved.items():
        for was, place in product((old, *old.parents[:2]), (new, *new.parents[:2])):
            if path.is_relative_to(was) and (found := place / path.relative_to(was)).exists():
                return found
    return None


def _opened(file: SessionFile) -> Opened:
    """Open the data of a session file."""
    found, plate = Opened(), None
    if file.plate is not None:
        p = file.plate
        options = PlateOptions(p.pattern, p.image_root, p.name, p.time, p.projection)
        found = plate_at(OpenRequest(p.path, p.channels or None, options))
        plate = found.plate
    if plate is not None and file.platemap is not None:
        found = _with_platemap(found, file.platemap, plate)
    if file.screen is not None:
        of_screen = screen_at(file.screen, plate, file.looked_at)
        found = replace(of_screen if plate is None else found, screen=of_screen.screen)
    return found


def _with_platemap(found: Opened, m: StoredPlateMap, plate: Plate) -> Opened:
    request = PlateMapRequest(m.path, m.metadata, m.decimal, m.sheet, m.heading, tuple(m.columns.items()))
    read = platemap_at(request, plate)
    return replace(found, platemap=read.platemap, map_request=read.map_request, remark=read.remark)


def restore(session: Session, found: Found) -> None:
    """Put a session back as it was: data first, then how they are looked at, then the question."""
    file = found.file
    session.set_screen(None)
    session.set_plate(None)
    take(session, found.opened)
    session.references.added = found.references
    session.setup.choose_model(file.model, quiet=True)
    plate = {"plate": file.looked_at} if file.looked_at is not None else {}
    session.look(**file.view.model_dump(), **plate)
    session.canvas.look(**file.canvas.model_dump())
    session.named_selections.replace(file.selections)
    session.selection.replace(i for i in file.selection if i in session.wells.index)
    if file.query is not None and session.screen is not None:
        if file.prompts is not None:
            _show_when_answered(session, _prompts(file.prompts))
        session.request(_asked(session, file.query))
    session.edits.forget()
    if file.shown is not None and session.plate is not None:
        try:
            session.plate.site(file.shown)
        except CellClipError:  # other files than when it was saved
            return
        session.show(file.shown)


def _asked(session: Session, query: StoredQuery) -> AskRequest:
    if query.like:
        return AskRequest(query.text, like=query.like, but_not=query.but_not)
    prompts = _prompts(query.prompts) if query.prompts is not None else None
    asked = session.questions.of(query.text, prompts=prompts, combine=query.combine)
    return replace(asked, ticked_off=query.ticked_off)


def _show_when_answered(session: Session, prompts: tuple[Prompt, ...]) -> None:
    """Put changed prompts in place of those of the answer that was asked for."""

    def show() -> None:
        session.answer_changed.disconnect(show)
        session.prompts.show(prompts)

    session.answer_changed.connect(show)
