"""Handlers that explain an answer: stain contributions and match heat maps."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from napari_cellclip.gui.state.explanations import NO_DIRECTION, FieldMatch
from napari_cellclip.gui.state.references import reference_wells
from napari_cellclip.gui.state.requests import ExplainRequest, HeatMapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.vocabulary import CellClipError, split_id

if TYPE_CHECKING:
    from napari_cellclip.explore import StainContributions
    from napari_cellclip.screen import Progress

REFERENCE_FIELDS = 3
"""Fields of reference treatments that are tiled beside a field."""


def explain_wells(jobs: Jobs, request: ExplainRequest) -> None:
    """Share the scores of wells among the stains."""
    session = jobs.session
    screen, answer, wells = session.screen, session.answer, request.wells
    if screen is None or answer is None:
        session.message.emit(Task.EXPLAIN, "Run a query first: stain contributions belong to an answer.")
        return
    if answer.direction is None:
        session.message.emit(Task.EXPLAIN, NO_DIRECTION)
        return
    if not wells:
        session.message.emit(Task.EXPLAIN, "Select the wells to explain first.")
        return

    direction = answer.direction

    def steps() -> Generator[Progress, None, StainContributions]:
        from napari_cellclip.explore.explanation.stain_contributions import iter_stain_contributions

        return (yield from iter_stain_contributions(screen, wells, direction))

    def done(found: StainContributions) -> None:
        if session.answer is answer:
            session.explanations.contributions = found

    jobs.stream(Task.EXPLAIN, steps, done, "Explaining wells")


def reference_fields(session: Session, site: str) -> list[str]:
    """Choose fields of reference treatments of the answer on the plate of a field, one a treatment.

    Those of other plates have another contrast, and pixels that may not be open.
    """
    screen, well = session.screen, site.rsplit("/", 1)[0]
    found: list[str] = []
    if screen is None:
        return found
    for wells in reference_wells(screen, session.answer).values():
        there = [w for w in wells if w != well and split_id(w)[0] == split_id(site)[0]]
        fields = screen.fields.index[screen.fields["Metadata_Well_id"].isin(there[:1])]
        found += [str(field) for field in fields[:1]]
    return found[:REFERENCE_FIELDS]


def draw_heat_map(jobs: Jobs, request: HeatMapRequest) -> None:
    """Score the tiles of a field."""
    session, site = jobs.session, request.site
    screen, answer, plate = session.screen, session.answer, session.plate
    if screen is None or answer is None:
        session.message.emit(
            Task.TILES, "Run a query first: the heat map shows which parts of a field match it."
        )
        return
    if answer.direction is None:
        session.message.emit(Task.TILES, NO_DIRECTION)
        return
    if plate is None:
        session.message.emit(
            Task.TILES, "The pixels of this screen are not open: drop its plate folder on the Explorer."
        )
        return

    direction, beside = answer.direction, reference_fields(session, site)

    def steps() -> Generator[Progress, None, FieldMatch]:
        from napari_cellclip.explore.explanation.field_attention import field_attention
        from napari_cellclip.explore.explanation.match_heat_map import iter_explain_field

        found = yield from iter_explain_field(screen, plate, site, direction, references=beside)
        try:
            attention = field_attention(screen, site.rsplit("/", 1)[0])
        except CellClipError:  # a model that takes the median over fields has no weights
            attention = None
        return FieldMatch(site, found, attention)

    def done(found: FieldMatch) -> None:
        if session.answer is answer:
            session.explanations.heat_map = found

    jobs.stream(Task.TILES, steps, done, "Scoring the tiles of a field")
