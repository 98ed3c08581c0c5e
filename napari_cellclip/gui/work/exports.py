"""Exports of a session: hit lists, AnnData, Parquet, and a Python script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellclip.gui.state.requests import AskRequest, ExportRequest, SaveTableRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import OF_TREATMENTS
from napari_cellclip.gui.work.jobs import Jobs
from napari_cellclip.screen.export import spreadsheet_safe
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd


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


def export_work(session: Session, path: Path, selected_only: bool = False) -> Callable[[], Path]:
    """Return the work that writes what is open now to a file, to be run in a thread.

    Parameters
    ----------
    session : Session
        What is open.
    path : Path
        Its suffix names one of the formats of ``screen/export.py``.
    selected_only : bool
        Leave out the wells that are not selected (hit lists only).

    Returns
    -------
    callable
        Returns the path; raises ScreenError if nothing is encoded, or no format has that suffix.
    """
    screen = session.screen
    hits = hit_list(session, session.selection.ids if selected_only else None)

    def work() -> Path:
        from napari_cellclip.screen.export import ExportedWells, export_format

        chosen = export_format(path)
        if not chosen.embeddings:
            chosen.write(path, ExportedWells(hits))
            return path
        if screen is None:
            raise ScreenError("Nothing is encoded yet, so there are no embeddings to export.")
        return screen.export(path)

    return work


def export_wells(jobs: Jobs, request: ExportRequest) -> None:
    """Write the wells or the screen to a file."""
    _save(jobs, export_work(jobs.session, request.path, request.selected_only))


def save_table(jobs: Jobs, request: SaveTableRequest) -> None:
    """Write a table as CSV."""

    def work() -> Path:
        spreadsheet_safe(request.table).to_csv(request.path, index=request.index)
        return request.path

    _save(jobs, work)


def _save(jobs: Jobs, work: Callable[[], Path]) -> None:
    def done(path: Path) -> None:
        jobs.session.message.emit(Task.EXPORT, f"Saved: {path}")

    jobs.run(Task.EXPORT, work, done, "Exporting")


def python_script(session: Session) -> str:
    """Write the session as a script that gives the same answer without a window.

    Raises
    ------
    ScreenError
        If nothing is encoded.
    """
    if session.screen is None:
        raise ScreenError("Encode a plate first: the script starts from a screen.")
    lines = [
        "from napari_cellclip import Screen, ask, like",
        "",
        f"screen = Screen.open({str(session.screen.path)!r})",
    ]
    if session.answer is not None:
        lines += [*_query_lines(session), "print(answer.verdict)", "print(answer.treatments_table.head(20))"]
    if session.selection.ids:
        lines.append(f"selected = screen.wells.loc[{sorted(session.selection.ids)!r}]")
    return "\n".join(lines) + "\n"


def _reference_lines(query: AskRequest) -> list[str]:
    """Write how the references of a question were read, as Python."""
    if query.references is None:
        return []
    parts = [
        f"    build_references([Screen.open({str(part.path)!r})]),"
        if part.is_screen
        else f"    read_references({str(part.path)!r}),"
        for part in query.references.parts
    ]
    return [
        "from napari_cellclip.explore import build_references, read_references",
        "from napari_cellclip.explore.references.reference_set import joined",
        "",
        "references = joined([",
        *parts,
        "])",
    ]


def _query_lines(session: Session) -> list[str]:
    """Write the query that gave the answer as Python, with the rate that the answer was tested at."""
    assert session.answer is not None
    query = session.asked or AskRequest(session.answer.query)
    fdr = f"fdr={session.answer.fdr:g}"
    if query.like:
        but_not = f", {list(query.but_not)!r}" if query.but_not else ""
        return [f"answer = like(screen, {list(query.like)!r}{but_not}, {fdr})"]
    options, lines = [fdr], _reference_lines(query)
    if query.prompts is not None:
        sent = "".join(f"    Prompt({p.text!r}, {p.weight:g}),\n" for p in session.answer.sent if p.on)
        lines += [
            "",
            "from napari_cellclip.explore.wording.wording import Prompt",
            "",
            f"prompts = [\n{sent}]",
        ]
        options.append("prompts=prompts")
    if query.combine != "mean":
        options.append(f"combine={query.combine!r}")
    if not query.use_platemap:
        options.append("use_platemap=False")
    if query.evidence != "auto":
        options.append(f"evidence={query.evidence!r}")
    if query.references is not None:
        options.append("references=references")
    if not query.structures:
        options.append("structures=False")
    if query.ticked_off:
        options.append(f"ticked_off={list(query.ticked_off)!r}")
    return [*lines, f"answer = ask(screen, {query.text!r}, {', '.join(options)})"]
