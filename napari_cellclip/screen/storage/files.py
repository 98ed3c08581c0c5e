"""Files of a screen, in a folder or an object store: safe names, written whole or not at all.

A place in an object store is a ``upath.UPath``, which does for files what a ``pathlib.Path`` does; only this
module and the lock tell them apart.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from zlib import crc32

import pyarrow as pa

from napari_cellclip.plates.remote.stores.addresses import remote_address
from napari_cellclip.plates.remote.stores.retries import again
from napari_cellclip.plates.remote.stores.store import CONNECT_SECONDS, READ_SECONDS
from napari_cellclip.vocabulary import PlateError, ScreenError
from napari_cellclip.vocabulary.regular_files import require_regular
from napari_cellclip.vocabulary.user_folders import from_home

T = TypeVar("T")
State = tuple[object, ...] | None

TEMPORARY = ".tmp"
"""Suffix of a file that is not whole yet, or that a killed run has left."""


DAY = 24 * 60 * 60
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def screen_folder(place: str | Path) -> Path:
    """Return where a screen is: a local folder, or a place in an object store such as ``s3://bucket/screen``.

    Credentials are those that the store's own client finds.

    Raises
    ------
    ScreenError
        If the address is of no object store, or a package that reads it is not installed.
    """
    given: Any = place
    if not isinstance(given, str | Path):
        return given  # a UPath
    try:
        address = remote_address(place)
    except PlateError as error:
        raise ScreenError(str(error)) from error
    if address is None:
        return from_home(place)
    if address.protocol not in ("s3", "gs", "gcs", "az", "abfs"):
        raise ScreenError(
            f"{address} is no place for a screen: give a folder, or a place in an object store (s3://…)"
        )
    # Lists are not kept: other processes write into the same screen.
    options: dict[str, Any] = {"use_listings_cache": False}
    if address.protocol == "s3":
        # One policy of trying again, and not three upon one another.
        retries = {"total_max_attempts": 1}
        options["config_kwargs"] = {
            "retries": retries,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
    try:
        from upath import UPath

        folder: Any = UPath(str(address), **options)
        if address.protocol == "s3":
            folder.fs.retries = 1
    except ImportError as error:
        raise ScreenError(
            f"{address} needs a package that is not here ({error}): pip install 'napari-cellclip[remote]'"
        ) from error
    found: Path = folder
    return found


def is_local(path: Path) -> bool:
    """Tell whether a file is on a file system, and not in an object store."""
    return isinstance(path, Path)


def asked(step: Callable[[], T], path: Path) -> T:
    """Ask an object store for something, again after faults that pass.

    Raises
    ------
    ScreenError
        If the fault stays. `FileNotFoundError` goes through.
    """
    try:
        return again(step, str(path))
    except PlateError as error:
        raise ScreenError(str(error)) from error


def exists(path: Path) -> bool:
    """Tell whether there is such a file."""
    return path.exists() if is_local(path) else asked(path.exists, path)


def read_bytes(path: Path) -> bytes:
    """Read a file of a screen.

    Raises
    ------
    OSError
        If there is none, or it is no regular file.
    ScreenError
        If an object store cannot be reached.
    """
    return require_regular(path).read_bytes() if is_local(path) else asked(path.read_bytes, path)


def names_in(folder: Path) -> list[str]:
    """List the names in a folder, in order; none where there is no such folder."""
    if is_local(folder):
        return sorted(os.listdir(folder)) if folder.is_dir() else []
    store: Any = folder
    try:
        found = asked(lambda: store.fs.ls(store.path, detail=False), folder)
    except FileNotFoundError:
        return []
    return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in found)


def state_of(path: Path) -> State:
    """Return what changes when a file is replaced, ``None`` if there is none."""
    try:
        if is_local(path):
            found = path.stat()
            return found.st_mtime_ns, found.st_size
        store: Any = path
        info = asked(lambda: store.fs.info(store.path), path)
        return tuple(str(info.get(key)) for key in ("ETag", "etag", "mtime", "created", "size"))
    except FileNotFoundError:
        return None


def folder_name(plate: str) -> str:
    """Folder for a plate's files: its name, with whatever a file system could trip over escaped."""
    name = quote(plate, safe=" +,=@()[]")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def write_whole(path: Path, content: bytes | pa.Buffer) -> None:
    """Write a file so that it is there entirely or not at all, whatever happens meanwhile.

    The temporary name is unique, so that two processes never write into one file. Object stores know no other
    way of writing: what is put is there when all of it has arrived.

    Raises
    ------
    ScreenError
        If the disk is full, or a quota reached, or an object store refuses; names the file.
    """
    if not is_local(path):
        store: Any = path
        data = content if isinstance(content, bytes) else content.to_pybytes()
        try:
            again(lambda: store.fs.pipe_file(store.path, data), f"the store of {path}")
        except PlateError as error:
            raise ScreenError(f"{path} cannot be written: {error}; what is there is whole") from error
        return
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
