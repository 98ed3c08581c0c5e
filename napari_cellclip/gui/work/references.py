"""Handlers of reference treatments: add them, take them out, test which mechanisms they can recognise."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.state.references import AddedPart, AddedReferences, Mechanisms
from napari_cellclip.gui.state.requests import (
    AddReferencesRequest,
    InstallReferencesRequest,
    MechanismsRequest,
    RemoveReferencesRequest,
)
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.gui.work.queries import NOT_ENCODED
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.explore import ReferenceSet
    from napari_cellclip.screen import Progress, Screen


def add_references(jobs: Jobs, request: AddReferencesRequest) -> None:
    """Read references, compare them with the open screen, then ask the last question again with them."""
    session, screen = jobs.session, jobs.session.screen
    path = request.path.resolve()
    before = session.references.added
    parts = tuple(p for p in (before.parts if before is not None else ()) if p.path != path)

    def read() -> AddedReferences:
        added = joined_parts((*parts, AddedPart(path, read_part(path))))
        if screen is not None:
            _require_comparable(screen, added)
        return added

    jobs.run(Task.REFERENCES, read, lambda added: _take(jobs, added), f"Reading {path.name}")


def install_references(jobs: Jobs, request: InstallReferencesRequest) -> None:
    """Install a public set unless it is there, then add it as a reference file is."""
    session = jobs.session

    def steps() -> Generator[Progress, None, Path]:
        from napari_cellclip.explore.references.public.installed_sets import (
            installed_file,
            iter_install_public,
        )
        from napari_cellclip.explore.references.public.public_sets import PUBLIC_SETS

        if (file := installed_file(request.name)) is not None:
            return file
        return (yield from iter_install_public(PUBLIC_SETS[request.name]))

    def done(file: Path) -> None:
        session.request(AddReferencesRequest(file))

    jobs.stream(Task.INSTALL, steps, done, f"Installing {request.name}")


def remove_references(jobs: Jobs, request: RemoveReferencesRequest) -> None:
    """Take references out, then ask the last question again without them."""
    before = jobs.session.references.added
    if before is None:
        return
    parts = tuple(part for part in before.parts if part.path != request.path)
    if not parts:
        jobs.cancel(Task.REFERENCES)
        _take(jobs, None)
        return
    jobs.run(
        Task.REFERENCES,
        lambda: joined_parts(parts),
        lambda added: _take(jobs, added),
        "Joining the references",
    )


def find_mechanisms(jobs: Jobs, _request: MechanismsRequest) -> None:
    """Test every mechanism that at least two references carry."""
    session, screen = jobs.session, jobs.session.screen
    if screen is None:
        session.message.emit(Task.MECHANISMS, NOT_ENCODED)
        return
    added, use_platemap = session.references.added, session.view.use_platemap

    def steps() -> Generator[Progress, None, Mechanisms]:
        from napari_cellclip.explore.references.building import iter_recognisable_mechanisms

        try:
            table = yield from iter_recognisable_mechanisms(
                screen, added.joined if added is not None else None, use_platemap=use_platemap
            )
        except CellClipError as error:  # a screen without labels is no failure: the panel says what lacks
            return Mechanisms(None, str(error))
        return Mechanisms(table)

    def done(found: Mechanisms) -> None:
        if session.screen is screen and session.references.added is added:
            session.references.mechanisms = found

    jobs.stream(Task.MECHANISMS, steps, done, "Testing mechanisms", "Comparing the references")


def read_part(path: Path) -> ReferenceSet:
    """Read the references of a screen folder or a reference file.

    Raises
    ------
    CellClipError
        If it is neither, or names no references.
    """
    from napari_cellclip.explore import build_references, read_references

    if (path / "screen.json").is_file():
        from napari_cellclip.screen import Screen

        return build_references([Screen.open(path)])
    if path.is_dir():
        raise CellClipError(f"{path.name} is no screen: choose a folder that holds a screen.json")
    return read_references(path)


def joined_parts(parts: tuple[AddedPart, ...]) -> AddedReferences:
    """Join the references that were read, on the features they share."""
    from napari_cellclip.explore.references.reference_set import joined

    return AddedReferences(parts, joined([part.references for part in parts]))


def _require_comparable(screen: Screen, added: AddedReferences) -> None:
    from napari_cellclip.explore.references.profiles import profiles_of
    from napari_cellclip.explore.references.reference_set import shared_features

    wells, references = profiles_of(screen), added.joined
    shared_features(
        [
            ("the references", references.space, references.features),
            (f"screen {screen.name}", wells.space, wells.features),
        ]
    )


def _take(jobs: Jobs, added: AddedReferences | None) -> None:
    session = jobs.session
    tested = session.references.mechanisms is not None or jobs.running(Task.MECHANISMS)
    session.references.added = added
    session.questions.ask_again()
    if tested and session.screen is not None:
        session.request(MechanismsRequest())
