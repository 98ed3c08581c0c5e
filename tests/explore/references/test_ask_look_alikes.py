"""Questions answered by look-alikes, on profile tables made from formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_cellclip import ask
from napari_cellclip.explore.references import referenced_screen
from napari_cellclip.explore.references.look_alikes import LookAlikes
from napari_cellclip.explore.references.profiles import profiles_of
from napari_cellclip.explore.references.reference_set import ReferenceSet, ReferenceSource
from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.vocabulary import CellClipError
from tests.explore.references.made_wells import TWELVE, compounds, made_wells
from tests.profile_tables import made_table, write_annotations


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("profiles")
    made_table(controls=12, replicates=3).to_csv(folder / "P1.csv", index=False)
    return import_profiles(
        folder / "P1.csv", folder / "screen", annotations=write_annotations(folder / "more.tsv")
    )


def test_wells_that_look_like_the_references_come_first(screen: Screen) -> None:
    answer = ask(screen, "tubulin inhibitor", structures=False)
    assert answer.evidence == "look-alikes"
    assert "no text tower" in answer.evidence_reason
    first = answer.treatments_table["treatment"].head(3)
    assert set(first) == {"nocodazole", "colchicine", "vinorelbine"}
    assert answer.references is not None
    assert set(answer.references.members["name"]) == {"nocodazole", "colchicine", "vinorelbine"}
    assert answer.to_json()["references"]["recognisable"]["references"] == 3


@pytest.mark.parametrize("text", ["like house-code-7", "house-code-7-like"])
@pytest.mark.parametrize(
    ("column", "value", "why"),
    [("Metadata_moa", "odd blocker", "annotation of the references"), ("Metadata_target", "TUBB", "name")],
)
def test_like_a_compound_that_only_the_plate_map_knows(
    text: str, column: str, value: str, why: str, tmp_path: Path
) -> None:
    """No structure, no table that names it: meant is the mechanism it is given, or else the compound itself."""
    table = made_table(controls=12, replicates=3).drop(columns="Metadata_smiles")
    table["Metadata_pert_iname"] = table["Metadata_pert_iname"].replace("nocodazole", "house-code-7")
    table[column] = np.where(table["Metadata_pert_iname"] == "house-code-7", value, "")
    table.to_csv(tmp_path / "P1.csv", index=False)
    answer = ask(import_profiles(tmp_path / "P1.csv", tmp_path / "screen", model=""), text)
    assert answer.references is not None
    assert answer.references.members[["name", "why"]].to_numpy().tolist() == [["house-code-7", why]]


def test_what_no_reference_carries_is_refused_with_what_there_is(screen: Screen) -> None:
    with pytest.raises(CellClipError, match=r"no reference treatment carries 'asdf'.*HDAC inhibitor"):
        ask(screen, "asdf")


def test_words_are_refused_where_there_is_no_text_tower(screen: Screen) -> None:
    with pytest.raises(CellClipError, match="train a head first"):
        ask(screen, "tubulin inhibitor", evidence="words")


def test_controls_never_count_as_references(screen: Screen) -> None:
    made = ReferenceSet.of_wells(profiles_of(screen), ReferenceSource("P1"), known_only=False)
    assert "DMSO" not in set(made.treatments["name"])


def test_testing_mechanisms_tells_how_far_it_is(screen: Screen) -> None:
    from napari_cellclip.explore.references.building import (
        iter_recognisable_mechanisms,
        recognisable_mechanisms,
    )

    told = list(iter_recognisable_mechanisms(screen))
    table = recognisable_mechanisms(screen)
    assert [step.done for step in told] == list(range(len(table)))
    assert {step.total for step in told} == {len(table)}
    assert {step.message for step in told} == {f"Testing {name}" for name in table.index}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    """Two plates with twelve mechanisms of four compounds, enough for p and probability."""
    folder = tmp_path_factory.mktemp("two")
    wells = made_wells(compounds(*TWELVE))
    table = pd.DataFrame(wells.values, columns=list(wells.features))
    plates, places = zip(*(str(well).split("/") for well in wells.wells.index), strict=True)
    labels = wells.wells[["Metadata_treatment", "Metadata_mechanism", "Metadata_control_type"]]
    table = pd.concat([labels.reset_index(drop=True), table], axis=1)
    table.assign(Metadata_Plate=plates, Metadata_Well=places).to_csv(folder / "made.csv", index=False)
    return import_profiles(folder / "made.csv", folder / "screen", cell_line="U2OS")


def test_and_takes_the_weaker_of_two_terms(two: Screen) -> None:
    one, other, both = (
        ask(two, text, structures=False).treatments_table.sort_index()
        for text in ("mechanism A", "mechanism B", "mechanism A AND mechanism B")
    )
    for column, combine in (("score", np.minimum), ("p", np.maximum), ("probability", np.minimum)):
        np.testing.assert_allclose(both[column], combine(one[column], other[column]), err_msg=column)


def test_not_takes_out_what_resembles_the_other(two: Screen) -> None:
    one = ask(two, "mechanism B", structures=False).treatments_table.sort_index()
    answer = ask(two, "mechanism A AND NOT mechanism B", structures=False)
    table = answer.treatments_table.sort_index()
    vetoed = (one["probability"] >= 0.5) | (one["p"] <= 0.05)
    assert vetoed.any()
    assert (table.loc[vetoed, "p"] == 1).all()
    assert (table.loc[vetoed, "score"] <= 0).all()
    plain = ask(two, "mechanism A", structures=False).treatments_table.sort_index()
    pd.testing.assert_series_equal(table.loc[~vetoed, "p"], plain.loc[~vetoed, "p"])
    assert not set(answer.matches["treatment"]) & set(one[vetoed]["treatment"])


def test_not_ranks_lower_where_nothing_can_be_tested(screen: Screen) -> None:
    answer = ask(screen, "tubulin inhibitor AND NOT HDAC inhibitor", structures=False)
    table = answer.treatments_table.sort_index()
    one = ask(screen, "tubulin inhibitor", structures=False).treatments_table.sort_index()
    other = ask(screen, "HDAC inhibitor", structures=False).treatments_table.sort_index()
    assert table["p"].isna().all()
    np.testing.assert_allclose(table["score"], np.fmin(one["score"], -other["score"]))


def test_not_of_what_no_reference_carries_is_said_by_the_other_term_alone(two: Screen) -> None:
    with pytest.raises(CellClipError, match="no reference treatment carries 'asdf'"):
        ask(two, "mechanism A AND asdf")
    answer = ask(two, "mechanism A AND NOT asdf", structures=False)
    alone = ask(two, "mechanism A", structures=False)
    pd.testing.assert_frame_equal(answer.treatments_table, alone.treatments_table)


def test_other_cells_are_said(two: Screen) -> None:
    made = ReferenceSet.of_wells(profiles_of(two), ReferenceSource("else", cell_line="A549"))
    labelled = made.treatments.assign(cell_line="A549")
    other = replace(made, treatments=labelled)
    answer = ask(two, "mechanism A", references=other)
    assert "References of other cells take part: A549; this screen is U2OS." in answer.notes
    assert not any("other cells" in note for note in ask(two, "mechanism A").notes)


def test_each_term_is_read_once(two: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    found = referenced_screen.select
    monkeypatch.setattr(
        referenced_screen,
        "select",
        lambda look_alikes, text, **options: read.append(text) or found(look_alikes, text, **options),
    )
    referenced_screen.referenced(two)._selected.clear()
    for _ in range(2):
        ask(two, "mechanism A AND NOT mechanism B")
    assert sorted(read) == ["mechanism A", "mechanism B"]


def test_references_are_ticked_off_by_any_of_their_names() -> None:
    """One compound of two sources under two names is one reference."""
    wells = made_wells(
        [
            {"name": "Taxol", "effect_of": "a", "mechanism": "a", "InChIKey": "A" * 14 + "-B-N"},
            {"name": "paclitaxel", "effect_of": "a", "mechanism": "a", "InChIKey": "A" * 14 + "-B-N"},
            {"name": "epothilone", "effect_of": "a", "mechanism": "a"},
        ]
    )
    found = LookAlikes(wells, ReferenceSet.of_wells(wells, ReferenceSource("made")))
    assert len(found) == 2
    for name in ("Taxol", "paclitaxel"):
        assert found.members([name]).tolist() == [True, False]


def test_wells_at_the_very_position_of_a_reference_are_not_compared_with_it() -> None:
    """One layout on all plates: a reference says nothing of what lies where it lies, and a note warns."""
    wells = made_wells(compounds(("a", 3), ("b", 3)), replicates=2, plates=2)
    names = [
        f"{plate.split('/')[0]}/{'ABCDEFGH'[i // 12]}{i % 12 + 1:02d}"
        for i, plate in enumerate(wells.wells.index)
    ]
    treatments = wells.wells["Metadata_treatment"].to_numpy(object)
    place = {t: f"C{k + 1:02d}" for k, t in enumerate(dict.fromkeys(treatments))}
    index = [
        f"P{p}/{place[t]}" if t != "DMSO" else name
        for p, t, name in zip(wells.plates, treatments, names, strict=True)
    ]
    shared = replace(wells, wells=wells.wells.set_axis(index))
    references = ReferenceSet.of_wells(shared, ReferenceSource("made"))
    queries = replace(
        shared, wells=shared.wells.assign(Metadata_treatment=[t and f"new {t}" for t in treatments])
    )
    found = LookAlikes(queries, references)
    own = [names_.removeprefix("new ") for names_ in found.replicates.table["treatment"]]
    for row, name in enumerate(own):
        if name in found.names:
            assert not found.queries.allowed[row, found.names.index(name)]
            assert found.queries.allowed[row].sum() == len(found) - 1
