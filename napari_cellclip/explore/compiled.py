"""Loops compiled by numba, kept on disk between processes and run in several threads.

For what numpy does in many passes, or by waiting for memory. numba is imported with the first of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

MOST_THREADS = 8
"""Threads that a loop is spread over; these loops wait for memory, which few threads keep busy."""

MANY = 1 << 16
"""Wells from which loops are compiled where numpy does the same: numba takes half a second to load."""

AT_LEAST = 1 << 14
"""Turns of a loop below which a further thread costs more than it takes over."""


def keep_compiled(function: object) -> None:
    """Let numba store what it compiles of a function; anything else is left as it is."""
    from numba.core.dispatcher import Dispatcher

    if not isinstance(function, Dispatcher):
        return
    try:
        function.enable_caching()
    except RuntimeError:  # no folder can be written: it is compiled in each process, as before
        return


@cache
def _compiled(loop: Callable[..., None]) -> Callable[..., None]:
    from numba import njit

    # Sums may be taken in any order, so that several terms are added at once; NaN and infinity stay.
    made: Callable[..., None] = njit(nogil=True, fastmath={"reassoc", "contract"})(loop)
    keep_compiled(made)
    return made


def run_compiled(loop: Callable[..., None], turns: int, *arrays: Any, at_least: int | None = None) -> None:
    """Run a loop compiled, in as many threads as its turns are worth.

    Parameters
    ----------
    loop : callable
        Takes the first turn, one past the last, and the arrays; turns must not need each other.
    turns : int
        How many there are.
    *arrays : ndarray
        What it reads, and what it fills.
    at_least : int, optional
        As of :func:`in_threads`.
    """
    run = _compiled(loop)
    in_threads(lambda first, last: run(first, last, *arrays), turns, at_least=at_least)


def in_threads(work: Callable[[int, int], object], turns: int, *, at_least: int | None = None) -> None:
    """Do work that lets go of Python's lock on ranges of its turns at once, in as many threads as pays.

    Parameters
    ----------
    work : callable
        Takes the first turn and one past the last; ranges must not need each other.
    turns : int
        How many there are.
    at_least : int, optional
        Turns that a further thread must take over to pay; `AT_LEAST` where each is a few sums.
    """
    threads = max(1, min(_processors(), MOST_THREADS, turns // (at_least or AT_LEAST)))
    ends = [turns * i // threads for i in range(threads + 1)]
    others = [_pool().submit(work, *ends[i : i + 2]) for i in range(1, threads)]
    try:
        work(*ends[:2])
    finally:
        for other in others:
            other.result()


@cache
def _processors() -> int:
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="cellclip-loop")
