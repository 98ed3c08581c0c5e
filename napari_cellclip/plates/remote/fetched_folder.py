"""The folder that a remote plate is fetched into: which of its files came whole, and from where."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

from napari_cellclip.plates.remote.mirror import Mirror
from napari_cellclip.plates.remote.stores.addresses import GALLERY, Address
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.vocabulary import PlateError

RECORD = "fetched.json"
"""File of a fetched plate: where it came from, its terms, and the state of each file."""

LOCK = ".fetching.lock"

GALLERY_TERMS = {
    "licence": "CC0 1.0 (Cell Painting Gallery)",
    "cite": "Weisbart et al. 2024, doi:10.1038/s41592-024-02399-z, and the publication of the project",
}

SECONDS_BETWEEN_RECORDS = 2.0


class FetchedFolder:
    """Files of a remote plate that are here, with the state that the store gave them.

    Parameters
    ----------
    folder : Path
        The folder.
    address : Address
        Of the plate.
    states : dict of str to str
        State of each file as it came, by relative name.
    """

    def __init__(self, folder: Path, address: Address, states: dict[str, str]) -> None:
        self.folder = folder
        self._address = address
        self._states = states
        self._lock = threading.Lock()
        self._written = 0.0

    @classmethod
    def open(cls, folder: Path, address: Address) -> FetchedFolder:
        """Read the record of a folder, and begin one in an empty folder.

        Raises
        ------
        PlateError
            If the folder holds something else.
        """
        try:
            content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            states = {str(name): str(state) for name, state in content["files"].items()}
            before = str(content["address"])
        except FileNotFoundError:
            if any(entry.name != LOCK for entry in folder.iterdir()):
                raise PlateError(
                    f"{folder} holds other files: give a folder of its own for the plate"
                ) from None
            states, before = {}, str(address)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            states, before = {}, str(address)  # a damaged record: every file is fetched again
        if before != str(address):
            raise PlateError(f"{folder} holds {before}: give another folder for {address}")
        made = cls(folder, address, states)
        made.write()
        return made

    def fetch(self, mirror: Mirror, name: str, file: RemoteFile | None) -> None:
        """Fetch one file, unless it is here whole; going on where an earlier try ended.

        Parameters
        ----------
        mirror : Mirror
            Of the plate.
        name : str
            Relative name; a chunk of a Zarr array that was never written is left out.
        file : RemoteFile or None
            As listed, ``None`` where it was not.

        Raises
        ------
        PlateError
            If it cannot be fetched or written.
        """
        path = self.folder / name
        try:
            if file is None:
                file = mirror.asked(name, path.exists())
            if self._is_here(name, file):
                return
            if file.size > (free := shutil.disk_usage(self.folder).free):
                raise PlateError(
                    f"no space is left for {name} in {self.folder}: {free / 1e6:,.0f} MB are free"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            # Of another version of a file nothing is used again.
            version = hashlib.sha256(file.state.encode()).hexdigest()[:8]
            part = path.with_name(f".{path.name[:150]}.{version}.part")
            file = mirror.store.fetch(file, part)
            part.touch()
            os.replace(part, path)
        except FileNotFoundError:
            if name in mirror.listed():
                raise PlateError(f"{name} is no longer in {mirror.address}") from None
            return
        except OSError as error:
            raise PlateError(f"{path} cannot be written ({error.strerror}): check the disk") from None
        with self._lock:
            self._states[name] = file.state
            late = time.monotonic() - self._written > SECONDS_BETWEEN_RECORDS
        if late:
            self.write()

    def _is_here(self, name: str, file: RemoteFile) -> bool:
        try:
            return self._states.get(name) == file.state and (self.folder / name).stat().st_size == file.size
        except OSError:
            return False

    def write(self) -> None:
        """Write the record, whole or not at all."""
        with self._lock:
            self._written = time.monotonic()
            terms = GALLERY_TERMS if self._address.protocol == GALLERY else {}
            content = {"address": str(self._address), **terms, "files": dict(sorted(self._states.items()))}
            path = self.folder / RECORD
            temporary = path.with_name(f".{RECORD}.{os.getpid()}")
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
            os.replace(temporary, path)
