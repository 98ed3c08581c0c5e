"""Phenotypes and pharmacology: what a mechanism changes, and how much of it a dose brings."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.simulation import Pharmacology, Phenotype, developed, stains_changed
from napari_cellclip.simulation.pharmacology import responding_share
from napari_cellclip.simulation.phenotypes import UNTREATED
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.mechanisms import MECHANISMS

SHARES = ("survival", "lobes", "binucleate", "condensed", "mito_network")


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.key)
def test_simulator_changes_the_stains_that_the_table_names(mechanism) -> None:
    assert set(stains_changed(mechanism.key)) == set(mechanism.stains)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: m.key)
def test_no_two_mechanisms_look_the_same(mechanism) -> None:
    own = developed(mechanism.key)
    assert own != UNTREATED
    for other in MECHANISMS:
        if other is not mechanism:
            assert developed(other.key) != own


def test_nothing_is_developed_at_amount_zero() -> None:
    for mechanism in MECHANISMS:
        assert developed(mechanism.key, 0.0, {"area": 0.3}) == UNTREATED


def test_amounts_move_on_a_logarithmic_scale() -> None:
    full = developed("dna_damage").nucleus_area
    assert developed("dna_damage", 0.5).nucleus_area == pytest.approx(math.sqrt(full))


@given(amount=st.floats(-1, 3), key=st.sampled_from([m.key for m in MECHANISMS]))
def test_parameters_stay_possible(amount: float, key: str) -> None:
    look = developed(key, amount)
    for name in Phenotype.__dataclass_fields__:
        assert getattr(look, name) >= 0
    for name in SHARES:
        assert getattr(look, name) <= 1


def test_unknown_mechanism_is_refused() -> None:
    with pytest.raises(CellClipError, match="phlogiston"):
        developed("phlogiston")


def test_dose_response_is_a_hill_curve() -> None:
    drug = Pharmacology(ec50=2.0, hill=1.5, efficacy=0.9, off_target={})
    assert drug.effect(2.0) == pytest.approx(0.45)
    assert drug.effect(8.0) == pytest.approx(0.9 * 8**1.5 / (8**1.5 + 2**1.5))
    assert drug.effect(0.0) == 0.0
    assert drug.effect(None) == 0.9


@given(
    name=st.text(max_size=20),
    low=st.floats(1e-6, 1e4),
    factor=st.floats(1.01, 100),
)
def test_dose_response_rises_and_is_bounded(name: str, low: float, factor: float) -> None:
    drug = Pharmacology.of(name)
    assert 0 <= drug.effect(low) <= drug.effect(low * factor) <= drug.efficacy <= 1
    assert 0 <= responding_share(drug.effect(low)) < 1


def test_pharmacology_belongs_to_the_name_alone() -> None:
    names = [compound.name for mechanism in MECHANISMS for compound in mechanism.compounds]
    drugs = {name: Pharmacology.of(name) for name in names}
    assert Pharmacology.of("NOCODAZOLE") == drugs["nocodazole"]
    assert len({drug.ec50 for drug in drugs.values()}) == len(names)
    assert len({tuple(sorted(drug.off_target.items())) for drug in drugs.values()}) == len(names)
    # Side effects are small: none changes a parameter by more than about a half.
    assert max(abs(shift) for drug in drugs.values() for shift in drug.off_target.values()) < 0.55
