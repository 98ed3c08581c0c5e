"""Measure how often a model's texts fit wrong treatments, and store that null in its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from napari_cellclip.evaluation.protocols.report import update_scores
from napari_cellclip.evaluation.protocols.simulated.verdict_answers import (
    Bank,
    Wells,
    ask_layout,
    measure_empirical_null,
)
from napari_cellclip.explore.calibration.nulls.empirical_null import CARD_KEY, EmpiricalNull
from napari_cellclip.model import Model


def measure_query_null(plates: Sequence[Wells], model: Model, data: str) -> EmpiricalNull:
    """Measure how often a model's texts fit treatments they do not describe.

    Parameters
    ----------
    plates : sequence of Wells
        With known answers; none of them may be asked in an evaluation that uses the null.
    model : Model
        What embedded them.
    data : str
        Which plates they are, for the card.
    """
    bank = Bank.of(model)
    answers = pd.concat([ask_layout(wells, bank) for wells in plates], ignore_index=True)
    return measure_empirical_null(answers, data)


def store_query_null(folder: str | Path, empirical_null: EmpiricalNull, model: Model) -> None:
    """Store a null in the card of a model folder; the hashes of the card stay as they are."""
    update_scores(
        folder,
        CARD_KEY,
        {
            "data": empirical_null.data,
            "figures": {
                "random_share": [round(float(p), 6) for p in empirical_null.random_share],
                "share": [round(float(p), 6) for p in empirical_null.wrong_share],
                "pairs": empirical_null.pairs,
            },
            "model": {"name": model.card.name, "card": model.card.card_hash},
        },
    )
