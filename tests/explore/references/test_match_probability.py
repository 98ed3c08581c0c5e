"""Scores, p-values and probabilities of sharing what reference treatments carry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.explore.calibration.q_values import benjamini_hochberg
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.probability.match_probability import (
    MatchProbability,
    q_values,
    wilson,
)
from napari_cellclip.explore.references.profiles import WellProfiles
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from tests.explore.references.made_wells import TWELVE, compounds, made_wells


def beside(wells: WellProfiles, references: ReferenceSet) -> tuple[LookAlikes, MatchProbability, np.ndarray]:
    found = LookAlikes(wells, references)
    agreement, _ = found.agreement()
    return found, MatchProbability(found, structures=False), agreement


def references_of(wells: WellProfiles, *, known_only: bool = True) -> ReferenceSet:
    return ReferenceSet.of_wells(wells, ReferenceSource("made"), known_only=known_only)


@pytest.fixture(scope="module")
def reference_wells() -> WellProfiles:
    return made_wells(compounds(*TWELVE), seed=1, prefix="R")


@pytest.fixture(scope="module")
def asked(reference_wells: WellProfiles) -> tuple[LookAlikes, MatchProbability, np.ndarray]:
    others = compounds(*[(name, 3) for name, _ in TWELVE], labelled=False, prefix="new ")
    return beside(made_wells(others, seed=2), references_of(reference_wells))


def test_treatments_that_look_alike_are_probable_and_others_are_not(
    asked: tuple[LookAlikes, MatchProbability, np.ndarray],
) -> None:
    found, model, agreement = asked
    scores = model.scores(found.mechanisms["mechanism A"], agreement)
    right = found.replicates.table["treatment"].str.contains("mechanism A").to_numpy()
    probability = model.probability(scores)
    assert probability[right].min() > 0.8
    assert probability[~right].max() < 0.2
    assert model.p_values(scores)[right].max() < model.p_values(scores)[~right].min()
    high = model.precision(float(probability[right][0]))
    assert high is not None
    assert high.share > 0.8
    assert high.low < high.share <= high.high


def test_conformal_p_is_uniform_where_nothing_is_shared() -> None:
    """References and queries without any effect; labels say nothing."""
    rng = np.random.default_rng(0)
    nothing = [{"name": f"r{i}", "mechanism": f"m{i % 10}"} for i in range(60)]
    queries = [{"name": f"q{i}"} for i in range(60)]
    p = []
    for _ in range(4):
        seed = int(rng.integers(1 << 30))
        found, model, agreement = beside(
            made_wells(queries, seed=seed), references_of(made_wells(nothing, seed=seed + 1, prefix="R"))
        )
        for members in found.mechanisms.values():
            p.append(model.p_values(model.scores(members, agreement)))
    every = np.concatenate(p)
    for rate in (0.01, 0.05, 0.1, 0.2):  # what is asked of small p; four screens are 600 treatments at most
        assert np.mean(every <= rate) <= rate + 0.02
    assert np.mean(every <= 0.5) == pytest.approx(0.5, abs=0.1)


def test_the_label_of_a_treatment_changes_nothing_about_its_own_score(reference_wells: WellProfiles) -> None:
    """One of four references without its label: it scores itself exactly as it did with it."""
    name, mechanism = "mechanism C-1", "mechanism C"
    blank = reference_wells.wells.copy()
    blank.loc[blank["Metadata_treatment"] == name, "Metadata_mechanism"] = ""
    scores = []
    for wells in (reference_wells, replace(reference_wells, wells=blank)):
        found, model, agreement = beside(wells, references_of(wells, known_only=False))
        row = found.replicates.table["treatment"].tolist().index(name)
        made = model.scores(found.mechanisms[mechanism], agreement)
        scores.append((made.looks[row], made.looks_z[row], made.score[row], *made.features[row]))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9)


@pytest.mark.parametrize(
    "alias",
    [
        {"treatment": "Mechanism  C-1"},
        {"treatment": "another name", "InChIKey": "AAAAAAAAAAAAAA-SALTSALTSA-N"},
        {"treatment": "another name", "smiles": "CCCCN.Cl"},
    ],
    ids=["name", "inchikey", "salt"],
)
def test_the_same_compound_under_another_name_never_votes(
    reference_wells: WellProfiles, alias: dict[str, str]
) -> None:
    """Scores with it among the references equal those with it removed, exactly."""
    pytest.importorskip("rdkit")
    keyed = reference_wells.wells.copy()
    own = keyed["Metadata_treatment"] == "mechanism C-1"
    keyed.loc[own, "Metadata_InChIKey"] = "AAAAAAAAAAAAAA-UHFFFAOYSA-N"
    keyed.loc[own, "Metadata_smiles"] = "CCCCN"
    keyed.loc[keyed["Metadata_treatment"] == "mechanism A-0", "Metadata_smiles"] = "c1ccccc1"
    references = references_of(replace(reference_wells, wells=keyed))
    query = made_wells([{"name": "x", "effect_of": "mechanism C"}], seed=5)
    frame = query.wells.copy()
    own_wells = frame["Metadata_treatment"] == "x"
    for column, value in alias.items():
        frame.loc[own_wells, f"Metadata_{column}"] = value
    query = replace(query, wells=frame)
    with_it = LookAlikes(query, references)
    less = references.subset((references.treatments["name"] != "mechanism C-1").to_numpy())
    without = LookAlikes(query, less)
    for mechanism in ("mechanism C", "mechanism A"):
        one = with_it.queries.looks(with_it.mechanisms[mechanism])
        two = without.queries.looks(without.mechanisms[mechanism])
        np.testing.assert_allclose(one, two, rtol=1e-12)  # up to the order of a sum
    named = with_it.names.index("mechanism C-1")
    assert with_it.same_treatment[:, named].all()


def test_the_same_answer_twice(reference_wells: WellProfiles) -> None:
    made = []
    for _ in range(2):
        found, model, agreement = beside(reference_wells, references_of(reference_wells))
        scores = model.scores(found.mechanisms["mechanism B"], agreement)
        made.append((model.probability(scores), model.p_values(scores)))
    np.testing.assert_array_equal(made[0], made[1])


def test_few_labels_give_no_probability() -> None:
    wells = made_wells(compounds(("a", 2), ("b", 2)))
    found, model, agreement = beside(wells, references_of(wells))
    scores = model.scores(found.mechanisms["a"], agreement)
    assert not model.fitted
    assert np.isnan(model.probability(scores)).all()
    assert np.isnan(model.p_values(scores)).all()
    assert model.precision(0.5) is None


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 7), (10, 10), (500, 1000)])
def test_wilson_is_where_the_score_test_is_at_its_limit(right: int, n: int) -> None:
    share, low, high = wilson(right, n)
    assert share == right / n
    for end in (low, high):
        if 1e-9 < end < 1 - 1e-9:
            assert abs(share - end) / np.sqrt(end * (1 - end) / n) == pytest.approx(1.959964, rel=1e-6)
    assert wilson(0, 0)[1:] == (0.0, 1.0)


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_q_is_the_lower_of_two_estimates(pairs: list[tuple[float, float]]) -> None:
    """Oracle: Benjamini-Hochberg, and the mean of 1 - P over all that are at least as probable."""
    p, probability = np.array(pairs).T
    expected = [np.mean(1 - probability[probability >= own]) for own in probability]
    q = q_values(p, probability)
    np.testing.assert_allclose(q, np.minimum(benjamini_hochberg(p), expected))
    unknown = q_values(np.append(p, np.nan), np.append(probability, 0.9))
    assert np.isnan(unknown[-1])
    np.testing.assert_array_equal(unknown[:-1], q)
    np.testing.assert_array_equal(q_values(p, np.full(len(p), np.nan)), benjamini_hochberg(p))
