"""Lock a screen folder, so that one run at a time writes into it, whichever process or computer it is on.

The lock is the operating system's and ends with its process: a killed run leaves none behind. File systems
without such locks (some network ones) get a lock file instead, which a killed run does leave behind; the
message of whoever waits says which file to delete. Object stores have no locks either: there the lock is a
file that only one run can create, and a killed run leaves it behind.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.files import asked, is_local, read_bytes, remove_remains, write_whole
from napari_cellclip.vocabulary import ScreenError
from napari_cellclip.vocabulary.regular_files import read_json

LOCK, WRITER = ".lock", ".writer.json"
"""The lock of a screen folder, and who holds it."""
PARTS = ("fields", "plates", "previews", "wells")
"""Folders of which what killed runs have left is removed; labels and maps are stored without the lock."""
_RUN = secrets.token_hex(4)
"""Tells this run of the program from one that was killed: in containers both have one host and number."""
PAUSE = 0.5
"""Seconds between two attempts of a run that waits."""


class WriteLock:
    """The lock of one screen folder, for one run.

    Parameters
    ----------
    folder : Path
        Of the screen; made if absent when the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A run may be started in one thread and closed in another.
        self._lock: BaseFileLock | None = (
            FileLock(folder / LOCK, thread_local=False) if is_local(folder) else None
        )

    def wait(self) -> Generator[Progress, None, None]:
        """Wait until nobody else writes into the folder, then take the lock; may be closed while waiting.

        Yields
        ------
        Progress
            Who writes, as long as somebody does.

        Raises
        ------
        ScreenError
            If a run of this very process writes, which would wait for itself.
        """
        while not self._taken():
            if self._holder().get("process") == _process():
                raise ScreenError(
                    f"a run of this program is writing into {self.folder} already: let it end, or cancel it"
                )
            yield Progress(0, 1, f"waiting: {self.holder()} is writing into this screen")
            time.sleep(PAUSE)

    @contextmanager
    def now(self) -> Iterator[None]:
        """Hold the lock for a block of code.

        Raises
        ------
        ScreenError
            If somebody else is writing into the folder; says who.
        """
        if not self._taken():
            raise ScreenError(f"{self.holder()} is writing into {self.folder}: try again when it has ended")
        try:
            yield
        finally:
            self.release()

    def holder(self) -> str:
        """Say who holds the lock, and since when."""
        found = self._holder()
        who = "{owner} on {host}, process {pid}, since {time}".format_map(
            {"owner": "somebody", "host": "some computer", "pid": "?", "time": "?"} | found
        )
        if self._lock is None or isinstance(self._lock, SoftFileLock):
            who += f" (if that run has ended, delete {self.folder / LOCK})"
        return who

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is None:
            asked(lambda: (self.folder / LOCK).unlink(missing_ok=True), self.folder / LOCK)
            return
        (self.folder / WRITER).unlink(missing_ok=True)
        self._lock.release()

    def _taken(self) -> bool:
        if self._lock is None:
            return self._created()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except NotImplementedError:  # a file system without locks
            self._lock = SoftFileLock(self.folder / LOCK, thread_local=False)
            return self._taken()
        for part in PARTS:
            remove_remains(self.folder / part)
        try:
            write_whole(self.folder / WRITER, _writer())
        except BaseException:  # a full disk: else this process would wait for itself the next time
            self._lock.release()
            raise
        return True

    def _created(self) -> bool:
        """Create the lock's file in an object store, which refuses a second one of that name."""
        place: Any = self.folder / LOCK
        mine = _writer() + secrets.token_hex(8).encode()  # two threads are two writers

        def create() -> bool:
            try:
                place.fs.pipe_file(place.path, mine, mode="create")
            except FileExistsError:  # by an earlier try of this very call, perhaps, whose answer was lost
                return bool(read_bytes(place) == mine)
            return True

        try:
            return asked(create, place)
        except FileNotFoundError:  # released between the two
            return False

    def _holder(self) -> dict[str, object]:
        try:
            if self._lock is None:
                found = json.JSONDecoder().raw_decode(read_bytes(self.folder / LOCK).decode())[0]
            else:
                found = read_json(self.folder / WRITER)
        except (OSError, ValueError):  # it has just ended, or has not said yet
            return {}
        return found if isinstance(found, dict) else {}


def _writer() -> bytes:
    """Say who this is, for others who want to write."""
    about = {
        "owner": _owner(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "time": datetime.now().astimezone().isoformat(timespec="seconds"),
        "process": _process(),
    }
    return json.dumps(about).encode()


def _owner() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without names for its users
        return "somebody"


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{_RUN}"
