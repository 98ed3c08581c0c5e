"""Exports of a session: hit lists, AnnData and Parquet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from napari_cellclip.gui.state.export_requests import ExportRequest, SaveTableRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import OF_TREATMENTS, counted
from napari_cellclip.gui.work.files.python_script import python_script
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.screen.export import ExportedWells, export_format, spreadsheet_safe
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari_cellclip.explore import Answer
    from napari_cellclip.gui.state.view import Projections
    from napari_cellclip.screen import Screen

SCORES = ("score", "cosine", "rank", "q")
"""What the answer says of a well, in files that hold embeddings."""


def hit_list(session: Session, ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Make the hit list: wells, best first, each row with query and model.

    Parameters
    ----------
    session : Session
        What is open.
    ids : iterable of str, optional
        Only these wells; all by default.
    """
    table = session.wells
    if session.answer is None or session.answer.references is None:
        table = table.drop(columns=list(OF_TREATMENTS))
    if ids is not None:
        wanted = set(ids)
        table = table[[i in wanted for i in table.index]]
    if session.answer is not None:
        table = table.sort_values("score", ascending=False, kind="stable")
        table = table.assign(query=session.answer.query)
    if session.screen is not None:
        table = table.assign(model=session.screen.card.name, screen=str(session.screen.path))
    return table


def exported_wells(
    screen: Screen,
    answer: Answer | None,
    table: pd.DataFrame,
    maps: Projections,
    ids: Iterable[str] | None = None,
) -> ExportedWells:
    """Gather what a file with embeddings holds: wells, embeddings, maps, and how the scores came about.

    Parameters
    ----------
    screen : Screen
        Holds the embeddings.
    answer : Answer or None
        Gave the scores.
    table : DataFrame
        The well table of the session.
    maps : Projections
        Maps of the screen.
    ids : iterable of str, optional
        Only these wells; all of the screen by default.
    """
    found = screen.exported(ids)
    wells = found.wells
    if answer is not None:
        scored = table.reindex(wells.index)
        wells = wells.assign(**{f"Metadata_query_{name}": scored[name].to_numpy() for name in SCORES})
    places = {
        f"X_{name}": pd.DataFrame(np.asarray(made.xy, np.float32), index=[str(i) for i in made.ids])
        .reindex(wells.index.astype(str))
        .to_numpy(np.float32)
        for name, made in maps.by_method.items()
    }
    return replace(found, wells=wells, maps=places, about={**found.about, **provenance(screen, answer, ids)})


def provenance(
    screen: Screen | None, answer: Answer | None, ids: Iterable[str] | None = None
) -> dict[str, Any]:
    """Say how what is exported came about: screen, model, question, verdict, evidence, prompts."""
    about: dict[str, Any] = {"selected": ids is not None}
    if screen is not None:
        about |= {"screen": str(screen.path), "model": str(screen.card.name)}
    if answer is not None:
        about |= {
            "query": answer.query,
            "verdict": answer.verdict,
            "fdr": float(answer.fdr),
            "evidence": answer.evidence,
            "prompts": "\n".join(answer.prompts),
            "notes": "\n".join(answer.notes),
        }
    return about


def export_work(session: Session, path: Path, selected_only: bool = False) -> Callable[[], str]:
    """Return the work that writes what is open now to a file, to be run in a thread.

    Parameters
    ----------
    session : Session
        What is open.
    path : Path
        Its suffix names one of the formats of ``screen/export.py``.
    selected_only : bool
        Leave out the wells that are not selected.

    Returns
    -------
    callable
        Returns a sentence that names file and count; raises ScreenError if nothing is encoded or selected,
        or no format has that suffix.
    """
    ids = session.selection.ids if selected_only else None
    screen, answer, table, maps = session.screen, session.answer, session.wells, session.maps
    hits = hit_list(session, ids)
    script = python_script(session) if screen is not None else ""

    def work() -> str:
        chosen = export_format(path)
        if ids is not None and not ids:
            raise ScreenError("No well is selected: select the wells to export first.")
        if not chosen.embeddings:
            chosen.write(
                path, ExportedWells(hits, about={**provenance(screen, answer, ids), "script": script})
            )
            return written(path, len(hits), selected_only)
        if screen is None:
            raise ScreenError("Nothing is encoded yet, so there are no embeddings to export.")
        embedded = exported_wells(screen, answer, table, maps, ids)
        there = int(np.isfinite(embedded.embeddings).all(axis=1).sum())
        if not there:
            raise ScreenError("None of these wells has an embedding to export: encode them first.")
        chosen.write(path, replace(embedded, about={**embedded.about, "script": script}))
        return written(path, there, selected_only, len(embedded.wells) - there)

    return work


def written(path: Path, wells: int, selected: bool, left_out: int = 0) -> str:
    """Say what was written, and where."""
    without = f" ({counted(left_out, 'well')} without an embedding left out)" if left_out else ""
    return f"Written: {counted(wells, 'selected well' if selected else 'well')} to {path}{without}"


def export_wells(jobs: Jobs, request: ExportRequest) -> None:
    """Write the wells or the screen to a file."""
    _save(jobs, export_work(jobs.session, request.path, request.selected_only))


def save_table(jobs: Jobs, request: SaveTableRequest) -> None:
    """Write a table as CSV."""

    def work() -> str:
        spreadsheet_safe(request.table).to_csv(request.path, index=request.index)
        return f"Written: {counted(len(request.table), 'row')} to {request.path}"

    _save(jobs, work)


def _save(jobs: Jobs, work: Callable[[], str]) -> None:
    jobs.run(Task.EXPORT, work, lambda text: jobs.session.message.emit(Task.EXPORT, text), "Exporting")
