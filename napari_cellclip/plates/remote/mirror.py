"""A local folder that stands for a remote plate: every name is there, and pixels come when asked for.

Layout readers read such a folder as any other, so each of them reads remote plates too. Images are empty
files until they are read, and may be emptied again when the cache is full.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from napari_cellclip.plates.layouts.files import ZARR_MARKS, inside
from napari_cellclip.plates.remote.stores.addresses import Address, is_safe
from napari_cellclip.plates.remote.stores.file_cache import FileCache, file_cache, is_chunk, is_pixels
from napari_cellclip.plates.remote.stores.remote_file import RemoteFile
from napari_cellclip.plates.remote.stores.store import RemoteStore
from napari_cellclip.vocabulary import PlateError

LISTING = ".listing.json"
"""Ending of the file beside a mirror that holds what was listed, by relative name."""

MAX_TABLES_BYTES = 2**30
"""Most bytes of tables, indices and metadata that are fetched to open one plate."""

THREADS = 16
"""Small files that are fetched at once."""


class Mirror:
    """The local folder of one remote plate.

    Parameters
    ----------
    address : Address
        What was opened; its hash names the folder in the cache.
    store : RemoteStore
        Where the files are.
    cache : FileCache, optional
        The process's own unless given.
    zarr : bool
        Whether the address is a Zarr store, as its folder's name then tells.

    Attributes
    ----------
    folder : Path
        The local folder, called as the last part of the address.
    """

    def __init__(
        self, address: Address, store: RemoteStore, cache: FileCache | None = None, *, zarr: bool = False
    ) -> None:
        self.address = address
        self.store = store
        self.cache = cache or file_cache()
        digest = hashlib.sha256(str(address).encode()).hexdigest()[:16]
        # Plates are named after their folder, or the one above if that is called Images.
        last = "/".join(address.place.partition("?")[0].split("/")[-2:])
        last = last if is_safe(last) else "plate"
        ending = ".zarr" if zarr and not last.lower().endswith(".zarr") else ""
        self.folder = self.cache.root / digest / f"{last}{ending}"
        self._listing = self.folder.with_name(f".{self.folder.name}{LISTING}")
        self._files: dict[str, RemoteFile] = {}
        self._absent: set[str] = set()

    def _named(self, name: str) -> str:
        """Relative name with the folder's own, which tells a Zarr store."""
        return f"{self.folder.name}/{name}"

    def is_pixels(self, name: str) -> bool:
        """Tell whether a relative name is an image or a chunk of one, which comes when it is read."""
        return is_pixels(self._named(name))

    def reopen(self) -> bool:
        """Take the folder as it was filled the last time, for a store that cannot be reached now."""
        self._files = self.kept_listing()
        return bool(self._files)

    def need_first(self, count: int) -> bool:
        """Fetch the first images; whether any of them had to be fetched."""
        first = sorted(name for name in self._files if self.is_pixels(name))[:count]
        missing = [name for name in first if not _is_whole(self.folder / name, self._files[name])]
        for name in missing:
            self.need(self.folder / name)
        return bool(missing)

    def kept_listing(self) -> dict[str, RemoteFile]:
        """Read what was listed the last time; empty where nothing was, or it cannot be read."""
        try:
            content = json.loads((self._listing).read_text(encoding="utf-8"))
            return {
                name: RemoteFile(str(key), int(size), int(modified), str(etag))
                for name, (key, size, modified, etag) in content.items()
                if is_safe(name)
            }
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}

    def fill(self, files: Mapping[str, RemoteFile]) -> None:
        """Make the folder hold these files and no other: tables are fetched, images are empty for now.

        Parameters
        ----------
        files : mapping of str to RemoteFile
            By safe relative name. Chunks of Zarr arrays get no file until they are read.

        Raises
        ------
        PlateError
            If the tables are larger than those of a plate are, or cannot be fetched.
        """
        before = self.kept_listing()
        tables = [name for name in files if not self.is_pixels(name)]
        if (total := sum(files[name].size for name in tables)) > MAX_TABLES_BYTES:
            raise PlateError(
                f"{self.address} holds {total:,} bytes besides images: open the folder of one plate"
            )
        for name in set(before) - set(files):
            with suppress(OSError):
                (self.folder / name).unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in {os.path.dirname(name) for name in files}:
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            path = self.folder / name
            if name in before and before[name].state != file.state:
                path.unlink(missing_ok=True)
            if self.is_pixels(name) and not is_chunk(self._named(name)) and not path.exists():
                path.touch()
        self._files = dict(files)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda name: self.need(self.folder / name), tables))
        self.keep_listing()

    def keep_listing(self) -> None:
        """Write what is known of the store's files, for a time when it cannot be reached."""
        content = {n: (f.key, f.size, f.modified, f.etag) for n, f in self._files.items()}
        temporary = self._listing.with_name(f"{self._listing.name}.{os.getpid()}.{threading.get_ident()}")
        temporary.write_text(json.dumps(content), encoding="utf-8")
        os.replace(temporary, self._listing)

    def listed(self) -> dict[str, RemoteFile]:
        """List the files that are known, by relative name."""
        return dict(self._files)

    def tables(self) -> list[str]:
        """List the relative names of what lies in the folder besides images: tables, indices, metadata."""
        found = (p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        return [
            name
            for name in found
            if (not self.is_pixels(name) and not name.rpartition("/")[2].startswith("."))
            or name.rpartition("/")[2] in ZARR_MARKS
        ]

    def state(self, path: Path) -> str:
        """Words that change when a remote file does; those of an unknown file are the local one's."""
        file = self._files.get(path.relative_to(self.folder).as_posix())
        return file.state if file is not None else "missing"

    def is_here(self, path: Path) -> bool:
        """Tell whether a file lies whole on this disk, or the store has none."""
        name = path.relative_to(self.folder).as_posix()
        file = self._files.get(name)
        return name in self._absent or (file is not None and _is_whole(path, file))

    def need(self, path: Path) -> bool:
        """Make sure that a file is on this disk.

        Parameters
        ----------
        path : Path
            In the mirror's folder; of others nothing is done.

        Returns
        -------
        bool
            False where the store has no such file (a chunk of a Zarr array that was never written).

        Raises
        ------
        PlateError
            If it cannot be fetched.
        """
        if not path.is_relative_to(self.folder):
            return path.exists()
        name = path.relative_to(self.folder).as_posix()
        file = self._files.get(name)
        if file is not None and _is_whole(path, file):
            self.cache.touch(path)
            return True
        if name in self._absent:
            return False
        with self.cache.fetching(path):
            file = self._files.get(name)
            if file is not None and _is_whole(path, file):
                return True
            return self._fetched(name, path, file)

    def asked(self, name: str, there: bool) -> RemoteFile:
        """Ask for a file that was not listed; of a web server only to compare it with one that is `there`.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        key = f"{self.address.place}/{name}"
        return RemoteFile(key, 0) if self.address.is_web and not there else self.store.describe(key)

    def hold(self, paths: Iterable[Path]) -> ExitStack:
        """Make sure that files are here, and stay here until the returned context is left."""
        stack = ExitStack()
        try:
            for path in paths:
                stack.enter_context(self.cache.holding(path))
                self.need(path)
        except BaseException:
            stack.close()
            raise
        return stack

    def _fetched(self, name: str, path: Path, file: RemoteFile | None) -> bool:
        if inside(self.folder, name) is None:
            raise PlateError(f"{name} leads out of the folder of {self.address.name} and was not fetched")
        part = path.with_name(f".{path.name[:100]}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            if file is None:
                file = self.asked(name, path.exists())
                if _is_whole(path, file) and path.stat().st_mtime_ns == file.modified:
                    self._files[name] = file
                    return True
            self.cache.make_space(file.size if self.is_pixels(name) else 0)
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self.store.fetch(file, part)
            if not part.exists():  # a file of no bytes
                part.touch()
            os.utime(part, ns=(time.time_ns(), file.modified or time.time_ns()))
            os.replace(part, path)
        except FileNotFoundError:
            if name in self._files:
                raise PlateError(f"{name} is no longer in {self.address}: open the plate again") from None
            self._absent.add(name)
            return False
        except OSError as error:
            raise PlateError(
                f"{path.name} cannot be written to {path.parent} ({error.strerror}): check the disk"
            ) from None
        finally:
            part.unlink(missing_ok=True)
        self._files[name] = file
        return True


def _is_whole(path: Path, file: RemoteFile) -> bool:
    try:
        return path.stat().st_size == file.size
    except OSError:
        return False
