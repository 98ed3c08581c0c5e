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
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.work.files.session_file import (
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
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.opening import Opened, plate_at, platemap_at, screen_at, take
from napari_cellclip.gui.work.references import joined_parts, read_part
from napari_cellclip.vocabulary import CellClipError, split_id

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
    # By its name it is the plate of its screen, whatever its folder is called later.
    read = {**asdict(options), "name": plate.name}
    return StoredPlate(path=path, channels=dict(plate.stains.channels), **read)


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
    """Data of a session that are not where its file says, or not where they have moved as the user says.

    Attributes
    ----------
    what : str
        A word for them.
    path : Path
        Where the file says.
    others : bool
        Whether the session has a plate or a screen without them.
    why : str
        What is wrong with the place the user chose; empty if there was none.
    """

    what: str
    path: Path
    others: bool
    why: str = ""


@dataclass(frozen=True)
class Found:
    """A session file, and what it names."""

    file: SessionFile
    opened: Opened
    references: AddedReferences | None


def open_session(jobs: Jobs, request: OpenSessionRequest) -> None:
    """Open what a session file names; of data that have moved the user is asked where they are now."""
    session = jobs.session
    moved = {old: new for old, new in request.moved if new is not None}
    left_out = [old for old, new in request.moved if new is None]

    def work() -> Found | Missing:
        whole = read_session_file(request.path).without(left_out)

        def missing(what: str, path: Path, why: str = "") -> Missing:
            rest = whole.without([path])
            return Missing(what, path, rest.plate is not None or rest.screen is not None, why)

        def first_missing(part: SessionFile) -> Missing | None:
            for what, path in part.needed():
                place = moved.get(path, path)
                if not is_address(place) and not place.exists():
                    near = moved_along(path, moved)
                    if near is None:
                        return missing(what, path)
                    moved[path] = near
            return None

        plate = None
        if whole.plate is not None:  # before all else: where the wrong one was chosen, nothing lies beside it
            if gone := first_missing(SessionFile(plate=whole.plate)):
                return gone
            try:
                plate = _plate(whole.moved(moved))
                if whole.plate.path in moved and whole.shown is not None:
                    _check_site(plate, whole.shown)
            except CellClipError as error:
                if whole.plate.path not in moved:
                    raise
                return missing("plate", whole.plate.path, str(error))
        if gone := first_missing(whole):
            return gone
        file = whole.moved(moved)
        remember("sessions", request.path)
        parts = tuple(AddedPart(path, read_part(path)) for path in file.references)
        return Found(file, _opened(file, plate), joined_parts(parts) if parts else None)

    def done(found: Found | Missing) -> None:
        if isinstance(found, Missing):
            name, asked = request.path.name, request
            text = f"{name}: the {found.what} is not at {found.path} any more: choose where it is."
            if found.why:
                text = f"{name}: that is not the {found.what} that was at {found.path}: {found.why}"
                asked = replace(request, moved=tuple(m for m in request.moved if m[0] != found.path))
            session.message.emit(Task.OPEN, text)
            session.setup.moved.emit(asked, found.what, found.path, found.others)
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


def _plate(file: SessionFile) -> Opened:
    p = file.plate
    assert p is not None
    options = PlateOptions(p.pattern, p.image_root, p.name, p.time, p.projection)
    return plate_at(OpenRequest(p.path, p.channels or None, options))


def _check_site(opened: Opened, shown: str) -> None:
    """Refuse a plate that lacks the site which was shown of it."""
    if opened.plate is not None and split_id(shown)[0] == opened.plate.name:
        opened.plate.site(shown)


def _opened(file: SessionFile, found: Opened | None) -> Opened:
    """Open the data of a session file whose plate, if it has one, is open."""
    found = found if found is not None else Opened()
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
