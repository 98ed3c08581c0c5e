"""Whether references of a mechanism find each other."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability import recognisable as gate
from napari_cellclip.explore.references.probability.recognisable import (
    group_votes,
    recognisable,
    set_precisions,
    table_of_mechanisms,
)
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from tests.explore.references.made_wells import TWELVE, compounds, made_wells


@pytest.fixture(scope="module")
def found() -> LookAlikes:
    wells = made_wells([*compounds(*TWELVE), {"name": "nothing", "mechanism": "rare"}])
    return LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("made")))


def test_average_precision_by_hand() -> None:
    """Three of five; reference 0 is found by the votes for 1 and 2, and so on; nobody votes for itself."""
    votes = np.random.default_rng(0).random((5, 5))
    np.fill_diagonal(votes, 0)
    members = np.array([1, 1, 0, 1, 0], bool)
    score = [votes[i, members].sum() / (members.sum() - members[i]) for i in range(5)]
    order = sorted(range(5), key=lambda i: -score[i])
    hits, wanted = 0, []
    for rank, i in enumerate(order, start=1):
        if members[i]:
            hits += 1
            wanted.append(hits / rank)
    assert set_precisions(votes, members[None])[0] == pytest.approx(np.mean(wanted))
    several = np.array([members, ~members])
    np.testing.assert_allclose(set_precisions(votes, several)[0], np.mean(wanted))


def test_p_is_near_that_of_all_sets_of_the_size(found: LookAlikes) -> None:
    votes, annotated = group_votes(found)
    members = np.zeros(len(found), bool)
    members[[0, 5]] = True  # of two mechanisms
    pairs = np.zeros((len(found) * (len(found) - 1) // 2, len(found)), bool)
    for row, pair in zip(pairs, combinations(range(len(found)), 2), strict=True):
        row[list(pair)] = True
    assert annotated.all()
    every = set_precisions(votes, pairs)
    exact = np.mean(every >= set_precisions(votes, members[None])[0] - 1e-12)
    assert recognisable(found, members).p == pytest.approx(exact, abs=0.05)


def test_mechanisms_with_an_effect_are_open_and_permuted_labels_are_not(found: LookAlikes) -> None:
    table = table_of_mechanisms(found)
    assert table["recognisable"].all()
    assert (table["precision"] > 0.9).all()
    mixed = np.random.default_rng(3).permuted(np.repeat(np.arange(12), 4))
    p = []
    for number in range(12):
        members = np.zeros(len(found), bool)
        members[:48] = mixed == number
        p.append(recognisable(found, members).p)
    assert np.median(p) > 0.1
    assert np.mean(np.array(p) <= gate.OPEN) < 0.35


def test_one_reference_is_never_enough(found: LookAlikes) -> None:
    alone = recognisable(found, found.mechanisms["rare"])
    assert alone.references == 1
    assert not alone.open
    assert "rare" not in table_of_mechanisms(found).index


def test_the_same_answer_twice(found: LookAlikes) -> None:
    members = found.mechanisms["mechanism A"]
    again = LookAlikes(found.wells, ReferenceSet.of_wells(found.wells, ReferenceSource("made")))
    assert recognisable(found, members) == recognisable(again, members)
    assert recognisable(found, members, seed=1).precision == recognisable(found, members).precision


def test_positions_carry_no_identity() -> None:
    """References that share nothing but their one position on all plates do not find each other."""
    wells = made_wells(compounds(*TWELVE))
    plates, frame = wells.plates, wells.wells.copy()
    names = frame["Metadata_treatment"].to_numpy(object)
    first = {
        name: f"{'ABCDEFGH'[i // 12 % 8]}{i % 12 + 1:02d}" for i, name in enumerate(dict.fromkeys(names))
    }
    first["mechanism A-1"] = first["mechanism A-0"]
    frame.index = [
        index if name == "DMSO" else f"P{plate}/{first[name]}"
        for index, name, plate in zip(frame.index, names, plates, strict=True)
    ]
    moved = replace(wells, wells=frame)
    found = LookAlikes(moved, ReferenceSet.of_wells(moved, ReferenceSource("made")))
    one, two = found.names.index("mechanism A-0"), found.names.index("mechanism A-1")
    row = found.rows["group"].to_numpy().tolist().index(one)
    assert not found.own.allowed[row, two]
    assert found.own.allowed[row, found.names.index("mechanism A-2")]
