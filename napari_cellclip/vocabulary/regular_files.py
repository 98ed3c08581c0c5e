"""Files that are files: a pipe or a device in place of one would be waited for, or read, for ever."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 2**28
"""Largest JSON file that is read: a tokenizer with its vocabulary has a few megabytes."""


def require_regular(path: Path) -> Path:
    """Return a path if it leads to a regular file.

    Raises
    ------
    OSError
        If there is none, or it is a pipe, a socket, a device or a folder.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError:  # a NUL in the name
        raise FileNotFoundError(errno.ENOENT, "No such file", str(path)) from None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no regular file, but a pipe, a device or a folder", str(path))
    return path


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file of a limited size.

    Parameters
    ----------
    path : Path
        The file.
    limit : int
        Most bytes it may have.

    Raises
    ------
    OSError
        As :func:`require_regular`, or if it is larger.
    """
    with open(require_regular(path), "rb") as stream:
        # Room for as much as is asked for is made at once, so no more is asked for than there is.
        content = stream.read(min(limit, os.fstat(stream.fileno()).st_size) + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return content


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        As :func:`read_regular`.
    ValueError
        If it is no JSON, not UTF-8, or nested too deeply.
    """
    try:
        return json.loads(read_regular(path, MAX_JSON_BYTES))
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None
