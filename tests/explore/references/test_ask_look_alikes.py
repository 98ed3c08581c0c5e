"""Questions answered by look-alikes, on profile tables made from formulas."""

from __future__ import annotations

import pytest

from napari_cellclip import ask
from napari_cellclip.explore.references.reference_set import ReferenceSet
from napari_cellclip.screen import Screen, import_profiles
from napari_cellclip.vocabulary import CellClipError
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


def test_what_no_reference_carries_is_refused_with_what_there_is(screen: Screen) -> None:
    with pytest.raises(CellClipError, match=r"no reference treatment carries 'asdf'.*HDAC inhibitor"):
        ask(screen, "asdf")


def test_words_are_refused_where_there_is_no_text_tower(screen: Screen) -> None:
    with pytest.raises(CellClipError, match="train a head first"):
        ask(screen, "tubulin inhibitor", evidence="words")


def test_controls_never_count_as_references(screen: Screen) -> None:
    from napari_cellclip.explore.references.profiles import profiles_of
    from napari_cellclip.explore.references.reference_set import ReferenceSource

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
