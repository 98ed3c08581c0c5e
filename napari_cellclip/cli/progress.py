"""Progress of long work on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Protocol, TypeVar


class Step(Protocol):
    """Progress of a generator of the core: how far it is, and a few words."""

    @property
    def done(self) -> int:
        """Units of work finished."""

    @property
    def total(self) -> int:
        """Units of work in all."""

    @property
    def message(self) -> str:
        """Words on what was just done."""


class Telling(Step, Protocol):
    """A step whose message may have to be read."""

    @property
    def notice(self) -> bool:
        """Whether the message must not be missed."""


S = TypeVar("S", bound=Step)
N = TypeVar("N", bound=Telling)


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[Step], None]]:
    """Show a bar on stderr while the body runs.

    Parameters
    ----------
    description : str
        Words before the bar.

    Yields
    ------
    callable
        To be called with every step.
    """
    from tqdm import tqdm

    with tqdm(desc=description, file=sys.stderr, unit="", dynamic_ncols=True) as bar:

        def show(step: Step) -> None:
            if bar.total != step.total:
                bar.reset(total=step.total)
            bar.set_postfix_str(step.message, refresh=False)
            bar.update(step.done - bar.n)

        yield show
        bar.refresh()


def with_notices(steps: Generator[N, None, None]) -> Generator[N, None, None]:
    """Print the messages that must not be missed, above the bar, and hand on all steps."""
    from tqdm import tqdm

    with closing(steps):
        for step in steps:
            if step.notice:
                tqdm.write(step.message, file=sys.stderr)
            yield step


def follow(steps: Iterator[S], description: str) -> S | None:
    """Exhaust an iterator of progress under a bar on stderr.

    A generator is closed on Ctrl-C too, so that it can leave its files in order.

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
    last: S | None = None
    owned = closing(steps) if isinstance(steps, Generator) else nullcontext()
    with progress_bar(description) as show, owned:
        for last in steps:
            show(last)
    return last
