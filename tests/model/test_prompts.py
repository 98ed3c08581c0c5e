"""Prompts: the published wordings."""

from __future__ import annotations

import pytest

from napari_cellclip.model import PromptTemplates
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
