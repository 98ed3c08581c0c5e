"""Files of a screen: names every file system takes, written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import time
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

import pyarrow as pa

from napari_cellclip.vocabulary import ScreenError

TEMPORARY = ".tmp"
"""Suffix of a file that is not whole yet, or that a killed run has left."""


DAY = 24 * 60 * 60
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


def remove_remains(folder: Path) -> None:
    """Remove what killed runs have not finished writing; what a run of this computer still writes is left.

    Of a run on another computer nobody can tell whether it goes on: its files are removed a day after.
    """
    for left in folder.rglob(f".*{TEMPORARY}"):
        found = re.search(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$", left.name)
        try:
            old = time.time() - left.stat().st_mtime > DAY
        except FileNotFoundError:  # it is whole by now
            continue
        if found is None or old or (found[1] == _host() and not _is_running(int(found[2]))):
            left.unlink(missing_ok=True)


def _host() -> str:
    return f"{crc32(socket.gethostname().encode()):08x}"


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


def _write_whole(path: Path, content: bytes | pa.Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.name}.{owner}{TEMPORARY}")
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
