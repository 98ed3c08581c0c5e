"""Files of a screen: names every file system takes, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa

from napari_cellclip.vocabulary import ScreenError

TEMPORARY = ".tmp"
"""Suffix of a file that is not whole yet, or that a killed run has left."""


_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def folder_name(plate: str) -> str:
    """Folder for a plate's files: its name, with whatever a file system could trip over escaped."""
    name = quote(plate, safe=" +,=@()[]")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def write_whole(path: Path, content: bytes | pa.Buffer) -> None:
    """Write a file so that it is there entirely or not at all, whatever happens meanwhile.

    The temporary name is unique, so that two processes never write into one file.

    Raises
    ------
    ScreenError
        If the disk is full, or a quota reached; names the file.
    """
    try:
        _write_whole(path, content)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ScreenError(
            f"{path} cannot be written ({error.strerror}): free some space, then run the same"
            " again; what is there is whole"
        ) from error


def _write_whole(path: Path, content: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the rename itself is on disk only when the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
