"""Captions in the words of a plate map, and the vocabulary that a model gets from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.model import PromptTemplates
from napari_cellclip.training.config_sections import CaptionConfig
from napari_cellclip.training.data.platemap_captions import captions_of, parts, platemap_vocabulary
from napari_cellclip.vocabulary import Control, Kind, Perturbation

WORDS = PromptTemplates()
DRUG = Perturbation(
    Kind.COMPOUND,
    "vorinostat",
    smiles="ONC(=O)CCCCCCC(=O)Nc1ccccc1",
    genes=("HDAC1", "HDAC6"),
    mechanism="HDAC inhibitor|topoisomerase inhibitor",
    dose=5.0,
    cell_line="A549",
)


def test_every_wording_comes_as_often_as_its_odds_say() -> None:
    odds = CaptionConfig(full=0.4, name=0.1, smiles=0.1, mechanism=0.3, genes=0.1)
    found = {c.text: c.odds for c in captions_of(DRUG, WORDS, "U2OS", odds)}
    cell = "A549 cells treated with"
    assert found == pytest.approx(
        {
            f"{cell} compound: vorinostat, SMILES: {DRUG.smiles}": 0.4,
            f"{cell} compound: vorinostat": 0.1,
            f"{cell} SMILES: {DRUG.smiles}": 0.1,
            f"{cell} compound: HDAC inhibitor": 0.15,
            f"{cell} compound: topoisomerase inhibitor": 0.15,
            f"{cell} compound: HDAC1": 0.05,
            f"{cell} compound: HDAC6": 0.05,
        }
    )
    assert next(iter(found)) == WORDS.for_perturbation(DRUG, "U2OS")  # in full first: validated with it


def test_mechanisms_are_worded_as_somebody_asks_for_them() -> None:
    found = captions_of(DRUG, WORDS, "U2OS", CaptionConfig(full=0, name=0, smiles=0, genes=0))
    assert {c.text for c in found} == {WORDS.for_mechanism(words, "A549") for words in parts(DRUG.mechanism)}


@given(odds=st.lists(st.floats(0, 5), min_size=5, max_size=5).filter(any))
def test_odds_sum_to_one_and_what_is_unknown_gives_its_share_away(odds: list[float]) -> None:
    names = ("full", "name", "smiles", "mechanism", "genes")
    config = CaptionConfig(**dict(zip(names, odds, strict=True)))
    bare = Perturbation(Kind.COMPOUND, "x1")
    for perturbation in (DRUG, bare, Perturbation(Kind.CRISPR, "TUBB", genes=("TUBB",))):
        found = captions_of(perturbation, WORDS, "U2OS", config)
        assert sum(c.odds for c in found) == pytest.approx(1)
        assert len({c.text for c in found}) == len(found)
    assert [c.text for c in captions_of(bare, WORDS, "U2OS", config)] == [
        "U2OS cells treated with compound: x1"
    ]


def test_controls_have_one_wording_and_empty_wells_one_if_asked_for() -> None:
    dmso = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE, mechanism="solvent")
    assert [c.text for c in captions_of(dmso, WORDS, "U2OS", CaptionConfig())] == [WORDS.for_control("DMSO")]
    empty = Perturbation(Kind.CONTROL, control=Control.EMPTY)
    assert captions_of(empty, WORDS, "U2OS") == ()
    assert [c.text for c in captions_of(empty, WORDS, "U2OS", empty_wells=True)] == [WORDS.for_control()]


def test_the_vocabulary_is_the_words_of_the_captions() -> None:
    dmso = Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE)
    gene = Perturbation(Kind.CRISPR, "TUBB", genes=("TUBB",), mechanism="tubulin loss")
    every = platemap_vocabulary([DRUG, dmso, gene, DRUG], CaptionConfig())
    assert every["vorinostat"] == ["vorinostat", DRUG.smiles, "HDAC1", "HDAC6"]
    assert every["HDAC inhibitor"] == ["HDAC inhibitor"]
    assert every["control"] == ["control"]
    assert every["TUBB"] == ["TUBB"]
    bare = platemap_vocabulary([DRUG], CaptionConfig(full=0, name=1, smiles=0, mechanism=0, genes=0))
    assert bare == {"vorinostat": ["vorinostat"]}
