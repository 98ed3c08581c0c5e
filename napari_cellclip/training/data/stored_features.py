"""Features of bags that stay on disk, in one flat file, and are read when a batch draws them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.screen import Progress, Screen
from napari_cellclip.vocabulary import CellClipError

FEATURES_FILE = "features.tmp"
"""Name of the flat file in the folder of a run."""
SITES_AT_ONCE = 512
"""Sites copied at once; 16 MB of the largest DINOv2's."""


def iter_write(screens: Sequence[Screen], path: Path) -> Generator[Progress, None, None]:
    """Write the features of all encoded sites of screens one after the other, float16, as they are stored.

    A shard of a screen is decoded and verified whole for whichever of its sites; in this file a site is one
    read at a known place. So each shard is decoded once a run, and not once for every well drawn from it.

    Parameters
    ----------
    screens : sequence of Screen
        Of one channel encoder. Sites are in the order of :attr:`Screen.fields`.
    path : Path
        Of the file, written over. What is left of it is removed if the copy does not come to its end.

    Raises
    ------
    CellClipError
        If the disk has no room for it, or features of a screen cannot be read.
    """
    total = sum(len(screen.fields) for screen in screens)
    size = sum(len(screen.fields) * 2 * int(np.prod(_shape(screen))) for screen in screens)
    path.parent.mkdir(parents=True, exist_ok=True)
    full = (
        f"the features to learn from take {size / 1e9:.1f} GB in {path.parent}, which has no room for them:"
        " write the model to another disk, or hold them in memory (data.memory)"
    )
    path.unlink(missing_ok=True)
    if shutil.disk_usage(path.parent).free < size:
        raise CellClipError(full)
    done, whole = 0, False
    try:
        with path.open("wb") as file:
            for screen in screens:
                sites = screen.fields.index
                for start in range(0, len(sites), SITES_AT_ONCE):
                    some = list(map(str, sites[start : start + SITES_AT_ONCE]))
                    file.write(screen.features(some).astype(np.float16).data)
                    done += len(some)
                    yield Progress(done, total, f"copying the features of {screen.name}", stage="fields")
        whole = True
    except OSError as error:
        raise CellClipError(f"{full} ({error})") from error
    finally:
        if not whole:
            path.unlink(missing_ok=True)


class FeaturesFile:
    """The file that :func:`iter_write` wrote, open for reading by several threads.

    Parameters
    ----------
    path : Path
        Of the file.
    screens : sequence of Screen
        That it was written from.

    Attributes
    ----------
    shape : (int, int)
        Stains and D.
    """

    def __init__(self, path: Path, screens: Sequence[Screen]) -> None:
        self.shape = _shape(screens[0])
        self._site = 2 * int(np.prod(self.shape))
        counts = accumulate((len(screen.fields) for screen in screens), initial=0)
        self._first = dict(zip((screen.path for screen in screens), counts, strict=False))
        self._path, self._lock = path, Lock()
        self._file = path.open("rb", buffering=0)
        finalize(self, self._file.close)

    def remove(self) -> None:
        """Remove the file, once all processes have opened it; this one may read on.

        Where open files cannot be removed (Windows), it goes with the last reader.
        """
        try:
            self._path.unlink()
        except PermissionError:
            finalize(self, _remove, self._path, self._file)

    def of(self, screen: Screen, rows: NDArray[np.integer]) -> StoredFeatures:
        """Features of some sites of a screen, by their rows in :attr:`Screen.fields`."""
        return StoredFeatures(self, self._first[screen.path] + np.asarray(rows, np.int64))

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """Read rows of the file, (n, stains, D)."""
        out = np.empty((len(rows), *self.shape), np.float16)
        for place, row in enumerate(rows.tolist()):
            out[place] = np.frombuffer(self._bytes(row * self._site), np.float16).reshape(self.shape)
        return out

    def _bytes(self, start: int) -> bytes:
        if hasattr(os, "pread"):
            found = os.pread(self._file.fileno(), self._site, start)
        else:  # Windows
            with self._lock:
                self._file.seek(start)
                found = self._file.read(self._site)
        if len(found) < self._site:
            raise CellClipError(f"{self._path} was cut short while it was learnt from: start the run again")
        return found


class StoredFeatures:
    """The features of a bag's fields, float16 (fields, stains, D), on disk until somebody asks for some.

    It stands where an array would, for the little that training asks of one: its shape, some of its rows, all
    of it. Rows picked by numbers are read and are an array; a slice is again a `StoredFeatures`.

    Parameters
    ----------
    file : FeaturesFile
    rows : ndarray of int64 (fields,)
        Which of the file.
    """

    ndim = 3
    dtype = np.dtype(np.float16)

    def __init__(self, file: FeaturesFile, rows: NDArray[np.int64]) -> None:
        self._file, self._rows = file, rows

    @property
    def shape(self) -> tuple[int, int, int]:
        """Fields, stains, D."""
        return len(self._rows), *self._file.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> Any:
        if isinstance(rows, slice):
            return StoredFeatures(self._file, self._rows[rows])
        return self._file.read(self._rows[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("features on disk have to be read into a new array")
        return self._file.read(self._rows).astype(dtype or self.dtype, copy=False)

    @staticmethod
    def joined(parts: Sequence[StoredFeatures]) -> StoredFeatures:
        """Join the fields of several wells."""
        return StoredFeatures(parts[0]._file, np.concatenate([part._rows for part in parts]))


def _shape(screen: Screen) -> tuple[int, int]:
    return len(screen.card.stain_order), screen.card.encoder.dim


def _remove(path: Path, file: Any) -> None:
    file.close()
    with suppress(OSError):
        path.unlink()
