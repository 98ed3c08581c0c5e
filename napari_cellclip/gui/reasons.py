"""Carries out the wishes to understand an answer: explanations and descriptions, in worker threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_cellclip.gui.wishes import Task, Work
from napari_cellclip.gui.workers import Latest

if TYPE_CHECKING:
    from napari_cellclip.gui.session import Session


class Reasons:
    """Listens to the session for what should be explained.

    Parameters
    ----------
    session : Session
        The state to serve.
    lines : dict of Task to Latest
        The lines of work of the controller.
    """

    def __init__(self, session: Session, lines: dict[Task, Latest]) -> None:
        self.session = session
        self._lines = lines
        session.explain_wished.connect(self.on_explain)
        session.answer_changed.connect(self.on_answer_changed)

    def on_answer_changed(self) -> None:
        """Drop explanations of an earlier answer."""
        for task in (Task.EXPLAIN, Task.TILES):
            if self._lines[task].running:
                self._lines[task].cancel()
                self.session.set_work(task, None)

    def on_explain(self, wells: tuple[str, ...]) -> None:
        """Share the scores of wells among the stains."""
        screen, answer = self.session.screen, self.session.answer
        if screen is None or answer is None:
            self.session.said.emit(Task.EXPLAIN, "Ask something first: an explanation is of an answer.")
            return
        if not wells:
            self.session.said.emit(Task.EXPLAIN, "Select the wells to explain first.")
            return

        def steps() -> Iterator[Any]:
            from napari_cellclip.explore.explain import iter_stain_contributions

            found = yield from iter_stain_contributions(screen, wells, answer.direction)
            yield found

        def step(value: Any) -> None:
            if hasattr(value, "total"):
                self.session.set_work(Task.EXPLAIN, Work(value.message, value.done, value.total))
            elif self.session.answer is answer:
                self.session.contributions = value

        self._stream(Task.EXPLAIN, steps, step, "Explaining wells")

    def _stream(self, task: Task, steps: Any, step: Any, title: str) -> None:
        self.session.set_work(task, Work(title))
        self._lines[task].stream(
            steps,
            step,
            lambda: None,
            lambda message: self.session.said.emit(task, message),
            lambda: self.session.set_work(task, None),
            title,
        )
