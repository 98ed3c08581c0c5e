"""Read a table of a screen once, whichever thread asks first."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

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
