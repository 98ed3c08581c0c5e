"""The same compound under another name, salt or key."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.vocabulary import Kind
from napari_cellclip.vocabulary.identity import (
    groups_of,
    names_without_structure,
    treatment_keys,
    well_keys,
)
from napari_cellclip.vocabulary.plain_names import name_key

KEYS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=3), max_size=12)


@given(KEYS)
def test_groups_are_the_connected_components(keys: list[list[str]]) -> None:
    found = groups_of(keys)
    reached = [{i} for i in range(len(keys))]
    for _ in keys:
        for i in range(len(keys)):
            for j in range(len(keys)):
                if {k for a in reached[i] for k in keys[a]} & set(keys[j]):
                    reached[i] |= reached[j]
    for i in range(len(keys)):
        assert {j for j in range(len(keys)) if found[j] == found[i]} == reached[i]


@given(KEYS)
def test_groups_are_numbered_by_first_appearance(keys: list[list[str]]) -> None:
    found = groups_of(keys).tolist()
    assert list(dict.fromkeys(found)) == list(range(len(set(found))))


def shared(one: dict[str, str], two: dict[str, str]) -> bool:
    bare = names_without_structure([one, two])
    return bool(set(treatment_keys(one, bare)) & set(treatment_keys(two, bare)))


def test_one_compound_under_other_names_salts_and_keys() -> None:
    free = {"name": "imatinib", "smiles": "CCN", "inchikey": "KTUFNOKKBVMGRW-UHFFFAOYSA-N"}
    assert shared(free, {"name": "Imatinib "})
    assert shared(free, {"name": "STI-571", "inchikey": "KTUFNOKKBVMGRW-XXXXXXXXXX-N"})
    assert shared(free, {"name": "a salt of it", "smiles": "CCN.Cl"})
    assert shared(free, {"name": "imatinib mesylate"})
    assert not shared(free, {"name": "dasatinib", "smiles": "CCCC", "inchikey": ""})


def test_knockouts_are_known_by_their_gene_and_kind() -> None:
    guide = {"name": "guide 1", "kind": str(Kind.CRISPR), "genes": "AURKB"}
    assert shared(guide, {"name": "guide 2", "kind": str(Kind.CRISPR), "genes": "aurkb"})
    assert not shared(guide, {"name": "guide 1", "kind": str(Kind.ORF), "genes": "AURKB"})


def test_names_are_compared_without_case_salts_and_hands() -> None:
    assert name_key("(+)-JQ1") == name_key("jq-1")
    assert name_key("imatinib mesylate") == name_key("Imatinib")
    assert name_key("GSK-343") != name_key("GSK-543")


def test_wells_share_the_keys_that_references_share() -> None:
    wells = pd.DataFrame(
        [
            ("imatinib", "compound", "", "CCN", "KTUFNOKKBVMGRW-UHFFFAOYSA-N", ""),
            ("STI-571", "compound", "", "", "KTUFNOKKBVMGRW-XXXXXXXXXX-N", ""),
            ("Imatinib mesylate", "compound", "", "", "", ""),
            ("g_1", "crispr", "", "", "", "ABL1"),
            ("up", "orf", "", "", "", "abl1"),
            ("DMSO", "control", "negcon", "CS(C)=O", "", ""),
        ],
        index=[f"p/A0{n}" for n in range(1, 7)],
        columns=[
            f"Metadata_{c}" for c in ("treatment", "kind", "control_type", "smiles", "InChIKey", "genes")
        ],
    )
    keys = well_keys(wells)
    assert groups_of(list(keys.values())).tolist() == [0, 0, 0, 1, 1, 2]
    assert keys["p/A06"] == ()
