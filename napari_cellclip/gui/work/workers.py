"""Background work: late answers are dropped, errors become one sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

from napari.qt.threading import FunctionWorker, create_worker
from qtpy.QtCore import QObject, Signal

from napari_cellclip.gui.plain_text import plain
from napari_cellclip.vocabulary import CellClipError

T = TypeVar("T")
PAUSE = 0.1
"""Seconds between two looks whether a run before has stopped."""
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
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used ({error.strerror}): check the path, its rights and the disk."
    detail = str(error).strip().splitlines()
    return f"That did not work ({type(error).__name__}{': ' + detail[0] if detail else ''})."


def _ignore(*_: object) -> None:
    pass


class _OvertakenError(Exception):
    """Ends a function whose result nobody waits for any more."""


class _Messenger(QObject):
    """Carries progress from a worker thread into the thread it was made in."""

    reported = Signal(object)


class _Worker(FunctionWorker[Any]):
    """A worker that may outlive the window: at the end of the program Qt's side of it is gone first."""

    def run(self) -> None:
        with suppress(RuntimeError):  # what work() raises is caught in it; this is "has been deleted"
            super().run()


class _Named:
    """A function that napari names by a title, in the question whether to quit while it runs."""

    def __init__(self, function: Callable[[], Any], title: str) -> None:
        self._function, self._title = function, title

    def __call__(self) -> Any:
        return self._function()

    def __str__(self) -> str:
        return self._title


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Run:
    """State of a run that writes files.

    Parameters
    ----------
    overtaken : callable
        Whether it was cancelled.
    hand : callable
        Takes a part of the result into the main thread.
    """

    def __init__(self, overtaken: Callable[[], bool], hand: Callable[[Any], None]) -> None:
        self._overtaken = overtaken
        self.hand = hand

    def check(self) -> None:
        """End the run, from within, if it was cancelled."""
        if self._overtaken():
            raise _OvertakenError


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
        self._writing = Lock()

    @property
    def running(self) -> bool:
        """Whether the newest request is still at work."""
        return self._worker is not None

    @property
    def is_writing(self) -> bool:
        """Whether a run of :meth:`stream_alone`, cancelled or not, has not come to its end."""
        return self._writing.locked()

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
                if generation != self.generation:  # before it had a thread
                    raise _OvertakenError
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

        progress = {"desc": plain(title)} if title else None
        worker: Any = create_worker(
            _Named(run, title or "work of CellCLIP"),
            _progress=progress,
            _ignore_errors=True,
            _worker_class=_Worker,
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
        self.start_reporting(lambda report: _drained(work(), report), step, done, failed, finished, title)

    def stream_alone(
        self,
        work: Callable[[Run], Generator[Any, None, T]],
        step: Callable[[Any], object],
        part: Callable[[Any], object],
        done: Callable[[T], object],
        failed: Callable[[str], object] = _ignore,
        finished: Callable[[], object] = _ignore,
        title: str | None = None,
    ) -> None:
        """:meth:`stream` for a generator that writes: it waits until an earlier one, cancelled, has stopped.

        ``work`` gets a :class:`Run`, and what that hands over reaches ``part`` in the main thread.
        """
        messenger, generation = _Messenger(), self.generation + 1

        def received(value: Any) -> None:
            if generation == self.generation:
                part(value)

        messenger.reported.connect(received)

        def hand(value: Any) -> None:
            messenger.reported.emit(value)  # a bound signal alone would not keep the messenger alive

        run = Run(lambda: generation != self.generation, hand)

        def wait_and_go(report: Callable[[Any], None]) -> T:
            while not self._writing.acquire(timeout=PAUSE):
                run.check()
            try:
                return _drained(work(run), report)
            finally:
                self._writing.release()

        self.start_reporting(wait_and_go, step, done, failed, finished, title)


def _drained(steps: Generator[Any, None, T], report: Callable[[Any], None]) -> T:
    """Report the steps of a generator, return what it returns, and close it in this thread."""
    try:
        while True:
            report(next(steps))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
