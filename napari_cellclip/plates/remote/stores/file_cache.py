"""Bounded store of fetched files on disk: what was used least recently goes first."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_cellclip.plates.images.picture import PICTURE_SUFFIXES
from napari_cellclip.plates.layouts.files import TIFF_SUFFIXES, ZARR_MARKS
from napari_cellclip.vocabulary import PlateError
from napari_cellclip.vocabulary.user_folders import cache_folder

DEFAULT_GIGABYTES = 20.0

LEAST_FREE = 2**29
"""Bytes that are left free on the disk whatever the bound: 512 MiB."""

PIXEL_SUFFIXES = (*TIFF_SUFFIXES, *PICTURE_SUFFIXES, ".npz", ".npy")
"""Endings of files that are fetched when their pixels are asked for; others come when a plate is opened."""


def cache_bytes() -> int:
    """Bytes of fetched images that are kept: ``NAPARI_CELLCLIP_REMOTE_GB``, 20 GB unless set.

    Raises
    ------
    PlateError
        If the variable is no positive number.
    """
    text = os.environ.get("NAPARI_CELLCLIP_REMOTE_GB", "")
    try:
        gigabytes = float(text) if text else DEFAULT_GIGABYTES
    except ValueError:
        gigabytes = -1.0
    if not 0 < gigabytes < 1e6:
        raise PlateError(
            f"NAPARI_CELLCLIP_REMOTE_GB is {text!r}: set it to a number of gigabytes, such as 20"
        )
    return int(gigabytes * 10**9)


def is_chunk(relative: str) -> bool:
    """Tell whether a relative name is a chunk of a Zarr array: any file of one but its metadata."""
    folder, _, name = relative.rpartition("/")
    return ".zarr" in folder.lower() and name not in (*ZARR_MARKS, ".zmetadata")


def is_pixels(relative: str) -> bool:
    """Tell whether a relative name is an image or a chunk of one, and not a table, an index or metadata."""
    return relative.lower().endswith(PIXEL_SUFFIXES) or is_chunk(relative)


class FileCache:
    """The fetched files of all remote plates, below one folder.

    Parameters
    ----------
    root : Path
        The folder.
    limit : int
        Bytes of pixels that are kept.

    Notes
    -----
    When a file was last used is its time of access, which is written here and does not depend on how the disk
    is mounted. The time of change is the store's.
    """

    def __init__(self, root: Path, limit: int) -> None:
        self.root = root
        self.limit = limit
        self._lock = threading.Lock()
        self._held: Counter[Path] = Counter()
        self._busy: dict[Path, threading.Lock] = {}
        self._total: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Hand on the folder: each process has locks of its own."""
        return _cache_at, (self.root, self.limit)

    @contextmanager
    def holding(self, path: Path) -> Iterator[None]:
        """Keep a file from being dropped while the body runs."""
        with self._lock:
            self._held[path] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[path] -= 1
                if not self._held[path]:
                    del self._held[path]

    @contextmanager
    def fetching(self, path: Path) -> Iterator[None]:
        """Let one thread at a time fetch a file."""
        with self._lock:
            lock = self._busy.setdefault(path, threading.Lock())
        with lock:
            yield
        with self._lock:
            self._busy.pop(path, None)

    def touch(self, path: Path) -> None:
        """Note that a file was used now."""
        with suppress(OSError):
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))

    def make_space(self, size: int) -> None:
        """Drop what was used least recently until `size` more bytes fit.

        Raises
        ------
        PlateError
            If they cannot fit.
        """
        with self._lock:
            if self._total is None:
                self._total = sum(stat.st_size for _, stat in self._pixels())
            if self._total + size > self.limit:
                # A tenth more than is needed: to look through the folder for each file would take long.
                self._drop(self._total + size - self.limit + self.limit // 10)
            self._total += size
            free = shutil.disk_usage(self.root).free
            if size + LEAST_FREE > free:
                self._drop(size + LEAST_FREE - free)
                free = shutil.disk_usage(self.root).free
            if size + LEAST_FREE > free:
                self._total = None
                raise PlateError(
                    f"no space is left for fetched images in {self.root}: free some, or set "
                    "NAPARI_CELLCLIP_CACHE to a folder on another disk"
                )

    def _drop(self, size: int) -> None:
        """Empty or remove files of `size` bytes, those first that were used least recently."""
        found = sorted(self._pixels(), key=lambda one: one[1].st_atime_ns)
        total = sum(stat.st_size for _, stat in found)
        dropped = 0
        for path, stat in found:
            if dropped >= size:
                break
            if not self._held[path] and self._emptied(path, stat):
                dropped += stat.st_size
        self._total = total - dropped

    def _emptied(self, path: Path, stat: os.stat_result) -> bool:
        """Put an empty file in the place of an image; a chunk, which may be absent, is removed."""
        try:
            if is_chunk(path.relative_to(self.root).as_posix()):
                path.unlink()
            else:
                empty = path.with_name(f".{path.name}.{os.getpid()}.empty")
                empty.touch()
                os.utime(empty, ns=(stat.st_atime_ns, stat.st_mtime_ns))
                os.replace(empty, path)  # who reads the old one at the moment reads on
        except OSError:  # open on Windows: the next one
            return False
        return True

    def _pixels(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                if not name.startswith(".") and is_pixels(path.relative_to(self.root).as_posix()):
                    with suppress(OSError):
                        if (stat := path.stat()).st_size:
                            yield path, stat


_CACHES: dict[tuple[Path, int], FileCache] = {}


def file_cache() -> FileCache:
    """Return the cache of this process for the folder and bound that are set now."""
    return _cache_at(cache_folder() / "remote", cache_bytes())


def _cache_at(root: Path, limit: int) -> FileCache:
    root.mkdir(parents=True, exist_ok=True)
    return _CACHES.setdefault((root, limit), FileCache(root, limit))
