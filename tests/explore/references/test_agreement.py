"""Whether replicates of a treatment agree, however few controls there are to compare with."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_cellclip.explore.references.likeness.agreement import (
    DRAWS,
    FEW_WELLS,
    _statistics,
    replicate_agreement,
)
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from napari_cellclip.model.prototypes.sphering import Sphering
from tests.explore.references.made_wells import TWELVE, compounds, made_wells


@pytest.mark.parametrize("controls", [5, 8, 12, 20, 40, 120])
def test_treatments_that_do_nothing_seldom_pass(controls: int) -> None:
    """Neither whitening, nor the mean of a few controls, nor their few combinations make an effect of nothing."""
    idle = [{"name": f"idle {i}"} for i in range(150)]
    wells = made_wells([*idle, *compounds(*TWELVE[:1])], controls=controls, seed=controls)
    found = LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("made")))
    _, p = found.agreement()
    names = found.replicates.table["treatment"].str.startswith("idle").to_numpy()
    assert np.mean(p[names] <= 0.05) <= 0.1  # 1 and .16 when controls alone were sphered on
    assert (p[~names] <= 0.05).all()


def test_p_is_the_rank_among_all_exchanges() -> None:
    """Oracle: every way to choose two of seven wells of one plate, from the formula."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(7, 5))
    x[5:] += 1.5
    controls = np.arange(7) < 5
    _, p = replicate_agreement(
        x,
        np.zeros(7, int),
        controls,
        np.array([5, 6]),
        np.array([0, 2]),
        np.array([f"A0{i}" for i in range(7)], object),
    )
    sphered = Sphering.fit(x)(x)
    sphered -= sphered.mean(axis=0)
    length = np.linalg.norm(sphered, axis=1)
    unit = sphered / length[:, None]

    def statistic(wells: tuple[int, ...]) -> float:
        return float(np.linalg.norm(unit[list(wells)].mean(axis=0)) * length[list(wells)].mean())

    every = [statistic(pair) for pair in combinations(range(7), 2)]
    exact = np.mean(np.array(every) >= statistic((5, 6)) - 1e-12)
    # 21 pairs are fewer than `FEWEST_EXCHANGES`, but there is no other plate; 500 are drawn of the 21
    assert p[0] == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / DRAWS) + 1 / DRAWS)


def test_many_replicates_are_compared_as_few_are() -> None:
    """Products looked up pair by pair, or summed through an indicator: the same statistic."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(80, 80))
    table = table @ table.T
    drawn = np.stack([rng.permutation(80)[: FEW_WELLS + 1] for _ in range(4)])
    expected = [np.sqrt(table[np.ix_(d, d)].sum()) / len(d) * d.mean() for d in drawn]
    np.testing.assert_allclose(_statistics(table, np.arange(80.0), drawn), expected)
