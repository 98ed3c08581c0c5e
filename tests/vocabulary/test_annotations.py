"""The table of mechanisms for wording: chemistry that holds, words that lead to one mechanism only."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

import napari_cellclip.vocabulary.annotations as module
from napari_cellclip.vocabulary.annotations import Effect, annotated_mechanisms, known_compounds
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS

ROWS = json.loads(Path(module.__file__).with_name("mechanisms.json").read_text(encoding="utf-8"))[
    "mechanisms"
]
COMPOUNDS = [compound for row in ROWS for compound in row["compounds"]]

# Molecular formulae as the literature has them, not read off the structures of the table.
FORMULAE = {
    "palbociclib": "C24H29N7O2",
    "olaparib": "C24H23FN4O3",
    "carmustine": "C5H9Cl2N3O2",
    "trametinib": "C26H23FIN5O4",
    "imatinib": "C29H31N7O",
    "erlotinib": "C22H23N3O4",
    "vemurafenib": "C23H18ClF2N3O3S",
    "sirolimus": "C51H79NO13",
    "wortmannin": "C23H24O8",
    "simvastatin": "C25H38O5",
    "dexamethasone": "C22H29FO5",
    "estradiol": "C18H24O2",
    "tamoxifen": "C26H29NO",
    "tretinoin": "C20H28O2",
    "calcitriol": "C27H44O3",
    "propranolol": "C16H21NO2",
    "haloperidol": "C21H23ClFNO2",
    "fluoxetine": "C17H18F3NO",
    "verapamil": "C27H38N2O4",
    "lidocaine": "C14H22N2O",
    "digoxin": "C41H64O14",
    "ouabain": "C29H44O12",
    "omeprazole": "C17H19N3O3S",
    "bafilomycin A1": "C35H58O9",
    "rotenone": "C23H22O6",
    "diphyllin": "C21H16O7",
    "salinomycin": "C42H70O11",
    "metformin": "C4H11N5",
    "forskolin": "C22H34O7",
    "cyclosporin A": "C62H111N11O12",
    "venetoclax": "C45H50ClN7O7S",
    "geldanamycin": "C29H40N2O9",
    "vismodegib": "C19H14Cl2N2O3S",
    "ibuprofen": "C13H18O2",
    "deferiprone": "C7H9NO2",
    "sulforaphane": "C6H11NOS2",
    "fingolimod": "C19H33NO2",
    "selinexor": "C17H11F6N7O",
}


def test_enough_mechanisms_with_enough_compounds() -> None:
    assert len(ROWS) >= 60
    assert sum(len(row["compounds"]) >= 3 for row in ROWS) >= 0.95 * len(ROWS)
    assert all(row["compounds"] and len(row["synonyms"]) >= 2 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_structures_are_what_the_table_says(row) -> None:
    for compound in row["compounds"]:
        molecule = Chem.MolFromSmiles(compound["smiles"])
        assert molecule is not None, compound["name"]
        assert Chem.MolToSmiles(molecule) == compound["smiles"], compound["name"]
        assert CalcMolFormula(molecule) == compound["formula"], compound["name"]
        assert Chem.MolToInchiKey(molecule) == compound["inchikey"], compound["name"]
        assert compound["source"] in ("hub", "hand")


@pytest.mark.parametrize(("name", "formula"), FORMULAE.items())
def test_formula_is_the_literature_s(name: str, formula: str) -> None:
    (compound,) = [compound for compound in COMPOUNDS if compound["name"] == name]
    assert compound["formula"] == formula


def test_nothing_of_the_simulated_mechanisms_is_repeated() -> None:
    found = annotated_mechanisms()
    assert [reference.key for reference in found[: len(MECHANISMS)]] == [m.key for m in MECHANISMS]
    assert len({reference.key for reference in found}) == len(found) == len(ROWS) + len(MECHANISMS)
    assert max(Counter(c.smiles for c in known_compounds()).values()) == 1


def test_every_word_leads_to_one_thing() -> None:
    names = Counter(name.casefold() for c in known_compounds() for name in {c.name, *c.synonyms})
    assert [name for name, count in names.items() if count > 1] == []
    phrases = Counter(
        text for r in annotated_mechanisms() for text in {t.casefold() for t in (r.key, r.name, *r.synonyms)}
    )
    assert [phrase for phrase, count in phrases.items() if count > 1] == []
    assert set(names) & set(phrases) == set()


def test_genes_are_written_like_genes_and_belong_to_their_row() -> None:
    for row in ROWS:
        genes = [*row["genes"], *(gene for compound in row["compounds"] for gene in compound["genes"])]
        assert [gene for gene in genes if not re.fullmatch(r"[A-Z][A-Z0-9-]{1,9}", gene)] == [], row["key"]
        assert {gene for c in row["compounds"] for gene in c["genes"]} <= set(row["genes"]), row["key"]


def test_only_what_inhibits_has_knockouts_that_look_alike() -> None:
    by_key = {found.key: found for found in annotated_mechanisms()}
    assert by_key["egfr_inhibitor"].knockouts == ("EGFR",)
    assert by_key["glucocorticoid_agonist"].effect is Effect.ACTIVATES
    assert by_key["glucocorticoid_agonist"].knockouts == ()
    assert by_key["glucocorticoid_agonist"].targets == ("NR3C1",)
    assert by_key["tubulin_destabiliser"].knockouts == next(
        m.genes for m in MECHANISMS if m.key == "tubulin_destabiliser"
    )


def test_inert_compounds_are_known_too() -> None:
    assert {compound.name for compound in INERT_COMPOUNDS} <= {c.name for c in known_compounds()}


@pytest.mark.real_data
def test_structures_of_the_hub_are_the_hub_s(real_data: Path) -> None:
    """Read again from the hub's own table: same skeleton (first block of the InChIKey) under the same name."""
    pd = pytest.importorskip("pandas")
    table = pd.read_csv(
        real_data / "meta_rephub" / "repurposing_samples_20200324_standardized.csv.gz", dtype=str
    )
    skeletons: dict[str, set[str]] = {}
    for name, key in zip(table["pert_iname"], table["InChIKey"].fillna(""), strict=True):
        skeletons.setdefault(str(name).casefold(), set()).add(key[:14])
    checked = 0
    for compound in COMPOUNDS:
        if compound["source"] == "hub":
            names = [name.casefold() for name in (compound["name"], *compound["synonyms"])]
            found = set().union(*(skeletons.get(name, set()) for name in names))
            assert compound["inchikey"][:14] in found, compound["name"]
            checked += 1
    assert checked > 500
