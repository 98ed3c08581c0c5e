"""Captions of simulated treatments: what they say, how often, and what they must never say."""

from __future__ import annotations

import re

import pytest

from napari_cellclip.model import PromptTemplates
from napari_cellclip.training.demo.demo_captions import (
    CONTROL_WORDS,
    as_perturbation,
    control_captions,
    known_texts,
    treatment_captions,
)
from napari_cellclip.training.demo.held_out import HELD_OUT, known_mechanisms, training_compounds
from napari_cellclip.vocabulary import Control, Kind, Perturbation
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS, mechanism

TEMPLATES = PromptTemplates()
COMPOUNDS = {compound.name: (compound, found) for found in MECHANISMS for compound in found.compounds}


def corpus() -> list[str]:
    return known_texts(known_mechanisms(), INERT_COMPOUNDS, TEMPLATES)


def test_every_mechanism_holds_out_real_compounds_and_keeps_others() -> None:
    assert set(HELD_OUT) == {found.key for found in MECHANISMS}
    for found in MECHANISMS:
        names = {compound.name for compound in found.compounds}
        assert len(HELD_OUT[found.key]) >= 1
        assert set(HELD_OUT[found.key]) <= names
        assert len(names - set(HELD_OUT[found.key])) >= 3


def test_captions_never_name_a_held_out_compound() -> None:
    everything = "\n".join(corpus())
    for names in HELD_OUT.values():
        for name in names:
            compound, _ = COMPOUNDS[name]
            for text in (name, *compound.synonyms):
                assert not re.search(rf"(?<!\w){re.escape(text)}(?!\w)", everything, re.IGNORECASE), text
            assert compound.smiles not in everything
    assert not {name for names in HELD_OUT.values() for name in names} & set(training_compounds())


def test_the_corpus_holds_what_people_type() -> None:
    texts = set(corpus())
    for words in ("tubulin inhibitor", "microtubule destabilising agent"):
        assert {words, TEMPLATES.for_mechanism(words)} <= texts
    smiles = COMPOUNDS["nocodazole"][0].smiles
    assert {"nocodazole", TEMPLATES.for_compound("nocodazole"), smiles} <= texts
    assert {"DMSO", TEMPLATES.for_control("DMSO"), TEMPLATES.for_compound("", smiles)} <= texts
    assert {"TUBB knockout", TEMPLATES.for_knockout("TUBB")} <= texts


@pytest.mark.parametrize("name", ["nocodazole", "paclitaxel", "bortezomib"])
def test_odds_sum_to_one_and_every_phrasing_can_be_drawn(name: str) -> None:
    compound, found = COMPOUNDS[name]
    captions = treatment_captions(as_perturbation(compound, found), found, TEMPLATES)
    assert sum(c.odds for c in captions) == pytest.approx(1.0)
    texts = {c.text for c in captions}
    assert len(texts) == len(captions)
    for phrase in (found.name, *found.synonyms):
        assert {phrase, TEMPLATES.for_mechanism(phrase)} <= texts
    assert TEMPLATES.for_perturbation(as_perturbation(compound, found)) in texts


def test_a_knockout_is_told_by_its_gene() -> None:
    found = mechanism("tubulin inhibitor")
    knockout = Perturbation(Kind.CRISPR, "TUBB", genes=("TUBB",), mechanism=found.name)
    texts = {c.text for c in treatment_captions(knockout, found, TEMPLATES)}
    assert "U2OS cells treated with crispr, targeting genes: TUBB" in texts
    assert not any("SMILES" in text for text in texts)


def test_an_inert_compound_claims_no_mechanism() -> None:
    compound = INERT_COMPOUNDS[0]
    texts = {c.text for c in treatment_captions(as_perturbation(compound, None), None, TEMPLATES)}
    assert texts
    words = {phrase for found in MECHANISMS for phrase in (found.name, *found.synonyms)}
    assert not any(phrase in text for phrase in words for text in texts)


def test_controls_have_their_own_words() -> None:
    dmso = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE)
    captions = control_captions(dmso, TEMPLATES)
    assert sum(c.odds for c in captions) == pytest.approx(1.0)
    assert set(CONTROL_WORDS) <= {c.text for c in captions}


def test_the_dose_is_not_told() -> None:
    compound, found = COMPOUNDS["nocodazole"]
    low, high = (
        Perturbation(Kind.COMPOUND, compound.name, compound.smiles, compound.genes, found.name, dose)
        for dose in (0.1, 10.0)
    )
    assert treatment_captions(low, found, TEMPLATES) == treatment_captions(high, found, TEMPLATES)
