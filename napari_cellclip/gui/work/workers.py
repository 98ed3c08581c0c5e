"""Background work: late answers are dropped, errors become one sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from napari.qt.threading import create_worker
from qtpy.QtCore import QObject, Signal

from napari_cellclip.gui.plain_text import plain
from napari_cellclip.vocabulary import CellClipError

T = TypeVar("T")
log = logging.getLogger(__name__)


def sentence(error: BaseException) -> str:
    """Put an error into one sentence.

    Our own errors are such sentences already; anything else is a fault of the program, so its type is
    named too and the traceback goes to the log.
    """
    if isinstance(error, CellClipError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "Memory ran out: choose a smaller batch size in the settings and press Encode again."
    log.error("background work failed", exc_info=error)
    detail = str(error).strip().splitlines()
    return f"That did not work ({type(error).__name__}{': ' + detail[0] if detail else ''})."


def _ignore(*_: object) -> None:
    pass


class _OvertakenError(Exception):
    """Ends a function whose result nobody waits for any more."""


class _Messenger(QObject):
    """Carries progress from a worker thread into the thread it was made in."""

    reported = Signal(object)


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Latest:
    """One line of background work, of which only the newest request counts.

    Starting again, or :meth:`cancel`, drops the results of earlier requests, and ends a running generator at
    its next step. ``finished`` is called once for each request that was not overtaken, also if it
    failed.

    All callables but ``work`` are called in the main thread: ``done`` with the result, ``failed`` with one
    sentence, ``finished`` at the end.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._worker: Any = None

    @property
    def running(self) -> bool:
        """Whether the newest request is still at work."""
        return self._worker is not None

    def cancel(self) -> None:
        """Drop what is running."""
        self.generation += 1
        self._worker = None

    def start(
        self,
        work: Callable[[], T],
        done: Callable[[T], object],
        failed: Callable[[str], object] = _ignore,
        finished: Callable[[], object] = _ignore,
        title: str | None = None,
    ) -> None:
        """Run a function in a thread.

        Parameters
        ----------
        work : callable
            Runs in the thread; must not touch Qt, layers or the session.
        done, failed, finished : callable
            See the class.
        title : str, optional
            Shown in napari's activity dock.
        """
        self.cancel()
        generation = self.generation

        def run() -> T | _Failure:
            try:
                return work()
            except Exception as error:
                return _Failure(error)

        def returned(result: T | _Failure) -> None:
            if generation != self.generation:
                return
            self._worker = None
            try:
                if isinstance(result, _Failure):
                    failed(sentence(result.error))
                else:
                    done(result)
            finally:
                if generation == self.generation:  # done() may have started what comes next
                    finished()

        worker: Any = create_worker(
            run, _progress={"desc": plain(title)} if title else None, _ignore_errors=True
        )
        self._worker = worker
        worker.returned.connect(returned)
        # Nothing of ours raises outside run(), but a worker that dies otherwise must not look busy for ever.
        worker.errored.connect(lambda error: returned(_Failure(error)))
        worker.start()

    def start_reporting(
        self,
        work: Callable[[Callable[[Any], None]], T],
        step: Callable[[Any], object],
        done: Callable[[T], object],
        failed: Callable[[str], object] = _ignore,
        finished: Callable[[], object] = _ignore,
        title: str | None = None,
    ) -> None:
        """Run a function that reports progress through a callback; cancelling ends it at its next report."""
        messenger = _Messenger()
        generation = self.generation + 1  # the one that start() is about to make

        def received(value: Any) -> None:
            if generation == self.generation:
                step(value)

        def report(value: Any) -> None:
            if generation != self.generation:
                raise _OvertakenError
            messenger.reported.emit(value)

        messenger.reported.connect(received)
        self.start(lambda: work(report), done, failed, finished, title)

    def stream(
        self,
        work: Callable[[], Generator[Any, None, T]],
        step: Callable[[Any], object],
        done: Callable[[T], object],
        failed: Callable[[str], object] = _ignore,
        finished: Callable[[], object] = _ignore,
        title: str | None = None,
    ) -> None:
        """Run a generator in a thread: ``step`` gets what it yields, ``done`` what it returns.

        Cancelling closes it, in its thread, at its next step.
        """

        def run(report: Callable[[Any], None]) -> T:
            steps = work()
            try:
                while True:
                    report(next(steps))
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                steps.close()

        self.start_reporting(run, step, done, failed, finished, title)
