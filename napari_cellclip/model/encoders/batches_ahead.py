"""Encode batches beside one another: on a processor one on each core, on a GPU the next behind the last."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from threading import Barrier
from typing import TypeVar

import torch

KEPT_BYTES = 16 * 2**20
"""Blocks up to this size are kept: feature maps of a batch have 4 MiB, a field of 1080 x 1080 pixels 11."""

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def on_each_core(
    batches: Iterable[Batch], encode: Callable[[Batch], Result]
) -> Generator[Result, None, None]:
    """Encode as many batches at once as torch has threads, each in one of them, and yield in order.

    Threads that share each layer of a network wait for one another at the end of every layer, and for the
    cores that decode images meanwhile; and features depend on how many they are. With a thread to itself a
    batch does neither, and what it reads and writes stays in the caches of its core.

    Parameters
    ----------
    batches : iterable
        Drawn one by one in the caller's thread, one more than there are threads ahead.
    encode : callable
        From a batch to its result; called in several threads at once.
    """
    keep_freed_memory()
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(encode, batches)
        return
    pool = _single_threads(threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(encode, batch))
            del batch  # or it would wait a turn longer than it is counted
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)


def one_behind(batches: Iterable[Batch], launch: Callable[[Batch], Result]) -> Generator[Result, None, None]:
    """Launch each batch before the last is handed out, so that a GPU need not wait for the next.

    Parameters
    ----------
    batches : iterable
        Drawn one by one.
    launch : callable
        Starts what a device computes of a batch, and returns before it is done.
    """
    last: list[Result] = []
    for batch in batches:
        last.append(launch(batch))
        if len(last) > 1:
            yield last.pop(0)
    yield from last


def alone(work: Callable[[], Result]) -> Result:
    """Call what measures a network in a thread as `on_each_core` uses it."""
    (result,) = on_each_core([work], lambda it: it())
    return result


@cache
def keep_freed_memory() -> None:
    """Let the C library keep the memory of a layer for the next, once a process.

    That of Linux gives memory back as soon as it is free, and takes it again page by page: up to 20,000 page
    faults a field of 1080 x 1080 pixels, a fifth of the demo encoder's time. It keeps blocks as large as the
    largest that was ever freed (mallopt(3), dynamic mmap threshold), so one is. Elsewhere nothing changes.
    """
    torch.empty(KEPT_BYTES, dtype=torch.uint8)


@cache
def _single_threads(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch computes without further ones; kept, since idle ones cost nothing."""
    started = Barrier(threads)

    def start() -> None:
        torch.get_num_threads()  # a thread takes the number for all at its first call, and keeps its own then
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="cellclip-core", initializer=start)
    wait([pool.submit(int) for _ in range(threads)])
    # The number of a thread is its own, but that of threads to come is the last that anybody asked for.
    torch.set_num_threads(threads)
    return pool
