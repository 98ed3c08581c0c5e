"""Screens on which nothing is to be found, made from embeddings alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellclip.evaluation.protocols.simulated.verdict_answers import Bank, Wells
from napari_cellclip.explore.calibration.nulls.empirical_null import EmpiricalNull
from napari_cellclip.explore.calibration.nulls.random_directions import RandomDirections
from napari_cellclip.model.unit_vectors import unit_rows


def control_screens(plates: Sequence[Wells], n: int, *, seed: int = 0) -> Iterator[Wells]:
    """Screens whose wells are all like controls.

    A screen keeps the layout, replicates and controls of a real plate; each well is the mean of that plate's
    controls plus what a control well, drawn from all plates, differed from its own plate's mean by.

    Parameters
    ----------
    plates : sequence of Wells
        Where means and differences come from.
    n : int
        How many screens; plates take turns.
    seed : int
        Of the draws.
    """
    means, apart = [], []
    for wells in plates:
        controls = wells.unit[_controls(wells)].astype(np.float64)
        means.append(controls.mean(axis=0))
        # A mean of m controls takes a share of each away: what is left is scaled up again.
        apart.append((controls - means[-1]) * np.sqrt(len(controls) / max(len(controls) - 1, 1)))
    pool = np.concatenate(apart)
    rng = np.random.default_rng([seed, 11])
    for i in range(n):
        wells = plates[i % len(plates)]
        drawn = means[i % len(plates)] + pool[rng.integers(len(pool), size=len(wells.unit))]
        yield replace(wells, layout=i, unit=unit_rows(drawn))


def turned_screens(plates: Sequence[Wells], bank: Bank, n: int, *, seed: int = 0) -> Iterator[Wells]:
    """Screens whose treatments are as strong as real ones, in directions that no text was made for.

    What the treated wells of a plate differ from its controls by is turned by one random rotation of the span
    of the background prompts: replicates stay alike and texts still reach them.
    """
    exact = np.asarray(bank.background, np.float64)
    _, lengths, axes = np.linalg.svd(exact - exact.mean(axis=0), full_matrices=False)
    span = axes[np.cumsum(lengths**2) <= 0.999 * (lengths**2).sum()]
    rng = np.random.default_rng([seed, 12])
    for i in range(n):
        wells = plates[i % len(plates)]
        controls = _controls(wells)
        mean = wells.unit[controls].mean(axis=0, dtype=np.float64)
        apart = wells.unit.astype(np.float64) - mean
        q, r = np.linalg.qr(rng.standard_normal((len(span), len(span))))
        inside = apart @ span.T
        turned = apart + (inside @ (q * np.sign(np.diag(r))).T - inside) @ span
        turned[controls] = apart[controls]
        yield replace(wells, layout=i, unit=unit_rows(mean + turned))


def matches(
    screens: Iterator[Wells], bank: Bank, empirical_null: EmpiricalNull | None, rates: Sequence[float]
) -> pd.DataFrame:
    """Ask every question of every screen.

    Returns
    -------
    DataFrame
        One row for each screen: ``questions``, and how many of them were answered by a match at each rate, in
        a column named by it.
    """
    rows = []
    directions = RandomDirections.of(bank.background)
    for wells in screens:
        calibration = wells.calibration(bank, empirical_null, directions=directions)
        least = [
            _least_q(calibration.q_values(calibration.score(v))) for v in bank.questions[bank.in_vocabulary]
        ]
        row: dict[str | float, int] = {"questions": len(bank.questions)}
        row |= {rate: sum(q <= rate for q in least) for rate in rates}
        rows.append(row)
    return pd.DataFrame(rows)


def _controls(wells: Wells) -> NDArray[np.bool_]:
    return (wells.labels["Metadata_control_type"] == "negcon").to_numpy()


def _least_q(q: NDArray[np.float64]) -> float:
    return float(np.nanmin(q, initial=1.0))
