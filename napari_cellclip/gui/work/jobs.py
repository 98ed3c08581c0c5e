"""Runs the work of one session in threads and keeps the session informed: the plumbing of every handler."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qtpy.QtCore import QThreadPool

from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.work.workers import Latest, Run

if TYPE_CHECKING:
    from napari_cellclip.gui.state.session import Session
    from napari_cellclip.screen import Progress

T = TypeVar("T")
WAITING = "Waiting until the run before has stopped"


class Counted(Protocol):
    """Progress of any kind: units finished, and units in all."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


class Jobs:
    """The background work of a session, of each task only the newest request.

    While a task runs, :meth:`Session.work` says how far it is; a failure becomes the session's message.

    Parameters
    ----------
    session : Session
        Told of progress and failures; results go to the ``done`` of each call, in the main thread.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lines = {task: Latest() for task in Task}
        # Qt starts as many threads as there are cores: with two of them, a question would wait behind an
        # encoding run and a map until one of these ends.
        if (pool := QThreadPool.globalInstance()) is not None and pool.maxThreadCount() < len(Task):
            pool.setMaxThreadCount(len(Task))

    def running(self, task: Task) -> bool:
        """Tell whether a task is at work."""
        return self._lines[task].running

    def cancel(self, task: Task) -> Work | None:
        """Drop a task and what it was going to give; returns how far it was."""
        work = self.session.work(task)
        self._lines[task].cancel()
        if work is not None:
            self.session.set_work(task, None)
        return work

    def close(self) -> None:
        """Drop all work."""
        for task in Task:
            self.cancel(task)

    def abandon(self) -> None:
        """Drop all work without telling the session: safe in any thread, for a viewer that is gone."""
        for line in self._lines.values():
            line.cancel()

    def run(
        self,
        task: Task,
        work: Callable[[], T],
        done: Callable[[T], object],
        title: str,
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Run a function in a thread; `failed` takes the place of telling the session."""
        self.session.set_work(task, Work(title))
        self._lines[task].start(work, done, failed or self._failed(task), self._finished(task), title)

    def run_reporting(
        self,
        task: Task,
        work: Callable[[Callable[[Counted], None]], T],
        done: Callable[[T], object],
        title: str,
    ) -> None:
        """Run a function that reports its progress through a callback."""

        def step(progress: Counted) -> None:
            self.session.set_work(task, Work(title, progress.done, progress.total))

        self.session.set_work(task, Work(title))
        self._lines[task].start_reporting(work, step, done, self._failed(task), self._finished(task), title)

    def stream(
        self,
        task: Task,
        work: Callable[[], Generator[Progress, None, T]],
        done: Callable[[T], object],
        title: str,
        first: str | None = None,
    ) -> None:
        """Run a generator that yields progress and returns a result; ``first`` is shown until it yields."""

        def step(progress: Progress) -> None:
            self.session.set_work(
                task,
                Work(progress.message, progress.done, progress.total, progress.failures, progress.stage),
            )

        self.session.set_work(task, Work(first or title))
        self._lines[task].stream(work, step, done, self._failed(task), self._finished(task), title)

    def stream_alone(
        self,
        task: Task,
        work: Callable[[Run], Generator[Progress, None, T]],
        part: Callable[[Any], object],
        done: Callable[[T], object],
        title: str,
        first: str,
    ) -> None:
        """Run a generator that writes files: it begins when the one before it has stopped writing.

        Parameters
        ----------
        work : callable
            Gets its :class:`~napari_cellclip.gui.work.workers.Run`.
        part : callable
            Gets, in the main thread, what the run hands over before its end.
        """

        def step(progress: Progress) -> None:
            self.session.set_work(
                task,
                Work(progress.message, progress.done, progress.total, progress.failures, progress.stage),
            )

        line = self._lines[task]
        self.session.set_work(task, Work(WAITING if line.is_writing else first))
        failed, finished = self._failed(task), self._finished(task)
        line.stream_alone(work, step, part, done, failed, finished, title)

    def _failed(self, task: Task) -> Callable[[str], Any]:
        return lambda message: self.session.message.emit(task, message)

    def _finished(self, task: Task) -> Callable[[], Any]:
        return lambda: self.session.set_work(task, None)
