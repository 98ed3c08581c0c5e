"""The table of mechanisms: chemistry that RDKit accepts, words that lead to one mechanism only."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from rdkit import Chem
from rdkit.Chem.Descriptors import MolWt
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS, mechanism

ACTIVE = [compound for found in MECHANISMS for compound in found.compounds]
COMPOUNDS = [*ACTIVE, *INERT_COMPOUNDS]

# Molecular formulae from the compounds' own literature, not from the structures in the table.
FORMULAE = {
    "nocodazole": "C14H11N3O3S",
    "colchicine": "C22H25NO6",
    "paclitaxel": "C47H51NO14",
    "cytochalasin D": "C30H37NO6",
    "latrunculin A": "C22H31NO5S",
    "etoposide": "C29H32O13",
    "thapsigargin": "C34H50O12",
    "FCCP": "C10H5F3N4O",
    "BAM15": "C16H10F2N6O",
    "CX-5461": "C27H27N7O2S",
    "BMH-21": "C21H20N4O2",
    "brefeldin A": "C16H24O4",
    "bortezomib": "C19H25BN4O4",
    "cycloheximide": "C15H23NO4",
    "vorinostat": "C14H20N2O3",
    "chloroquine": "C18H26ClN3",
    "volasertib": "C34H50N8O3",
    "tozasertib": "C23H28N8OS",
    "gemcitabine": "C9H11F2N3O4",
    "DRB": "C12H12Cl2N2O4",
    "JQ1": "C23H25ClN4O2S",
    "Y-27632": "C14H21N3O",
    "sucrose": "C12H22O11",
    "glycine": "C2H5NO2",
}


def test_enough_of_everything() -> None:
    assert len(MECHANISMS) >= 14
    assert len(INERT_COMPOUNDS) >= 10
    for found in MECHANISMS:
        assert len(found.compounds) >= 4, found.key
        assert len(found.synonyms) >= 6, found.key
        assert found.genes, found.key
        assert found.stains, found.key
    assert sum(len(found.stains) == 1 for found in MECHANISMS) >= 4


@pytest.mark.parametrize("compound", COMPOUNDS, ids=lambda compound: compound.name)
def test_structure_is_valid_and_canonical(compound) -> None:
    molecule = Chem.MolFromSmiles(compound.smiles)
    assert molecule is not None
    assert Chem.MolToSmiles(molecule) == compound.smiles
    assert 50 < MolWt(molecule) < 1400


@pytest.mark.parametrize(("name", "formula"), FORMULAE.items())
def test_formula_is_the_literature_s(name: str, formula: str) -> None:
    (compound,) = [compound for compound in COMPOUNDS if compound.name == name]
    assert CalcMolFormula(Chem.MolFromSmiles(compound.smiles)) == formula


def test_no_two_compounds_share_a_structure_or_a_name() -> None:
    assert max(Counter(compound.smiles for compound in COMPOUNDS).values()) == 1
    names = [name.casefold() for c in COMPOUNDS for name in (c.name, *c.synonyms)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_phrase_belongs_to_two_mechanisms() -> None:
    phrases = [
        phrase.casefold() for found in MECHANISMS for phrase in (found.key, found.name, *found.synonyms)
    ]
    assert [phrase for phrase, count in Counter(phrases).items() if count > 1] == []


def test_no_phrase_is_the_name_of_a_compound() -> None:
    """Words such as "colchicine site binder" are the field's own, but a bare name means the compound."""
    names = {name.casefold() for c in COMPOUNDS for name in (c.name, *c.synonyms)}
    phrases = {phrase.casefold() for found in MECHANISMS for phrase in (found.name, *found.synonyms)}
    assert names & phrases == set()


def test_gene_symbols_look_like_gene_symbols() -> None:
    genes = [gene for found in MECHANISMS for gene in found.genes]
    genes += [gene for compound in COMPOUNDS for gene in compound.genes]
    assert [gene for gene in genes if not re.fullmatch(r"[A-Z][A-Z0-9-]{1,9}", gene)] == []


def test_lookup_by_key_name_and_phrase() -> None:
    for found in MECHANISMS:
        for text in (found.key, found.name.upper(), f"  {found.synonyms[-1]} "):
            assert mechanism(text) is found
    assert mechanism("microtubule destabilizing agent").key == "tubulin_destabiliser"


def test_unknown_mechanism_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CellClipError, match=r"no mechanism is called 'phlogiston'.*proteasome inhibitor"):
        mechanism("phlogiston")
