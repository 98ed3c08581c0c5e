"""Lock a screen folder, so that one run at a time writes into it, whichever process or computer it is on.

The lock is the operating system's and ends with its process: a killed run leaves none behind. File systems
without such locks (some network ones) get a lock file instead, which a killed run does leave behind; the
message of whoever waits says which file to delete.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from napari_cellclip.screen.progress import Progress
from napari_cellclip.screen.storage.files import remove_remains, write_whole
from napari_cellclip.vocabulary import ScreenError
from napari_cellclip.vocabulary.regular_files import read_json

LOCK, WRITER = ".lock", ".writer.json"
"""The lock of a screen folder, and who holds it."""
PARTS = ("fields", "plates", "previews", "wells")
"""Folders of which what killed runs have left is removed; labels and maps are stored without the lock."""
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
        self._lock: BaseFileLock = FileLock(folder / LOCK, thread_local=False)

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
        if isinstance(self._lock, SoftFileLock):
            who += f" (if that run has ended, delete {self.folder / LOCK})"
        return who

    def release(self) -> None:
        """Give the lock back."""
        (self.folder / WRITER).unlink(missing_ok=True)
        self._lock.release()

    def _taken(self) -> bool:
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
        about = {
            "owner": _owner(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "time": datetime.now().astimezone().isoformat(timespec="seconds"),
            "process": _process(),
        }
        try:
            write_whole(self.folder / WRITER, json.dumps(about).encode())
        except BaseException:  # a full disk: else this process would wait for itself the next time
            self._lock.release()
            raise
        return True

    def _holder(self) -> dict[str, object]:
        try:
            found = read_json(self.folder / WRITER)
        except (OSError, ValueError):  # it has just ended, or has not said yet
            return {}
        return found if isinstance(found, dict) else {}


def _owner() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without names for its users
        return "somebody"


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
