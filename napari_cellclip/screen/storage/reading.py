"""Read tables of a screen: once, whichever thread asks first, and those of many plates at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")
AT_ONCE = 8
"""Files read together: on a network or an object store, waiting is most of the time."""

if TYPE_CHECKING:
    read_once = cached_property
else:

    class read_once(cached_property):
        """Read a table when first asked for; threads that ask at once get one and the same.

        From Python 3.12 on `cached_property` has no lock: two threads would read twice, and while a run is
        writing they would read different things.
        """

        def __get__(self, screen: Any, owner: Any = None) -> Any:
            if screen is None:
                return self
            with screen._reading:
                return super().__get__(screen, owner)


def read_of_each(read: Callable[[str], T], plates: Iterable[str]) -> list[T]:
    """Read something of each plate, several at once, in their order; the first error ends it."""
    names = list(plates)
    if len(names) < 2:
        return [read(name) for name in names]
    with ThreadPoolExecutor(min(AT_ONCE, len(names)), thread_name_prefix="cellclip-tables") as pool:
        return list(pool.map(read, names))
