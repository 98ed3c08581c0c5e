"""References that are left out meet what a new treatment would meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability import match_probability
from napari_cellclip.explore.references.probability.left_out import LeftOut
from napari_cellclip.explore.references.probability.match_probability import MatchProbability
from napari_cellclip.explore.references.probability.set_scores import SetScorer
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from tests.explore.references.made_wells import TWELVE, compounds, made_wells


@pytest.mark.parametrize("structures", [False, True])
def test_left_out_is_the_same_as_never_having_been_a_reference(structures: bool) -> None:
    """Oracle: a screen of the same compounds beside a set that has been built without them."""
    if structures:
        pytest.importorskip("rdkit")
    treatments = compounds(*TWELVE)
    if structures:
        treatments = [t | {"smiles": "C" * (i % 9 + 1) + "ONSFIP"[i // 9]} for i, t in enumerate(treatments)]
    wells = made_wells(treatments)
    references = ReferenceSet.of_wells(wells, ReferenceSource("made"))
    names = references.treatments["name"].str
    asked = wells.wells["Metadata_treatment"].str.endswith("-1").to_numpy() | wells.controls
    part = replace(
        wells,
        values=wells.values[asked],
        wells=wells.wells[asked],
        plates=wells.plates[asked],
        controls=wells.controls[asked],
    )
    whole = LookAlikes(part, references)
    fresh = LookAlikes(part, references.subset(~names.endswith("-1").to_numpy()))
    left_out = LeftOut(whole, np.array([name.endswith("-1") for name in whole.names]))
    assert len(left_out) == len(fresh) == 36
    order = [
        fresh.replicates.table["treatment"].tolist().index(name)
        for name in whole.rows["name"].iloc[left_out.left_out_rows]
    ]
    agreement = np.linspace(0, 1, len(order))
    for mechanism, members in fresh.mechanisms.items():
        expected = SetScorer(fresh, structures=structures).of_queries(members, agreement)
        found = SetScorer(left_out, structures=structures).of_queries(
            left_out.mechanisms[mechanism], agreement[order]
        )
        for name in ("looks", "built", "score", "features"):
            one, two = getattr(expected, name)[order], getattr(found, name)
            np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-4, err_msg=name)


def test_each_compound_is_asked_for_all_mechanisms_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that probabilities are calibrated on: every compound once with each mechanism, right or not."""
    asked: list[tuple[int, int]] = []

    def watched(*args: object) -> object:
        probability, right = args[0], args[1]
        asked.append((len(probability), int(right.sum())))  # type: ignore[arg-type, attr-defined]
        return real(*args)  # type: ignore[arg-type]

    real = match_probability.recalibration
    monkeypatch.setattr(match_probability, "recalibration", watched)
    wells = made_wells(compounds(*TWELVE[:6], ("of two", 2)))
    found = LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("made")))
    MatchProbability(found, structures=False)
    assert asked == [(26 * 6, 24)]  # 26 compounds, 6 mechanisms; one right answer for each of 24
