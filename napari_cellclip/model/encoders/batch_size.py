"""Find how many crops a device encodes at once most quickly."""

from __future__ import annotations

from collections.abc import Callable

LEAST_GAIN = 1.05
"""A batch twice as large must encode a crop at least so many times as fast to be worth its memory."""
MOST_CROPS = 1024
"""Largest batch tried."""


def useful_batch(seconds_of: Callable[[int], float | None], start: int) -> int:
    """Double a batch while that makes a crop cheaper.

    Parameters
    ----------
    seconds_of : callable
        From a number of crops to the seconds that a batch of them takes; ``None`` where memory ends.
    start : int
        Crops to begin with. If they do not fit, they are halved until they do.

    Returns
    -------
    int
        The smallest batch from which doubling gains less than `LEAST_GAIN`; 1 where not even one crop fits.
    """
    size = start
    while (taken := seconds_of(size)) is None:
        if size == 1:
            return 1
        size //= 2
    if size < start:
        return size
    while 2 * size <= MOST_CROPS:
        twice = seconds_of(2 * size)
        if twice is None or 2 * taken < LEAST_GAIN * twice:
            return size
        size, taken = 2 * size, twice
    return size
