"""Find the wells nearest to a direction where embeddings do not fit into memory.

Embeddings of length 1 are kept as whole numbers in files that are mapped into memory: a byte for each number,
and two bytes. A question goes through all bytes. How far the cosine of a well can be off is known from its
rounding, so every well that may be among the best is looked at again in two bytes: the wells found are those
that a search through all would find, whatever the question, near to wells or far from all of them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.explore.answer import Answer
from napari_cellclip.explore.by_words import model_of_words, parts_of, read_questions
from napari_cellclip.explore.compiled import run_compiled
from napari_cellclip.explore.wording.direction import summed
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.vocabulary import CellClipError

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

COARSE, FINE = 127, 32767
"""Largest whole number of a byte, and of two; that of the largest number of each embedding."""

AT_ONCE = 1 << 14
"""Wells that are coded, or looked at again, together."""

ROUNDING = 1e-5
"""What single precision may add to the error of a cosine."""

RANKS_ONLY = (
    "Found by an index: wells are ranked by cosine and nothing is tested, for p needs the scores of all wells"
    " and controls. Ask without it for a verdict."
)


@dataclass(frozen=True)
class WellIndex:
    """Unit embeddings as whole numbers, times a scale for each well; 0 where there is no embedding.

    Attributes
    ----------
    coarse : ndarray of int8 (n, E)
    fine : ndarray of int16 (n, E)
    largest : ndarray of float32 (n,)
        Largest absolute number of each unit embedding.
    """

    coarse: NDArray[np.int8]
    fine: NDArray[np.int16]
    largest: NDArray[np.float32]

    @classmethod
    def of(cls, screen: Screen) -> WellIndex:
        """Map the index of a screen, made once and kept in its folder, and made anew when embeddings change.

        Raises
        ------
        CellClipError
            If the screen is in an object store, or its embeddings are corrected.
        """
        if not isinstance(screen.path, Path):
            raise CellClipError(f"an index is mapped from disk: copy {screen.path} to this computer first")
        if screen.correction is not None:
            raise CellClipError(
                "an index is made of embeddings as the model made them: take the correction off first"
            )
        folder = screen.path / "index" / screen.card_hash
        state = screen.tables.embeddings_state()
        if (found := cls._read(folder, state)) is None:
            cls._make(folder, state, screen)
            found = cls._read(folder, state)
        if found is None:
            raise CellClipError(f"the index in {folder} cannot be read: remove that folder, then ask again")
        return found

    @classmethod
    def _read(cls, folder: Path, state: str) -> WellIndex | None:
        """Map what is there; ``None`` if it is of other embeddings or not whole."""
        try:
            about = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            if about.get("embeddings") != state:
                return None
            coarse, fine, largest = (
                np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in ("coarse", "fine", "largest")
            )
        except (OSError, ValueError, AttributeError):
            return None
        n = len(largest)
        kinds = (coarse.dtype, fine.dtype, largest.dtype) == (np.int8, np.int16, np.float32)
        if not kinds or coarse.shape != fine.shape or coarse.shape[:1] != (n,) or coarse.ndim != 2:
            return None
        return cls(coarse, fine, largest)

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
            try:
                for name, (kind, shape) in shapes.items():
                    header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(files[name], header)
                for block in _blocks(screen):
                    arrays: tuple[NDArray[Any], ...] = coded(block)
                    for name, codes in zip(shapes, arrays, strict=True):
                        files[name].write(codes.tobytes())
            finally:
                for file in files.values():
                    file.close()
            (made / "index.json").write_text(json.dumps({"embeddings": state}) + "\n", encoding="utf-8")
            rmtree(folder, ignore_errors=True)
            made.replace(folder)
        except OSError as error:
            raise CellClipError(
                f"the index of screen {screen.name} cannot be written to {folder.parent} ({error.strerror}):"
                " free some space, or ask without an index"
            ) from error
        finally:
            rmtree(made, ignore_errors=True)

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
        """
        vector = np.asarray(vector, np.float32)
        cosine = np.empty(len(self.coarse), np.float32)
        largest = np.asarray(self.largest)
        run_compiled(code_products, len(cosine), self.coarse, largest, np.float32(1 / COARSE), vector, cosine)
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
        scale = np.float32(1 / FINE) * self.largest[rows]
        return np.asarray((self.fine[rows].astype(np.float32) @ vector) * scale, np.float32)


def ask_index(
    screen: Screen,
    text: str = "",
    *,
    wells: tuple[str, ...] = (),
    top: int = 100,
    use_platemap: bool = True,
    model: Model | None = None,
) -> Answer:
    """Rank the wells nearest to a text, or to example wells, by the index of a screen; nothing is tested.

    Parameters
    ----------
    screen : Screen
        In a local folder, its embeddings not corrected.
    text : str
        As for :func:`napari_cellclip.explore.query.ask`, without doses, cell lines, AND and NOT.
    wells : tuple of str
        Ids of examples, in place of a text.
    top : int
        Wells listed.
    use_platemap : bool
        As for :func:`napari_cellclip.explore.query.ask`.
    model : Model, optional
        The screen's own, if it is loaded already.

    Raises
    ------
    CellClipError
        If the question needs the scores of all wells, or there is nothing to ask.
    """
    if bool(text.strip()) == bool(wells):
        raise CellClipError("an index is asked for a text or for example wells: give one of the two")
    prompts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if wells:
        missing = [well for well in wells if well not in screen.wells.index]
        if missing:
            raise CellClipError(f"screen {screen.name} has no well {missing[0]!r}")
        index = WellIndex.of(screen)
        rows = screen.wells.index.get_indexer(list(wells))
        vector = summed(index.fine[rows] * (index.largest[rows, None] / FINE))
    else:
        model = model_of_words(screen, model)
        questions, filters, _, notes = read_questions(screen, text, None, use_platemap, model)
        parts = parts_of(model, questions, "mean")
        if filters or len(parts) > 1:
            raise CellClipError(
                "an index finds wells for one direction: ask without it for doses, cell lines, AND and NOT"
            )
        index, vector = WellIndex.of(screen), parts[0].vectors[0]
        prompts = tuple(prompt.text for question in questions for prompt in question.on)
    found, cosine = index.nearest(vector, top)
    scores = pd.DataFrame(
        {"cosine": cosine.astype(np.float64), "score": np.nan, "rank": np.arange(1, len(found) + 1)},
        index=screen.wells.index[found],
    ).assign(z=np.nan, q=np.nan)
    return Answer(
        query=text or f"like {', '.join(wells[:3])}",
        prompts=prompts,
        source=f"templates of the model card {screen.card.name!r}" if prompts else "example wells",
        scores=scores,
        model=screen.card.name,
        notes=(*notes, RANKS_ONLY),
        treatments=screen.wells["Metadata_treatment"],
        direction=vector,
        evidence="words" if prompts else "example wells",
    )


def coded(
    embeddings: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.int16], NDArray[np.float32]]:
    """Code unit embeddings (m, E) as whole numbers, of a byte and of two, of their largest number."""
    there = np.asarray(np.isfinite(embeddings).all(axis=1), bool)
    unit = unit_rows(np.where(there[:, None], embeddings, 0))
    largest = np.abs(unit).max(axis=1, initial=0)
    share = unit / np.where(largest > 0, largest, 1)[:, None]
    return np.rint(share * COARSE).astype(np.int8), np.rint(share * FINE).astype(np.int16), largest


def code_products(
    first: int,
    last: int,
    codes: NDArray[np.int8],
    largest: NDArray[np.float32],
    step: np.float32,
    vector: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Compute the product of coded vectors with one."""
    for i in range(first, last):
        total = np.float32(0.0)
        for k in range(len(vector)):
            total += np.float32(codes[i, k]) * vector[k]
        out[i] = total * (step * largest[i])


def _blocks(screen: Screen) -> Iterator[NDArray[np.float32]]:
    for plate in screen.tables.embeddings_by_plate():
        for start in range(0, len(plate), AT_ONCE):
            yield plate[start : start + AT_ONCE]
