"""Handlers that score the wells of the open screen and map them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellclip.gui.state.requests import AskRequest, MapRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer, Projection

NOT_ENCODED = "Nothing is encoded yet: open a plate and press Encode under Set-up."


def ask_screen(jobs: Jobs, request: AskRequest) -> None:
    """Score the wells by a text or by examples; an empty text clears the answer."""
    session, screen = jobs.session, jobs.session.screen
    request = replace(request, text=request.text.strip())
    if not request.text:
        jobs.cancel(Task.ASK)
        session.answer = None
        return
    session.questions.remember(request)
    if screen is None:
        session.message.emit(Task.ASK, NOT_ENCODED)
        return
    fdr, number = session.view.fdr, session.screen_number

    def answer() -> Answer:
        from napari_cellclip.explore import ask, like

        if request.like:
            return like(screen, request.like, request.but_not, fdr=fdr)
        return ask(
            screen,
            request.text,
            fdr=fdr,
            prompts=request.prompts,
            combine=request.combine,
            use_platemap=request.use_platemap,
            evidence=request.evidence,
            references=request.references.joined if request.references is not None else None,
            structures=request.structures,
            ticked_off=request.ticked_off,
        )

    def done(found: Answer) -> None:
        if session.screen_number == number:
            session.show_answer(found, request)
            if session.screen is not screen:  # more has been encoded meanwhile
                session.request(request)

    jobs.run(Task.ASK, answer, done, "Asking")


def map_screen(jobs: Jobs, request: MapRequest) -> None:
    """Compute a map of the screen; PCA is followed by the map that the user looks at."""
    session, screen = jobs.session, jobs.session.screen
    if screen is None:
        return
    number = session.screen_number

    def project() -> Projection:
        from napari_cellclip.explore import pca_map, umap_map

        if request.method == "pca":
            return pca_map(screen)
        return umap_map(screen, extend=False) if request.anew else umap_map(screen)

    def done(projection: Projection) -> None:
        if session.screen_number == number:
            session.add_map(projection)
            if request.method == "pca" and session.view.map_method == "umap" and not session.growing:
                session.request(MapRequest("umap"))

    jobs.run(Task.MAP, project, done, f"Computing the {request.method.upper()} map")
