"""Handler that writes the figure of a session, painted in a worker from a copy that nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from napari_cellclip.gui.panels.figure.figure_files import write_figure
from napari_cellclip.gui.state.export_requests import FigureRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.work.jobs import Jobs


def as_seen_now(session: Session) -> Session:
    """Copy what a session shows; tables, answers and maps are never changed, so they are shared."""
    copy = Session()
    copy.memo = session.memo.copy()
    copy.set_plate(session.plate, session.platemap)
    copy.set_screen(session.screen)
    copy.show_answer(session.answer, session.asked)
    for made in session.maps.by_method.values():
        copy.add_map(made)
    copy.look(**{field.name: getattr(session.view, field.name) for field in fields(View)})
    copy.clusters = session.clusters
    return copy


def export_figure(jobs: Jobs, request: FigureRequest) -> None:
    """Write the figure; cancelled, it leaves no file."""
    seen = as_seen_now(jobs.session)

    def work(report: Callable[[Any], None]) -> Path:
        write_figure(request.path, seen, report)
        return request.path

    def done(path: Path) -> None:
        jobs.session.message.emit(Task.EXPORT, f"Written: the figure to {path}")

    jobs.run_reporting(Task.EXPORT, work, done, "Drawing the figure")
