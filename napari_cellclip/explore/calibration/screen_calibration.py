"""The calibration of a screen, computed once for each background of prompts."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_cellclip import __version__
from napari_cellclip.explore.asked_screen import require_embeddings
from napari_cellclip.explore.calibration.background import background_vectors
from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.measured import Measured, ToMeasure, measure
from napari_cellclip.explore.calibration.nulls.empirical_null import CARD_KEY, EmpiricalNull
from napari_cellclip.explore.calibration.nulls.random_directions import DIRECTIONS
from napari_cellclip.explore.vectors.kept_arrays import folders_for, read_arrays, write_arrays
from napari_cellclip.explore.vectors.well_index import WellIndex
from napari_cellclip.explore.vectors.well_vectors import WellVectors

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

EXAMPLES = 200
"""Treated wells that stand for what else could look like an example."""

CALIBRATIONS = 4
"""Calibrations remembered for each screen: cell lines, questions by example, seeds."""

KEPT = 4
"""Calibrations kept on disk for each model: those made last."""

FORMAT = 1
"""Of the files; other versions are not read."""

MANY_BYTES, BYTES_A_WELL = 1 << 28, 1 << 12
"""A file of more bytes than these, for each well and in all, is not read."""

_calibrations: WeakKeyDictionary[
    Screen, LRUCache[tuple[str, str, str, int, bool], tuple[pd.DataFrame, Calibration]]
]
_calibrations = WeakKeyDictionary()
_lock = Lock()


def calibration_of(
    screen: Screen, model: Model | None, *, cell_line: str, seed: int = 0, index: bool = False
) -> Calibration:
    """Compute the calibration of a screen, or return the one computed before for the same plate map.

    What was measured is kept on disk, beside the screen or in the user's cache folder, by a digest of all
    that it rests on: embeddings, background prompts, plates, controls and replicates.

    Parameters
    ----------
    screen : Screen
        Encoded plates; only wells with an embedding take part.
    model : Model or None
        Embeds the background prompts; ``None`` for questions by example, whose background are the screen's
        own treatments.
    cell_line : str
        Of the background prompts: that of the question
        (:func:`napari_cellclip.explore.asked_screen.cell_line_of`).
    seed : int
        Of random directions and control sets.
    index : bool
        Read embeddings from the index of the screen, which is mapped from disk.

    Raises
    ------
    ScreenError
        If no well has an embedding.
    """
    labels = screen.wells
    key = ("", "", "", seed, index)
    if model is not None:
        # The empirical null is part of a card's scores, which its hash leaves out.
        null = json.dumps(model.card.scores.get(CARD_KEY), sort_keys=True, default=str)
        key = (model.card.card_hash, null, cell_line, seed, index)
    with _lock:
        known = _calibrations.setdefault(screen, LRUCache(CALIBRATIONS))
        found = known.get(key)
        if found is not None and found[0] is labels:
            return found[1]
        calibration = _calibrate(screen, labels, model, cell_line, seed, index)
        known[key] = (labels, calibration)
        return calibration


def _calibrate(
    screen: Screen, labels: pd.DataFrame, model: Model | None, cell_line: str, seed: int, index: bool
) -> Calibration:
    if index:
        vectors = WellIndex.of(screen).vectors()
    else:
        require_embeddings(screen)
        vectors = WellVectors.of(screen.embeddings, screen.norms)
    codes, names = screen.plate_codes
    controls = screen.negative_controls
    if vectors.at is not None:
        labels, codes, controls = labels.iloc[vectors.at], codes[vectors.at], controls[vectors.at]
    if model is None:
        treated = np.flatnonzero(~controls)
        bank = vectors.rows(_examples(treated if len(treated) else np.arange(len(vectors)), seed))
    else:
        bank = background_vectors(model, screen.card.prompts, cell_line)
    return Calibration(
        vectors,
        labels,
        codes,
        names,
        controls,
        bank,
        empirical_null=None if model is None else EmpiricalNull.of_card(model.card.scores),
        seed=seed,
        by_example=model is None,
        measured_by=partial(_read_or_measure, screen),
    )


def _read_or_measure(screen: Screen, asked: ToMeasure) -> Measured:
    """Read what was measured of the same embeddings, prompts, plates, controls and replicates, or measure."""
    if not (folders := folders_for(screen, "calibration")):
        return measure(asked)
    folders = tuple(folder / screen.card.card_hash for folder in folders)
    digest = hashlib.sha256(f"{FORMAT} {__version__} {DIRECTIONS} {asked.digest}".encode()).hexdigest()
    name = f"{digest[:32]}.safetensors"

    def known(arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> Measured:
        if about["of"] != digest:
            raise ValueError("they are of another screen")
        return Measured.of_arrays(arrays, about, asked, DIRECTIONS)

    largest = MANY_BYTES + BYTES_A_WELL * len(asked.vectors)
    found: Measured | None = read_arrays(folders, name, known, largest=largest)
    if found is None:
        found = measure(asked)
        arrays, about = found.arrays()
        write_arrays(folders, name, arrays, {**about, "of": digest}, most=KEPT)
    return found


def _examples(wells: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Draw at most `EXAMPLES` of these wells at random."""
    if len(wells) <= EXAMPLES:
        return wells
    return wells[np.sort(np.random.default_rng([seed, 4]).choice(len(wells), EXAMPLES, replace=False))]
