"""``python -m benchmarks.accuracy.fdr_filter``: realised error rates where treatments do nothing.

Activity decides which treatments are tested, and enters their p as well. Here no treatment does anything, and
the texts are those for which that matters most: they lie near the control wells themselves, so that they fit
every well better than other texts do. Any match is false, so the share of questions with a match is the
realised false-discovery rate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from napari_cellclip.explore.calibration.calibration import Calibration
from napari_cellclip.explore.calibration.nulls.random_directions import RandomDirections
from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.vectors.well_vectors import WellVectors
from napari_cellclip.model.unit_vectors import unit_rows

RATES = (0.05, 0.1, 0.2)
DIM, BACKGROUND, SPREAD = 24, 210, 0.06
AWAY = (0.3, 0.6, 1.0)
"""Weights of another text in the question, beside the mean of the controls."""


def inactive_screen(
    rng: np.random.Generator, controls: int, treatments: int, replicates: int = 2
) -> tuple[NDArray[np.float32], pd.DataFrame, NDArray[np.bool_], NDArray[np.float64]]:
    """Draw a plate on which nothing does anything: embeddings, plate map, controls, their mean."""
    n = controls + treatments * replicates
    mean = rng.normal(size=DIM)
    mean /= np.linalg.norm(mean)
    unit = unit_rows(mean + SPREAD * rng.normal(size=(n, DIM)))
    names = ["DMSO"] * controls + [f"t{i // replicates}" for i in range(treatments * replicates)]
    types = ["negcon"] * controls + [""] * (n - controls)
    wells = pd.DataFrame({"Metadata_treatment": names, "Metadata_control_type": types})
    return unit, wells, np.arange(n) < controls, mean


def realised(screens: int, *, controls: int = 16, treatments: int = 60) -> dict[str, dict[str, float]]:
    """Measure the share of questions with a match at each rate, by way of computing q.

    Returns
    -------
    dict
        ``corrected`` (as :func:`napari_cellclip.explore.ask` does), ``uncorrected`` (inactive treatments are
        left out and p stays as it is) and ``unfiltered`` (all are tested), each by nominal rate.
    """
    rng = np.random.default_rng(0)
    bank = unit_rows(rng.normal(size=(BACKGROUND, DIM)) + 0.5 * rng.normal(size=DIM))
    directions = RandomDirections.of(bank, n=1999)
    least: dict[str, list[float]] = {"corrected": [], "uncorrected": [], "unfiltered": []}
    for seed in range(screens):
        rng = np.random.default_rng([seed, controls])
        unit, wells, is_control, mean = inactive_screen(rng, controls, treatments)
        calibration = Calibration(
            WellVectors.of(unit),
            wells,
            np.zeros(len(unit), int),
            ("P",),
            is_control,
            bank,
            directions=directions,
        )
        for away in AWAY:
            scores = calibration.score(unit_rows((mean + away * bank[rng.integers(BACKGROUND)])[None])[0])
            left = np.where(calibration.active, scores.p, np.nan)
            least["corrected"].append(_smallest(calibration.q_values(scores)))
            least["uncorrected"].append(_smallest(benjamini_hochberg(left)))
            least["unfiltered"].append(_smallest(benjamini_hochberg(scores.p)))
    return {
        way: {f"{rate:g}": float(np.mean(np.array(q) <= rate)) for rate in RATES} for way, q in least.items()
    }


def _smallest(q: NDArray[np.float64]) -> float:
    return float(np.nanmin(q, initial=1.0))


def main(
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
    screens: Annotated[int, typer.Option(min=1, help="Screens for each number of controls.")] = 300,
) -> None:
    """Measure realised false-discovery rates on screens without any active treatment."""
    found: dict[str, Any] = {"screens": screens, "questions": screens * len(AWAY)}
    found |= {f"{controls} controls": realised(screens, controls=controls) for controls in (16, 64)}
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
