"""Lines of the hits and their filters, without a window."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.gui.canvas.matched_wells import matched_controls, wells_beside
from napari_cellclip.gui.panels.hits.hit_groups import examples_of, grouped
from napari_cellclip.gui.state.well_filter import Condition, name_and_dose, passing, read_conditions
from napari_cellclip.vocabulary import CellClipError


def wells(rows):
    table = pd.DataFrame(rows, columns=["id", "treatment", "score", "control"]).set_index("id")
    names = [i.split("/")[1] for i in table.index]
    return table.assign(
        plate=[i.split("/")[0] for i in table.index],
        well=names,
        row=[ord(n[0]) - 65 for n in names],
        column=[int(n[1:]) - 1 for n in names],
        cosine=table["score"] / 10,
        q=0.01,
        mechanism="",
        kind="compound",
        imaged=True,
        replicates=1.0,
    )


TABLE = wells(
    [
        ("P1/A01", "DMSO", 0.0, "negcon"),
        ("P1/B02", "taxol 1 µM", 2.0, ""),
        ("P1/B03", "taxol 1 µM", 4.0, ""),
        ("P2/B02", "taxol 1 µM", np.nan, ""),
        ("P1/C01", "taxol 10 µM", 8.0, ""),
        ("P1/D01", "", 1.0, ""),
        ("P1/D02", "", 3.0, ""),
        ("P1/H12", "DMSO", 0.5, "negcon"),
    ]
)


def test_wells_of_a_treatment_and_dose_share_a_line():
    groups = grouped(TABLE)
    lines = dict(zip(groups.table["treatment"], groups.wells, strict=False))
    assert lines["taxol 1 µM"] == ("P1/B03", "P1/B02", "P2/B02"), "best first, unscored last"
    row = groups.table[groups.table["treatment"] == "taxol 1 µM"].iloc[0]
    assert row["score"] == 3.0
    assert row["replicates"] == 3
    assert row["plate"] == "P1, P2"
    assert sorted(w for line in groups.wells for w in line) == sorted(TABLE.index)
    assert ("P1/D01",) in groups.wells, "wells without a treatment stand alone"
    assert ("P1/D02",) in groups.wells
    assert len(grouped(TABLE, by_treatment=False)) == len(TABLE)


def test_lines_are_ordered_with_missing_values_last():
    groups = grouped(TABLE)
    scores = groups.table["score"].to_numpy()
    assert list(scores[groups.order("score", True)]) == sorted(scores, reverse=True)
    names = list(groups.table["treatment"].to_numpy()[groups.order("treatment", False)])
    assert names == ["DMSO", "taxol 1 µM", "taxol 10 µM", "", ""]


def test_doses_of_a_treatment_make_a_curve():
    groups = grouped(TABLE)
    curves = groups.dose_curves()
    assert {tuple(curve) for curve in curves.values()} == {((1.0, 3.0), (10.0, 8.0))}
    assert {groups.table["treatment"][line] for line in curves} == {"taxol 1 µM", "taxol 10 µM"}
    assert name_and_dose("odd 1.2.3 µM")[0] == "odd 1.2.3 µM"


def test_examples_take_their_replicates_along():
    assert examples_of(TABLE, ["P1/B02", "P1/D01"]) == {"P1/B02", "P1/B03", "P2/B02", "P1/D01"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", 8),
        ("taxol", 4),
        ("treatment: TAXOL, score > 2", 2),
        ("score >= 2 and score <= 4", 3),
        ("dose = 10", 1),
        ("plate = P2", 1),
        ("control != negcon", 6),
        ("n = 1; well: B0", 3),
        ("score", 8),
        ("score >", 8),
        ("taxol, q <", 4),
    ],
)
def test_conditions_are_met_by_these_wells(text, kept):
    assert passing(TABLE, read_conditions(text)).sum() == kept


def test_a_missing_number_meets_no_condition():
    for sign in ("<", ">", "=", "!=", "<=", ">="):
        assert not passing(TABLE, (Condition("score", sign, "1"),))[3]


@pytest.mark.parametrize(
    ("text", "told"),
    [("score > x", "is a number"), ("colour = red", "no column"), ("mechanism > 3", "is a text")],
)
def test_what_cannot_be_read_is_told(text, told):
    with pytest.raises(CellClipError, match=told):
        read_conditions(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(text):
    found = ()
    with suppress(CellClipError):  # anything else would reach the user as a traceback
        found = read_conditions(text)
    assert passing(TABLE, found).shape == (len(TABLE),)


def test_the_nearest_control_of_the_plate_stands_beside():
    assert matched_controls(TABLE, "P1/B02") == ["P1/A01", "P1/H12"]
    assert matched_controls(TABLE, "P2/B02") == [], "never that of another plate"
    assert wells_beside(TABLE, "P1/B02", (), 2) == ["P1/B02", "P1/A01"]
    assert wells_beside(TABLE, "P1/B02", (), 4) == ["P1/B02", "P1/B03", "P1/A01", "P1/H12"]
    assert wells_beside(TABLE, "P1/B02", ("P1/D02", "P1/D01", "P2/B02"), 2)[1:] == ["P1/D02", "P1/D01"]
