"""Splits keep treatments together, whatever a plate map calls them, and leaks are refused."""

from __future__ import annotations

import sys
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.training import Split, folds, refuse_leakage, split_wells
from napari_cellclip.training.data.treatments import scaffold, split_keys
from napari_cellclip.vocabulary import CellClipError
from napari_cellclip.vocabulary.identity import canonical_structure, described_well, role_of, treatment_keys

COLUMNS = ("treatment", "kind", "control_type", "smiles", "genes")

# One compound each: names and spellings under which it is met in plate maps.
COMPOUNDS = [
    [("ethanol", "CCO"), ("Ethyl alcohol", "OCC"), ("ETHANOL", "")],
    [("acetate", "CC(=O)[O-].[Na+]"), ("acetic acid", "OC(C)=O")],
    [("alanine", "C[C@H](N)C(=O)O"), ("DL-alanine", "CC(N)C(O)=O")],
    [("benzamide", "NC(=O)c1ccccc1")],
    [("benzoic acid", "OC(=O)c1ccccc1"), ("sodium benzoate", "[Na+].[O-]C(=O)c1ccccc1")],
    [("cyclohexanol", "OC1CCCCC1"), (" cyclohexanol ", "")],
    [("mystery", "")],
]
GENES = [[("TUBB_guide_1", "TUBB"), ("TUBB_guide_2", "tubb")], [("KIF11_guide_1", "KIF11")]]
BENZENE = {3, 4}


def shared_treatments(split: Split, wells: pd.DataFrame) -> float:
    """Share of the test wells with a treatment that training has seen: 1 for replicates by plate, else 0."""
    keys = split_keys(wells, "compound")
    seen = {key for well in split.train for key in keys[well]}
    tested = [keys[well] for well in split.test if keys[well]]
    return sum(not seen.isdisjoint(own) for own in tested) / len(tested) if tested else 0.0


def table(rows: list[tuple[str, ...]]) -> pd.DataFrame:
    """Rows of (well id, treatment, kind, control type, SMILES, genes)."""
    wells = pd.DataFrame(
        [row[1:] for row in rows],
        index=pd.Index([row[0] for row in rows], name="well_id"),
        columns=[f"Metadata_{name}" for name in COLUMNS],
    )
    return wells.assign(Metadata_Plate=[well.split("/")[0] for well in wells.index])


@st.composite
def screens(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, int]]:
    """Wells of 2 to 4 plates in any order, and the number of the treatment that each really shows."""
    rows, truth = [], {}
    for plate in range(draw(st.integers(2, 4))):
        for column in range(draw(st.integers(6, 12))):
            well = f"p{plate}/B{column + 1:02d}"
            what = draw(st.integers(-2, len(COMPOUNDS) + len(GENES) - 1)) if column > 5 else column
            if what == -2:
                rows.append((well, "", "unknown", "empty", "", ""))
            elif what == -1:
                rows.append((well, "DMSO", "control", "negcon", "CS(C)=O", ""))
            elif what < len(COMPOUNDS):
                name, smiles = draw(st.sampled_from(COMPOUNDS[what]))
                rows.append((well, name, "compound", "", smiles, ""))
                truth[well] = what
            else:
                name, gene = draw(st.sampled_from(GENES[what - len(COMPOUNDS)]))
                rows.append((well, name, "crispr", "", "", gene))
                truth[well] = what
    return table(draw(st.permutations(rows))), truth


def told_apart(wells: pd.DataFrame, truth: dict[str, int]) -> None:
    """Names that a plate map gives without structure join their compound only by name; add what joins all."""
    for what, spellings in enumerate(COMPOUNDS):
        mine = [well for well, number in truth.items() if number == what]
        for well in mine:
            wells.loc[well, "Metadata_smiles"] = spellings[0][1]


fair = settings(max_examples=20, deadline=None)


@fair
@given(screens(), st.integers(0, 99), st.sampled_from(["compound", "scaffold"]))
def test_a_split_is_disjoint_whole_and_without_leaks(made, seed, by):
    wells, truth = made
    told_apart(wells, truth)
    split = split_wells(wells, by, (0.5, 0.25, 0.25), seed)
    listed = [well for part in split.parts.values() for well in part]
    useful = [well for well in wells.index if role_of(wells.loc[well]) != "nothing"]
    assert sorted(listed) == sorted(useful)
    assert all(split.parts.values())
    sides = [{truth[well] for well in part if well in truth} for part in split.parts.values()]
    assert not any(one & other for one, other in (*pairwise(sides), (sides[0], sides[2])))
    if by == "scaffold":
        assert sum(bool(side & BENZENE) for side in sides) == 1
    refuse_leakage(split, wells)
    assert shared_treatments(split, wells) == 0


@fair
@given(screens(), st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_order_of_wells_does_not_matter_and_the_seed_does(made, seed, random):
    wells, _ = made
    order = list(wells.index)
    random.shuffle(order)
    one, other = split_wells(wells, seed=seed), split_wells(wells.loc[order], seed=seed)
    assert {name: set(part) for name, part in one.parts.items()} == {
        name: set(part) for name, part in other.parts.items()
    }
    others = {split_wells(wells, seed=s).test for s in range(8)}
    assert len(others) > 1


@fair
@given(screens(), st.integers(2, 5), st.integers(0, 99))
def test_folds_test_every_treatment_once(made, n, seed):
    wells, truth = made
    told_apart(wells, truth)
    found = folds(wells, n=n, seed=seed)
    assert len(found) == n
    tested = [{truth[well] for well in split.test if well in truth} for split in found]
    assert sorted(number for fold in tested for number in fold) == sorted(set(truth.values()))
    for split in found:
        refuse_leakage(split, wells)
        assert split.train
        assert split.validation
        useful = [well for well in wells.index if role_of(wells.loc[well]) != "nothing"]
        assert sorted((*split.train, *split.validation, *split.test)) == sorted(useful)


def test_shares_are_met():
    rows = [(f"p{p}/C{c:02d}", f"compound {c}", "compound", "", "", "") for p in (1, 2) for c in range(1, 41)]
    split = split_wells(table(rows), fractions=(0.7, 0.1, 0.2))
    assert [len(part) for part in split.parts.values()] == [56, 8, 16]


def test_negative_controls_are_divided_on_each_plate():
    rows = [(f"p{p}/C{c:02d}", f"compound {c}", "compound", "", "", "") for p in (1, 2) for c in range(1, 11)]
    rows += [
        (f"p{p}/D{c:02d}", "DMSO", "control", "negcon", "CS(C)=O", "") for p in (1, 2) for c in range(1, 11)
    ]
    split = split_wells(table(rows))
    for plate in ("p1", "p2"):
        counts = [sum(w.startswith(f"{plate}/D") for w in part) for part in split.parts.values()]
        assert counts == [7, 1, 2]
    refuse_leakage(split, table(rows))


def test_plates_stay_whole_and_their_treatments_count_as_seen():
    rows = [(f"p{p}/C{c:02d}", f"compound {c}", "compound", "", "", "") for p in range(4) for c in (1, 2, 3)]
    wells = table(rows)
    split = split_wells(wells, "plate", (0.5, 0.25, 0.25))
    plates = [{well.split("/")[0] for well in part} for part in split.parts.values()]
    assert sorted(map(len, plates)) == [1, 1, 2]
    assert len(set.union(*plates)) == 4
    refuse_leakage(split, wells)
    assert shared_treatments(split, wells) == 1
    moved = Split(split.train[1:], split.validation, (*split.test, split.train[0]), "plate")
    with pytest.raises(CellClipError, match="have the same plate"):
        refuse_leakage(moved, wells)


LEAKS = [
    (("Taxol", "compound", "", "", ""), ("taxol ", "compound", "", "", ""), "the same name"),
    (("a", "compound", "", "CCO", ""), ("b", "compound", "", "OCC.Cl", ""), "the same structure"),
    (("g_1", "crispr", "", "", "TUBB"), ("g_2", "crispr", "", "", "TUBB|KIF11"), "the same gene"),
    (("g_1", "crispr", "", "", "TUBB"), ("up", "orf", "", "", "TUBB"), "the same gene"),
    (("x", "compound", "poscon", "", ""), ("x", "compound", "", "", ""), "the same name"),
]


@pytest.mark.parametrize(("one", "other", "what"), LEAKS)
def test_a_treatment_on_both_sides_is_refused_by_name(one, other, what):
    wells = table([("p1/B02", *one), ("p2/B07", *other)])
    with pytest.raises(
        CellClipError, match=rf"{one[0]} \(p1/B02\) in train and .*\(p2/B07\) in test have {what}"
    ):
        refuse_leakage(Split(("p1/B02",), test=("p2/B07",)), wells)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("DMSO", "control", "negcon", "CS(C)=O", ""), ("DMSO", "control", "negcon", "CS(C)=O", "")),
        (("a", "compound", "", "", "TUBB"), ("b", "compound", "", "", "TUBB")),  # one target, two compounds
        (("", "unknown", "", "", ""), ("", "unknown", "", "", "")),
    ],
)
def test_controls_targets_and_unknown_wells_are_no_leak(one, other):
    wells = table([("p1/B02", *one), ("p2/B07", *other)])
    refuse_leakage(Split(("p1/B02",), test=("p2/B07",)), wells)


def test_a_scaffold_on_both_sides_is_refused_where_scaffolds_were_split():
    wells = table(
        [
            ("p1/B02", "benzamide", "compound", "", "NC(=O)c1ccccc1", ""),
            ("p1/B03", "benzoic acid", "compound", "", "OC(=O)c1ccccc1", ""),
        ]
    )
    refuse_leakage(Split(("p1/B02",), test=("p1/B03",)), wells)
    with pytest.raises(CellClipError, match="the same scaffold"):
        refuse_leakage(Split(("p1/B02",), test=("p1/B03",), by="scaffold"), wells)


def test_lists_are_checked():
    wells = table([(f"p1/B{c:02d}", f"c{c}", "compound", "", "", "") for c in range(1, 4)])
    for split, message in (
        (Split(()), "no well to train on"),
        (Split(("p1/B01",), test=("p9/B01",)), "names p9/B01, which these screens do not have"),
        (Split(("p1/B01",), test=("p1/B01",)), "p1/B01 is in train and in test"),
    ):
        with pytest.raises(CellClipError, match=message):
            refuse_leakage(split, wells)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "position"}, "not by 'position': replicate plates share one layout"),
        ({"by": "moon"}, "split by compound, scaffold, plate, not by 'moon'"),
        ({"fractions": (0.5, 0.5)}, "three shares"),
        ({"fractions": (-1, 1, 1)}, "at least 0"),
        ({"fractions": (float("nan"), 1, 1)}, "at least 0"),
        ({"by": "plate"}, "3 parts cannot be made of 2 plates"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(arguments, message):
    wells = table([(f"p{p}/B{c:02d}", f"c{c}", "compound", "", "", "") for p in (1, 2) for c in range(1, 5)])
    with pytest.raises(CellClipError, match=message):
        split_wells(wells, **arguments)


def test_too_few_treatments_are_refused():
    wells = table([("p1/B01", "a", "compound", "", "", ""), ("p1/B02", "a", "compound", "", "", "")])
    with pytest.raises(CellClipError, match="3 parts cannot be made of 1 treatments"):
        split_wells(wells)
    with pytest.raises(CellClipError, match="5 parts cannot be made of 1 treatments"):
        folds(wells)
    with pytest.raises(CellClipError, match="at least 2 folds"):
        folds(wells, n=1)
    with pytest.raises(CellClipError, match="cannot be made of 0 treatments"):
        split_wells(wells.iloc[:0])
    assert split_wells(wells, fractions=(1, 0, 0)).train == ("p1/B01", "p1/B02")


def test_two_plates_of_one_name_are_refused():
    wells = table([("p1/B01", "a", "compound", "", "", "")])
    with pytest.raises(CellClipError, match="p1/B01 comes twice"):
        split_wells(pd.concat([wells, wells]))


def test_structures_have_one_spelling():
    for spellings in COMPOUNDS:
        found = {canonical_structure(smiles) for _, smiles in spellings if smiles}
        assert len(found) <= 1
    assert canonical_structure("not a structure") == "not a structure"
    assert scaffold("OC(=O)c1ccccc1") == "c1ccccc1"
    assert scaffold("CCO") == scaffold("not a structure") == ""


def test_without_rdkit_names_and_spellings_are_compared(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "rdkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rdkit", None)
    canonical_structure.cache_clear()
    scaffold.cache_clear()
    try:
        row = {"Metadata_treatment": "a", "Metadata_kind": "compound", "Metadata_smiles": "OCC"}
        assert treatment_keys(described_well(row)) == ("name a", "structure OCC")
        with pytest.raises(CellClipError, match=r"napari-cellclip\[chem\]"):
            scaffold("CCO")
    finally:
        canonical_structure.cache_clear()
        scaffold.cache_clear()
