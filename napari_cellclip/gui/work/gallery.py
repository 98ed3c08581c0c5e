"""Handlers that search the Cell Painting Gallery and fetch plates from it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellclip.gui.state.requests import FetchPlateRequest, OpenRequest, SearchGalleryRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs

if TYPE_CHECKING:
    from napari_cellclip.plates import Found
    from napari_cellclip.screen import Progress


def search_for_plates(jobs: Jobs, request: SearchGalleryRequest) -> None:
    """Search the gallery; what is found goes into the session."""

    def work() -> Generator[Progress, None, tuple[Found, ...]]:
        from napari_cellclip.plates import iter_search_gallery
        from napari_cellclip.screen import Progress

        found: list[Found] = []
        for step in iter_search_gallery(**dict(request.wanted)):
            found += step.found
            yield Progress(step.done, step.total, f"{step.message} · {len(found)} found")
        return tuple(found)

    def done(found: tuple[Found, ...]) -> None:
        jobs.session.gallery.found = found

    jobs.stream(Task.GALLERY, work, done, "Searching the gallery")


def fetch_into_folder(jobs: Jobs, request: FetchPlateRequest) -> None:
    """Fetch a plate, or a part of it, into a folder, and open it."""

    def work() -> Generator[Progress, None, Path]:
        from napari_cellclip.plates import iter_fetch_plate
        from napari_cellclip.screen import Progress

        options: dict[str, Any] = {"wells": request.wells or None, "sites": request.sites or None}
        for step in iter_fetch_plate(request.address, request.out, **options):
            yield Progress(step.done, step.total, f"Fetching {step.message.rpartition('/')[2]}")
        return request.out

    def done(folder: Path) -> None:
        jobs.session.message.emit(Task.FETCH, f"{request.address} is in {folder}.")
        jobs.session.request(OpenRequest(folder))

    jobs.stream(Task.FETCH, work, done, f"Fetching {request.address}")
