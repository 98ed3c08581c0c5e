"""Prompts: the published wordings, and what somebody types."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.model import PromptTemplates
from napari_cellclip.model.prompts import looks_like_gene, looks_like_smiles, published_caption
from napari_cellclip.vocabulary import Control, Kind, Perturbation

T = PromptTemplates()
OWN = PromptTemplates(mechanism="{cell} cells treated with {mechanism}", cell_line="A549")
COMPOUND = Kind.COMPOUND


@pytest.mark.parametrize(
    ("perturbation", "prompt"),
    [
        (
            Perturbation(COMPOUND, "butyric acid", "CCCC(O)=O"),
            "U2OS cells treated with compound: butyric acid, SMILES: CCCC(O)=O",
        ),
        (Perturbation(COMPOUND, "", "CCO"), "U2OS cells treated with SMILES: CCO"),
        (Perturbation(COMPOUND, "taxol"), "U2OS cells treated with compound: taxol"),
        (Perturbation(COMPOUND, "taxol", cell_line="A549"), "A549 cells treated with compound: taxol"),
        (
            Perturbation(COMPOUND, "taxol", control=Control.POSITIVE),
            "U2OS cells treated with compound: taxol",
        ),
        (
            Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
            "U2OS cells treated with compound: control, DMSO, SMILES: CS(C)=O",
        ),
        (
            Perturbation(COMPOUND, "DMSO", "C[S+](C)[O-]", control=Control.NEGATIVE),
            "U2OS cells treated with compound: control, DMSO, SMILES: C[S+](C)[O-]",
        ),
        (
            Perturbation(Kind.CONTROL, "EMPTY_control", control=Control.EMPTY),
            "U2OS cells treated with compound: control",
        ),
        (
            Perturbation(Kind.CRISPR, "TUBB", genes=("TUBB",)),
            "U2OS cells treated with crispr, targeting genes: TUBB",
        ),
        (
            Perturbation(Kind.CRISPR, "sg1", genes=("HDAC1", "HDAC2")),
            "U2OS cells treated with crispr, targeting genes: HDAC1, HDAC2",
        ),
        (Perturbation(Kind.ORF, "KRAS"), "U2OS cells treated with orf, targeting genes: KRAS"),
        (Perturbation(), "U2OS cells treated with control, no treatment."),
        (
            Perturbation(COMPOUND, mechanism="HDAC inhibitor"),
            "U2OS cells treated with compound: HDAC inhibitor",
        ),
    ],
)
def test_perturbations(perturbation, prompt):
    assert T.for_perturbation(perturbation) == prompt


def test_dose_and_mechanism_do_not_change_a_named_compound():
    plain, told = (
        Perturbation(COMPOUND, "taxol", "C=O"),
        Perturbation(COMPOUND, "taxol", "C=O", mechanism="x", dose=3.0),
    )
    assert T.for_perturbation(plain) == T.for_perturbation(told)


def test_cell_line_of_the_well_wins_over_the_asker():
    assert T.for_perturbation(Perturbation(COMPOUND, "a", cell_line="A549"), "HUVEC").startswith("A549")
    assert T.for_perturbation(Perturbation(COMPOUND, "a"), "HUVEC").startswith("HUVEC")
    assert OWN.for_perturbation(Perturbation(COMPOUND, "a")).startswith("A549")


def test_long_prompts_are_shortened():
    assert T.for_compound("n" * 300, "C" * 300) == f"U2OS cells treated with SMILES: {'C' * 300}"
    assert T.for_compound("drug", "C" * 600) == "U2OS cells treated with compound, drug"
    assert T.for_compound("", "C" * 600) == f"U2OS cells treated with SMILES: {'C' * 600}"


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("nocodazole", ["compound: nocodazole", "nocodazole"]),
        (" Latrunculin  ", ["compound: Latrunculin", "Latrunculin"]),
        ("tubulin inhibitor", ["tubulin inhibitor"]),
        ("microtubule destabilising agent", ["microtubule destabilising agent"]),
        ("uncoupler", ["uncoupler"]),
        ("HDAC inhibitor", ["HDAC inhibitor"]),
        ("HDAC1", ["crispr, targeting genes: HDAC1", "compound: HDAC1"]),
        ("TUBB knockout", ["crispr, targeting genes: TUBB"]),
        ("knock-out of tubb", ["crispr, targeting genes: TUBB"]),
        ("CRISPR: C9orf72", ["crispr, targeting genes: C9ORF72"]),
        ("KRAS overexpression", ["orf, targeting genes: KRAS"]),
        ("COC(=O)Nc1nc2ccccc2[nH]1", ["SMILES: COC(=O)Nc1nc2ccccc2[nH]1"]),
        ("DMSO", ["compound: control, DMSO, SMILES: CS(C)=O"]),
        ("untreated", ["control, no treatment."]),
    ],
)
def test_typed_texts(text, prompts):
    assert OWN.for_query(text) == [f"A549 cells treated with {p}" for p in prompts]
    assert OWN.for_query(text, "HUVEC") == [f"HUVEC cells treated with {p}" for p in prompts]


def test_sentences_are_sent_as_they_are_and_nothing_as_nothing():
    assert T.for_query("cells with fragmented nuclei") == ["cells with fragmented nuclei"]
    assert T.for_query("  ") == []


def test_published_wordings_have_no_mechanism_of_their_own():
    assert T.for_query("nocodazole") == ["U2OS cells treated with compound: nocodazole"]


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_text_gives_distinct_filled_in_prompts(text):
    prompts = OWN.for_query(text)
    assert bool(prompts) == bool(text.split())
    assert len(set(prompts)) == len(prompts)
    assert all(p.strip() for p in prompts)


@pytest.mark.parametrize("text", ["TP53", "HLA-A", "MT-CO1", "C9orf72", "TUBB4B"])
def test_genes(text):
    assert looks_like_gene(text)


@pytest.mark.parametrize("text", ["taxol", "Nocodazole", "HDAC inhibitor", "A", "ABCDEFGHIJKLM", ""])
def test_not_genes(text):
    assert not looks_like_gene(text)


@pytest.mark.parametrize("text", ["CC(=O)O", "c1ccccc1", "C[S+](C)[O-]", "C#N", "Clc1ccccc1"])
def test_structures(text):
    assert looks_like_smiles(text)


@pytest.mark.parametrize("text", ["CCO", "KRAS", "(+)-JQ1", "C(C", "colchicine", "tubulin (beta)", "5-FU"])
def test_not_structures(text):
    assert not looks_like_smiles(text)


def test_captions_of_public_tables():
    assert published_caption("U2OS", "compound", "DMSO", None).endswith("DMSO, SMILES: CS(C)=O")
    assert (
        published_caption("A549", "orf", "SGK3", "control", "negcon")
        == "A549 cells treated with orf control negcon, targeting genes: SGK3."
    )
    for gap in (None, "TUBB"):
        assert "nan" not in published_caption("U2OS", "crispr", gap, "ACGT", "control negcon")
    with pytest.raises(ValueError, match="kind 'peptide'"):
        published_caption("U2OS", "peptide")
