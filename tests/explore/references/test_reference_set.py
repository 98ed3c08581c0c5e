"""Reference sets: which doses are used, what is shared, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource, joined
from napari_cellclip.vocabulary import CellClipError
from tests.explore.references.made_wells import TWELVE, compounds, made_wells

MADE = ReferenceSource("made")


def test_only_doses_that_do_something_are_used() -> None:
    doses = [
        {
            "name": "nocodazole",
            "effect_of": "tubulin",
            "mechanism": "tubulin",
            "dose": dose,
            "strength": strength,
        }
        for dose, strength in ((0.01, 0), (1, 1), (10, 2))
    ]
    idle = [{"name": "idle", "mechanism": "none", "dose": dose} for dose in (1, 10)]
    found = ReferenceSet.of_wells(made_wells([*doses, *idle], replicates=6), MADE)
    used = found.treatments[found.active][["name", "dose"]].to_numpy().tolist()
    assert used == [["nocodazole", 1.0], ["nocodazole", 10.0], ["idle", 10.0]]
    assert set(LookAlikes(made_wells([*doses, *idle], replicates=6), found).rows["dose"]) == {1.0, 10.0}


def test_controls_are_no_references() -> None:
    wells = made_wells(compounds(*TWELVE[:2]))
    found = ReferenceSet.of_wells(wells, MADE, known_only=False)
    assert "DMSO" not in set(found.treatments["name"])
    with pytest.raises(CellClipError, match="names no treatment"):
        ReferenceSet.of_wells(made_wells([]), MADE)
    with pytest.raises(CellClipError, match=f"^{MADE.name} names no treatment with a mechanism"):
        ReferenceSet.of_wells(made_wells(compounds(*TWELVE[:2], labelled=False)), MADE)


def test_sets_are_joined_on_the_features_they_share() -> None:
    one = ReferenceSet.of_wells(made_wells(compounds(*TWELVE[:2])), MADE)
    two = one.restricted(one.features[5:][::-1])
    both = joined([one, two])
    assert both.features == one.features[5:]
    np.testing.assert_array_equal(both.profiles[: len(one)], both.profiles[len(one) :])
    assert len(both.sources) == 2


def test_too_few_shared_features_and_other_spaces_are_refused() -> None:
    one = ReferenceSet.of_wells(made_wells(compounds(*TWELVE[:2])), MADE)
    with pytest.raises(CellClipError, match=r"only 49 features are shared.*50 are needed"):
        joined([one.restricted(one.features[:49]), one])
    assert joined([one.restricted(one.features[:10])] * 2).features == one.features[:10]
    with pytest.raises(CellClipError, match="must be measured as the wells are"):
        joined([one, replace(one, space="encoder abc")])
    with pytest.raises(CellClipError, match="there are no reference treatments"):
        joined([])


def test_the_same_seed_gives_the_same_set() -> None:
    wells = made_wells(compounds(*TWELVE[:3]))
    one, two = (ReferenceSet.of_wells(wells, MADE, seed=4) for _ in range(2))
    assert one.treatments.equals(two.treatments)
