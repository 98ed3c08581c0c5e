"""Find the wells nearest to a direction where embeddings do not fit into memory.

Embeddings of length 1 are kept as whole numbers in files that are mapped into memory: a byte for each number,
and two bytes. A question goes through all bytes. How far the cosine of a well can be off is known from its
rounding, so every well that may be among the best is looked at again in two bytes: the wells found are those
that a search through all would find, whatever the question, near to wells or far from all of them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_cellclip.explore.compiled import MOST_THREADS, run_compiled
from napari_cellclip.explore.vectors.kept_arrays import folders_for
from napari_cellclip.explore.vectors.well_vectors import WellVectors, scaled_products
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen.storage.files import state_of
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.regular_files import read_json, require_regular

if TYPE_CHECKING:
    from napari_cellclip.screen import Screen

COARSE, FINE = 127, 32767
"""Largest whole number of a byte, and of two; that of the largest number of each embedding."""

AT_ONCE = 1 << 14
"""Wells that are looked at again together."""

ROUNDING = 1e-5
"""What single precision may add to the error of a cosine."""

CHECKED = 1 << 10
"""Wells that share a checksum: half a megabyte of 512 numbers in one byte, a megabyte in two."""

READ_ONLY = {errno.EACCES, errno.EROFS, errno.EPERM}


class Checks:
    """Checksums (CRC-32) of a mapped file, each block verified when it is first read.

    Parameters
    ----------
    path : Path
        The file, to name it.
    array : ndarray (n, E)
        Mapped from it.
    sums : ndarray of uint32 (k,)
        Of each `CHECKED` rows.

    Raises
    ------
    ValueError
        If there are not as many as the file needs.
    """

    def __init__(self, path: Path, array: NDArray[Any], sums: NDArray[np.uint32]) -> None:
        self.path, self._array, self._sums = path, array, sums
        if sums.shape != (-(-len(array) // CHECKED),):
            raise ValueError("there are not as many checksums as blocks")
        self._left = np.ones(len(sums), bool)

    def all_rows(self) -> None:
        """Verify what is not verified yet; `CellClipError` if it is damaged."""
        self._verify(np.flatnonzero(self._left))

    def rows(self, rows: NDArray[np.intp]) -> None:
        """Verify the blocks that some rows lie in; as `all_rows`."""
        blocks = np.unique(rows // CHECKED)
        self._verify(blocks[self._left[blocks]])

    def _verify(self, blocks: NDArray[np.intp]) -> None:
        def damaged(block: int) -> bool:
            start = block * CHECKED
            return zlib.crc32(self._array[start : start + CHECKED].data) != int(self._sums[block])

        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
            for block, wrong in zip(blocks.tolist(), pool.map(damaged, blocks.tolist()), strict=True):
                if wrong:
                    first, last = block * CHECKED + 1, min((block + 1) * CHECKED, len(self._array))
                    raise CellClipError(
                        f"{self.path} is damaged (among wells {first:,} to {last:,}, its bytes do not have"
                        " the checksum they were written with): remove the folder"
                        f" {self.path.parent}, then ask again; the index is made anew"
                    )
        self._left[blocks] = False


@dataclass(frozen=True)
class WellIndex:
    """Unit embeddings as whole numbers, times a scale for each well; 0 where there is no embedding.

    Attributes
    ----------
    coarse : ndarray of int8 (n, E)
    fine : ndarray of int16 (n, E)
    largest : ndarray of float32 (n,)
        Largest absolute number of each unit embedding.
    checks : dict of str to Checks
        Checksums of the files of `coarse` and `fine`, where they are mapped.
    content : str
        Digest of the embeddings, where it is known.
    """

    coarse: NDArray[np.int8]
    fine: NDArray[np.int16]
    largest: NDArray[np.float32]
    checks: dict[str, Checks] = field(default_factory=dict)
    content: str = ""

    @classmethod
    def of(cls, screen: Screen) -> WellIndex:
        """Map the index of a screen, made once and kept, and made anew when embeddings change.

        It is kept in the screen's folder, or in the user's cache folder: for a screen in an object store, and
        where nothing may be written.

        Raises
        ------
        CellClipError
            If embeddings are corrected, or there is nowhere to write.
        """
        if screen.correction is not None:
            raise CellClipError(
                "an index is made of embeddings as the model made them: take the correction off first"
            )
        with _lock:
            state = screen.tables.embeddings_state()
            folders = [folder / screen.card_hash for folder in folders_for(screen, "index")]
            for folder in folders:
                known = _opened.get(screen)
                if known is not None and known[0] == (state, _files(folder)):
                    return known[1]
                if (found := cls._read(folder, state)) is not None:
                    break
            else:
                folder, found = cls._made_anew(folders, state, screen)
            _opened[screen] = (state, _files(folder)), found
            return found

    @classmethod
    def _made_anew(cls, folders: list[Path], state: str, screen: Screen) -> tuple[Path, WellIndex]:
        """Make an index in the first folder that can be written."""
        for i, folder in enumerate(folders):
            try:
                cls._make(folder, state, screen)
            except OSError as error:
                if error.errno in READ_ONLY and i + 1 < len(folders):
                    continue
                raise CellClipError(
                    f"the index of screen {screen.name} cannot be written to {folder.parent}"
                    f" ({error.strerror}): free some space, or ask without an index"
                ) from error
            if (found := cls._read(folder, state)) is not None:
                return folder, found
            raise CellClipError(f"the index in {folder} cannot be read: remove that folder, then ask again")
        raise CellClipError(f"screen {screen.name} is on no disk, where an index could be kept")

    @classmethod
    def _read(cls, folder: Path, state: str) -> WellIndex | None:
        """Map what is there; ``None`` if it is of other embeddings or not whole."""
        try:
            about = read_json(folder / "index.json")
            if about.get("embeddings") != state:
                return None
            coarse, fine, largest = (
                np.load(require_regular(folder / f"{name}.npy"), mmap_mode="r", allow_pickle=False)
                for name in ("coarse", "fine", "largest")
            )
            sums = {name: np.array(about["checksums"][name], np.uint32) for name in about["checksums"]}
            n = len(largest)
            kinds = (coarse.dtype, fine.dtype, largest.dtype) == (np.int8, np.int16, np.float32)
            if not kinds or coarse.shape != fine.shape or coarse.shape[:1] != (n,) or coarse.ndim != 2:
                return None
            checks = {
                name: Checks(folder / f"{name}.npy", array, sums[name])
                for name, array in (("coarse", coarse), ("fine", fine))
            }
            if zlib.crc32(np.ascontiguousarray(largest).data) != int(sums["largest"][0]):
                return None
        except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError, OverflowError):
            return None
        content = hashlib.sha256(json.dumps([state, about["checksums"]]).encode()).hexdigest()
        return cls(coarse, fine, np.array(largest), checks, content)

    @classmethod
    def _make(cls, folder: Path, state: str, screen: Screen) -> None:
        """Write an index beside what may be there, and put it in its place when it is whole."""
        n, dim = len(screen.wells), screen.card.embed_dim
        made = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        made.mkdir(parents=True)
        try:
            shapes: dict[str, tuple[type, tuple[int, ...]]] = {
                "coarse": (np.int8, (n, dim)),
                "fine": (np.int16, (n, dim)),
                "largest": (np.float32, (n,)),
            }
            files = {name: open(made / f"{name}.npy", "wb") for name in shapes}  # noqa: SIM115  # closed below
            sums: dict[str, list[int]] = {"coarse": [], "fine": [], "largest": [0]}
            try:
                for name, (kind, shape) in shapes.items():
                    header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(files[name], header)
                for block in _blocks(screen):
                    coarse, fine, largest = coded(block)
                    for name, codes in (("coarse", coarse), ("fine", fine)):
                        files[name].write(codes.data)
                        sums[name].append(zlib.crc32(codes.data))
                    files["largest"].write(largest.data)
                    sums["largest"] = [zlib.crc32(largest.data, sums["largest"][0])]
            finally:
                for file in files.values():
                    file.close()
            about = {"embeddings": state, "checksums": sums}
            (made / "index.json").write_text(json.dumps(about) + "\n", encoding="utf-8")
            rmtree(folder, ignore_errors=True)
            made.replace(folder)
        finally:
            rmtree(made, ignore_errors=True)

    def vectors(self) -> WellVectors:
        """Unit embeddings in two bytes a number, of the wells that have one.

        Raises
        ------
        CellClipError
            If the file of them is damaged.
        """
        if "fine" in self.checks:
            self.checks["fine"].all_rows()
        there = self.largest > 0
        at = None if there.all() else np.flatnonzero(there)
        return WellVectors(self.fine, np.float32(1 / FINE) * self.largest, at, self.content)

    def nearest(self, vector: NDArray[np.floating], k: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Find the wells with the largest cosines.

        Parameters
        ----------
        vector : ndarray (E,)
            Of length 1.
        k : int
            How many.

        Returns
        -------
        rows : ndarray of int (k,)
            Positions of the wells, nearest first; fewer where fewer have an embedding.
        cosines : ndarray of float32 (k,)
            From embeddings in two bytes.

        Raises
        ------
        CellClipError
            If what is read of the files is damaged.
        """
        if "coarse" in self.checks:
            self.checks["coarse"].all_rows()
        vector = np.asarray(vector, np.float32)
        cosine = np.empty(len(self.coarse), np.float32)
        largest = self.largest
        run_compiled(
            scaled_products, len(cosine), self.coarse, np.float32(1 / COARSE) * largest, vector, cosine
        )
        there = largest > 0
        # Each number is off by half a step at most: so far can the sum of all be off.
        off = largest * np.float32(0.5 / COARSE * np.abs(vector).sum()) + np.float32(ROUNDING)
        k = min(k, int(there.sum()))
        if not k:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        sure = np.where(there, cosine - off, -np.inf)
        bound = np.partition(sure, len(sure) - k)[len(sure) - k]
        some = np.flatnonzero(there & (cosine + off >= bound))
        exact = np.concatenate(
            [self._again(some[start : start + AT_ONCE], vector) for start in range(0, len(some), AT_ONCE)]
        )
        order = np.lexsort((some, -exact))[:k]
        return some[order], exact[order]

    def _again(self, rows: NDArray[np.intp], vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if "fine" in self.checks:
            self.checks["fine"].rows(rows)
        scale = np.float32(1 / FINE) * self.largest[rows]
        return np.asarray((self.fine[rows].astype(np.float32) @ vector) * scale, np.float32)


_opened: WeakKeyDictionary[Screen, tuple[tuple[object, ...], WellIndex]] = WeakKeyDictionary()
_lock = Lock()


def coded(
    embeddings: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.float32]]:
    """Code unit embeddings (m, E) as whole numbers, of a byte and of two, of their largest number."""
    there = np.asarray(np.isfinite(embeddings).all(axis=1), bool)
    unit = unit_rows(np.where(there[:, None], embeddings, 0))
    largest = np.abs(unit).max(axis=1, initial=0)
    share = unit / np.where(largest > 0, largest, 1)[:, None]
    return np.rint(share * COARSE).astype(np.int8), np.rint(share * FINE).astype(np.int16), largest


def _blocks(screen: Screen) -> Iterator[NDArray[np.float32]]:
    """Embeddings in blocks of `CHECKED` wells, whatever the plates have."""
    left = np.zeros((0, screen.card.embed_dim), np.float32)
    for plate in screen.tables.embeddings_by_plate():
        left = np.concatenate([left, plate])
        whole = len(left) // CHECKED * CHECKED
        for start in range(0, whole, CHECKED):
            yield left[start : start + CHECKED]
        left = left[whole:]
    if len(left):
        yield left


def _files(folder: Path) -> tuple[object, ...]:
    return (folder, *(state_of(folder / name) for name in ("index.json", "coarse.npy", "fine.npy")))
