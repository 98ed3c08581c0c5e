"""Progress of long work on stderr."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Protocol, TypeVar


class Step(Protocol):
    """What the core's generators yield: how far they are, and a few words."""

    @property
    def done(self) -> int:
        """Units of work finished."""

    @property
    def total(self) -> int:
        """Units of work in all."""

    @property
    def message(self) -> str:
        """What was just done."""


S = TypeVar("S", bound=Step)


def follow(steps: Iterator[S] | Generator[S, None, None], description: str) -> S | None:
    """Exhaust a generator of progress under a bar on stderr.

    The generator is closed on Ctrl-C too, so that it can leave its files in order.

    Parameters
    ----------
    steps : iterator
        Such as ``iter_encode(…)``.
    description : str
        Words before the bar.

    Returns
    -------
    object or None
        The last step, ``None`` if there was none.
    """
    from tqdm import tqdm

    last: S | None = None
    with tqdm(desc=description, file=sys.stderr, unit="", dynamic_ncols=True) as bar:
        generator = steps if isinstance(steps, Generator) else (step for step in steps)
        with closing(generator):
            for last in generator:
                if bar.total != last.total:
                    bar.reset(total=last.total)
                bar.set_postfix_str(last.message, refresh=False)
                bar.update(last.done - bar.n)
        bar.refresh()
    return last
