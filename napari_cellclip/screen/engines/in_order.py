"""Run jobs on one or several workers at once, and hand out their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import TypeVar

Job = TypeVar("Job")
Worker = TypeVar("Worker")
Result = TypeVar("Result")


def in_order(
    jobs: Iterable[Job],
    work: Callable[[Worker, Job], Result],
    workers: Sequence[Worker],
    *,
    heartbeat: float | None = None,
) -> Generator[tuple[Job, Result] | None, None, None]:
    """Run jobs in threads, each on a worker that is free, and yield results in the order of the jobs.

    One job more than there are workers is drawn ahead, so that a worker need not wait while the caller draws
    the next job or stores a result. Closing the generator waits for the jobs that have begun: what they use
    may be taken away afterwards. An error of a job is raised at its place.

    Parameters
    ----------
    jobs : iterable
        Drawn one by one, in the caller's thread.
    work : callable
        From a worker and a job to a result.
    workers : sequence
        Such as copies of a model on several devices; each does one job at a time.
    heartbeat : float, optional
        Yield ``None`` whenever so many seconds passed without a result.

    Yields
    ------
    tuple of (job, result), or None
    """
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def run(job: Job) -> Result:
        worker = free.get()
        try:
            return work(worker, job)
        finally:
            free.put(worker)

    def results(most: int) -> Generator[tuple[Job, Result] | None, None, None]:
        while len(waiting) > most:
            job, future = waiting[0]
            wait([future], timeout=heartbeat)
            if not future.done():
                yield None
                continue
            waiting.popleft()
            yield job, future.result()

    waiting: deque[tuple[Job, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(len(workers), thread_name_prefix="cellclip-encode")
    try:
        for job in jobs:
            waiting.append((job, pool.submit(run, job)))
            yield from results(len(workers))
        yield from results(0)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
