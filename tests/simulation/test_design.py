"""Designs: what a screening plate holds and where."""

from __future__ import annotations

from collections import Counter

import pytest

from napari_cellclip.simulation import compound_treatment, default_design, dmso, knockout_treatment
from napari_cellclip.simulation.design import DOSES, dose_response_design
from napari_cellclip.vocabulary import PLATE_SHAPES, CellClipError, Kind
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS

INERT = {compound.name for compound in INERT_COMPOUNDS}


@pytest.mark.parametrize("wells", [6, 24, 96, 384, 1536])
def test_every_well_is_filled(wells: int) -> None:
    design = default_design(wells, 3)
    rows, columns = design.shape
    assert design.shape == PLATE_SHAPES[wells]
    assert len(design.wells) == rows * columns == wells
    assert sum(t.perturbation.is_negative_control for t in design.wells.values()) >= 2


def test_a_96_well_plate_holds_what_a_screen_needs() -> None:
    design = default_design(96, 0)
    treatments = list(design.wells.values())
    assert 10 <= sum(t.perturbation.is_negative_control for t in treatments) <= 20
    assert any(t.perturbation.kind is Kind.CRISPR for t in treatments)
    assert any(t.perturbation.name in INERT for t in treatments)
    wells_of = Counter(t.mechanism for t in treatments if t.mechanism)
    assert set(wells_of) == {m.key for m in MECHANISMS}
    for mechanism in MECHANISMS:
        assert max(t.effect for t in treatments if t.mechanism == mechanism.key) >= 0.5


def test_seeds_randomise_wells() -> None:
    def layout(seed: int) -> list[str]:
        return [t.perturbation.name for t in default_design(96, seed).wells.values()]

    assert layout(1) == layout(1)
    moved = sum(a != b for a, b in zip(layout(1), layout(2), strict=True))
    assert moved > 60
    # Controls are not always in the same column.
    controls = [{w for w, t in default_design(96, s).wells.items() if t == dmso()} for s in range(6)]
    assert len(set.union(*controls)) > 40


def test_restricting_compounds_leaves_no_other_on_the_plate() -> None:
    allowed = {c.name for m in MECHANISMS for c in m.compounds[:2]}
    found = {
        t.perturbation.name
        for t in default_design(384, 5, compounds=allowed).wells.values()
        if t.perturbation.kind is Kind.COMPOUND and t.mechanism
    }
    assert found == allowed


def test_restricting_away_a_mechanism_is_refused() -> None:
    with pytest.raises(CellClipError, match=r"no compound is left for .*proteasome inhibitor"):
        default_design(96, 0, compounds=["nocodazole"])


def test_unknown_format_is_refused() -> None:
    with pytest.raises(CellClipError, match="no plate has 97 wells"):
        default_design(97)


def test_higher_doses_do_more_and_inert_compounds_nothing() -> None:
    mechanism = MECHANISMS[0]
    effects = [compound_treatment(mechanism.compounds[0], mechanism, d).effect for d in (0.01, 0.3, 3, 30)]
    assert effects == sorted(effects)
    assert effects[0] < 0.3 < 0.6 < effects[-1]
    assert compound_treatment(INERT_COMPOUNDS[0], None, 30.0).effect == 0.0


def test_knockouts_name_their_gene_and_have_no_dose() -> None:
    treatment = knockout_treatment("PLK1", next(m for m in MECHANISMS if m.key == "plk_inhibitor"))
    assert treatment.perturbation.kind is Kind.CRISPR
    assert treatment.perturbation.genes == ("PLK1",)
    assert treatment.perturbation.dose is None
    assert treatment.effect > 0.5


def test_a_dose_response_plate_repeats_every_treatment_and_dose() -> None:
    design = dose_response_design(5, MECHANISMS[:6], replicates=3, inert=2)
    treatments = list(design.wells.values())
    assert len(treatments) == 96
    repeats = Counter(
        (t.mechanism, t.perturbation.name, t.perturbation.dose)
        for t in treatments
        if not t.perturbation.is_negative_control
    )
    assert set(repeats.values()) == {3}
    assert {(key, dose) for key, _, dose in repeats if key} == {
        (m.key, d) for m in MECHANISMS[:6] for d in DOSES
    }
    assert len({name for key, name, _ in repeats if not key}) == 2
    assert sum(t.perturbation.is_negative_control for t in treatments) == 96 - 3 * (6 * 3 + 2)
    assert dose_response_design(5, MECHANISMS[:6], replicates=3, inert=2) == design
    assert dose_response_design(6, MECHANISMS[:6], replicates=3, inert=2) != design


def test_too_many_treatments_for_a_plate_are_refused() -> None:
    with pytest.raises(CellClipError, match="too few for the vehicle"):
        dose_response_design(0, MECHANISMS, replicates=2)
