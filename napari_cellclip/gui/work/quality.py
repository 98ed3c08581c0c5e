"""Handlers that exclude sites, and that take batch effects out of the open screen."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from napari_cellclip.gui.state.requests import CorrectRequest, ExcludeRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs

if TYPE_CHECKING:
    from napari_cellclip.screen import Progress, Screen


EXCLUDED = "excluded sites"
"""What the steps of undo call them."""


def exclude_sites(jobs: Jobs, request: ExcludeRequest) -> None:
    """Leave these sites, and no others, out of their wells, and open the screen as it is then."""
    session, screen = jobs.session, jobs.session.screen
    if screen is None:
        return

    def steps() -> Generator[Progress, None, Screen]:
        return (yield from screen.iter_exclude(request.sites))

    def done(found: Screen) -> None:
        if session.screen is screen:
            session.set_screen(found)
            session.edits.record(EXCLUDED, dict(screen.excluded), dict(found.excluded))

    jobs.stream(Task.QUALITY, steps, done, "Embedding wells without the excluded sites")


def correct_screen(jobs: Jobs, request: CorrectRequest) -> None:
    """Correct the embeddings of the open screen, and say how plates mix before and after."""
    session, screen = jobs.session, jobs.session.screen
    if screen is None:
        return

    def work() -> tuple[Screen, str]:
        from napari_cellclip.screen.plate_mixing import plate_mixing

        before = screen.correct("none")
        after = screen.correct(cast(Any, request.method))
        if request.method == "none":
            return after, "The embeddings are as the model made them."
        text = f"Corrected: {after.correction.described}." if after.correction is not None else ""
        plates = screen.wells["Metadata_Plate"].tolist()
        if len(set(plates)) > 1:
            mixed = [plate_mixing(one.embeddings, plates) for one in (before, after)]
            text += f" Plate mixing {mixed[0]:.2f} before, {mixed[1]:.2f} after (1: as shuffled)."
        return after, text

    def done(found: tuple[Screen, str]) -> None:
        if session.screen is screen:
            session.set_screen(found[0])
            session.message.emit(Task.QUALITY, found[1])

    jobs.run(Task.QUALITY, work, done, "Correcting batch effects")
