"""The calibration of a screen, computed once for each background of prompts."""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from cachetools import LRUCache
from numpy.typing import NDArray

from napari_cellclip.explore.asked_screen import require_embeddings
from napari_cellclip.explore.calibration.background import background_vectors
from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.empirical_null import CARD_KEY, EmpiricalNull
from napari_cellclip.model.unit_vectors import unit_rows

if TYPE_CHECKING:
    from napari_cellclip.model import Model
    from napari_cellclip.screen import Screen

EXAMPLES = 200
"""Treated wells that stand for what else could look like an example."""

CALIBRATIONS = 4
"""Calibrations remembered for each screen: cell lines, questions by example, seeds."""

_calibrations: WeakKeyDictionary[
    Screen, LRUCache[tuple[str, str, str, int], tuple[pd.DataFrame, Calibration]]
]
_calibrations = WeakKeyDictionary()
_lock = Lock()


def calibration_of(screen: Screen, model: Model | None, *, cell_line: str, seed: int = 0) -> Calibration:
    """Compute the calibration of a screen, or return the one computed before for the same plate map.

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

    Raises
    ------
    ScreenError
        If no well has an embedding.
    """
    labels = screen.wells
    key = ("", "", "", seed)
    if model is not None:
        # The empirical null is part of a card's scores, which its hash leaves out.
        null = json.dumps(model.card.scores.get(CARD_KEY), sort_keys=True, default=str)
        key = (model.card.card_hash, null, cell_line, seed)
    with _lock:
        known = _calibrations.setdefault(screen, LRUCache(CALIBRATIONS))
        found = known.get(key)
        if found is not None and found[0] is labels:
            return found[1]
        calibration = _calibrate(screen, labels, model, cell_line, seed)
        known[key] = (labels, calibration)
        return calibration


def _calibrate(
    screen: Screen, labels: pd.DataFrame, model: Model | None, cell_line: str, seed: int
) -> Calibration:
    there = require_embeddings(screen)
    codes, names = screen.plate_codes
    every = bool(there.all())
    unit = unit_rows(screen.embeddings if every else screen.embeddings[there])
    controls = screen.negative_controls[there]
    if model is None:
        bank = _examples(unit[~controls] if (~controls).any() else unit, seed)
    else:
        bank = background_vectors(model, screen.card.prompts, cell_line)
    return Calibration(
        unit,
        labels if every else labels[there],
        codes[there],
        names,
        controls,
        bank,
        empirical_null=None if model is None else EmpiricalNull.of_card(model.card.scores),
        seed=seed,
        by_example=model is None,
    )


def _examples(unit: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Draw at most `EXAMPLES` of these wells at random."""
    if len(unit) <= EXAMPLES:
        return unit
    return unit[np.sort(np.random.default_rng([seed, 4]).choice(len(unit), EXAMPLES, replace=False))]
