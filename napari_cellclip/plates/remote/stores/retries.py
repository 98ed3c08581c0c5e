"""When a store is asked again after a fault, and the sentence for faults that stay."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from napari_cellclip.vocabulary import CellClipError, PlateError

T = TypeVar("T")

TRIES = 6
"""How often one step is tried; a step that brought bytes begins to count anew."""

FIRST_WAIT = 0.5
"""Seconds before the second try; twice as long before each further one, and a random part of that."""

LONGEST_WAIT = 30.0
"""Seconds at most before a try, also where a server asks for more."""

_FINAL = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    CellClipError,
    ImportError,
)
_BUSY = (
    "slowdown",
    "slow down",
    "reduce your request rate",
    "too many requests",
    "throttl",
    "429",
    "503",
    "busy",
)
_UNREACHED = (
    "could not connect",
    "cannot connect",
    "connect timeout",
    "name resolution",
    "name or service",
    "getaddrinfo",
    "connection refused",
    "network is unreachable",
)


def is_passing(error: BaseException) -> bool:
    """Tell whether trying again may help: servers that are busy or fail, bodies cut short, time-outs."""
    if isinstance(error, _FINAL) or type(error).__name__ in ("NoCredentialsError", "ParamValidationError"):
        return False
    status = getattr(error, "status", None)  # aiohttp's answers of a server
    if isinstance(status, int) and 400 <= status < 500:
        return status in (408, 425, 429)
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or module in (
        "aiohttp",
        "aiobotocore",
        "botocore",
        "asyncio",
        "fsspec",
        "gcsfs",
    )


def again(step: Callable[[], T], what: str, *, progress: Callable[[], int] = lambda: 0) -> T:
    """Do a step, again after faults that pass.

    Parameters
    ----------
    step : callable
        Asks a store for something.
    what : str
        What is read, for the sentence.
    progress : callable
        How many bytes there are; a step that got further is not counted as a failed one.

    Raises
    ------
    PlateError
        If the fault stays, in one sentence. `FileNotFoundError` goes through.
    """
    tried, reached = 0, progress()
    while True:
        try:
            return step()
        except (FileNotFoundError, CellClipError):
            raise
        except Exception as error:  # fsspec hands on what its many clients raise
            if not is_passing(error):
                raise _refused(error, what) from error
            if (now := progress()) > reached:
                tried, reached = 0, now
            tried += 1
            if tried >= TRIES:
                raise PlateError(sentence(error, what)) from error
            time.sleep(_wait(error, tried))


def sentence(error: BaseException, what: str) -> str:
    """Say why something could not be read although it was tried several times."""
    chain = _words_of(error)
    if any(word in chain for word in _UNREACHED):
        return f"{what} cannot be reached: check the connection to the network, then try again"
    if any(word in chain for word in _BUSY):
        return f"{what} was refused {TRIES} times because the server is busy: try again in a few minutes"
    if "timeout" in chain or "timed out" in chain:
        return f"{what} did not answer in time, {TRIES} times: check the connection, then try again"
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{what} could not be read in {TRIES} tries ({reason}): try again later"


def _words_of(error: BaseException) -> str:
    """What an error and those it came from say, in lower case."""
    words: list[str] = []
    current: BaseException | None = error
    while current is not None and len(words) < 10:
        words.append(f"{type(current).__name__} {current} {getattr(current, 'status', '')}")
        current = current.__cause__ or current.__context__
    return " ".join(words).lower()


def _refused(error: Exception, what: str) -> PlateError:
    if isinstance(error, PermissionError) or getattr(error, "status", None) in (401, 403):
        return PlateError(
            f"{what} may not be read: check that it is public, or that your credentials "
            "(AWS_PROFILE and the like) give access to it"
        )
    if isinstance(error, ImportError):
        return PlateError(f"{what} cannot be read without another package: {error}")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return PlateError(f"{what} cannot be read ({reason}): check the address")


def _wait(error: Exception, tried: int) -> float:
    headers = getattr(error, "headers", None) or {}
    asked = headers.get("Retry-After", "") if hasattr(headers, "get") else ""
    seconds = float(asked) if str(asked).isdecimal() else 0.0
    backoff = FIRST_WAIT * 2 ** (tried - 1) * random.uniform(0.5, 1.0)
    return min(max(seconds, backoff), LONGEST_WAIT)
