"""What the program prints, kept harmless, and Ctrl-C, also pressed three times."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, TextIO, cast

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it (128 + SIGINT)."""

# Control characters but tab and line feed, of both sets (0x9b begins a terminal sequence like ESC [ does),
# marks that reverse the direction of writing, and halves of characters, of names that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Write what could act on a terminal as it is written in Python: ``\x1b`` for the escape character."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PrintableStream:
    """A text stream through which no name out of a file acts on the terminal.

    A carriage return at the beginning of a piece stays: bars of progress are drawn over themselves with it.

    Parameters
    ----------
    stream : text stream
        Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a piece of text, harmless, and in what characters the terminal has."""
        start, rest = ("\r", text[1:]) if text.startswith("\r") else ("", text)
        shown = start + printable(rest)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write pieces of text."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printing_safely() -> Iterator[None]:
    """Print through :class:`PrintableStream` on both streams."""
    out, err = (cast("TextIO", PrintableStream(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield


@contextmanager
def second_interrupt_ends_at_once() -> Iterator[None]:
    """Let the first Ctrl-C raise, so that files are left in order, and a further one end the program.

    Nothing is lost by that, for files of a screen are written whole or not at all. Where Ctrl-C is ignored
    (a job in the background) or handled by others, nothing changes.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = False

    def interrupted(_signal: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            os.write(2, b"\nstopped at once\n")
            os._exit(INTERRUPTED)
        pressed = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        # While Python ends, a further one would show a traceback or change the exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN if pressed else signal.default_int_handler)
