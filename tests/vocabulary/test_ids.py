from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.vocabulary import (
    PLATE_SHAPES,
    CellClipError,
    Kind,
    Perturbation,
    PlateMapError,
    normalise_well,
    parse_well,
    plate_shape,
    row_letters,
    site_id,
    split_id,
    well_id,
    well_name,
)
from napari_cellclip.vocabulary.ids import join_ids, split_ids

rows = st.integers(0, 31)
columns = st.integers(0, 47)


@given(rows, columns)
def test_every_spelling_of_a_well_reads_back(row, column):
    letters = row_letters(row)
    spellings = [
        well_name(row, column),
        f"{letters}{column + 1}",
        f"{letters.lower()}{column + 1:02d}",
        f"{letters}{column + 1:03d}",
        f" {letters}-{column + 1} ",
        f"{letters} {column + 1}",
        f"r{row + 1:02d}c{column + 1:02d}",
        f"R{row + 1}_C{column + 1}",
    ]
    assert {parse_well(s) for s in spellings} == {(row, column)}
    assert {normalise_well(s) for s in spellings} == {well_name(row, column)}


def test_names_sort_as_wells_do_within_26_rows():
    names = [well_name(r, c) for r in range(16) for c in range(24)]
    assert names == sorted(names)
    assert len(set(names)) == 384


@pytest.mark.parametrize(
    "text",
    ["", "A", "1", "A0", "A00", "3B", "A1B", "AG1", "ZZ1", "A49", "A100", "r0c1", "r33c1", "Ä1", "A1/2"],
)
def test_what_is_no_well_is_refused(text):
    with pytest.raises(PlateMapError):
        parse_well(text)


@given(st.text(max_size=12))
def test_any_text_is_a_well_on_the_largest_plate_or_refused(text):
    try:
        row, column = parse_well(text)
    except CellClipError:
        return
    assert 0 <= row < 32
    assert 0 <= column < 48
    assert parse_well(well_name(row, column)) == (row, column)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (32, 0), (0, -1), (0, 48)])
def test_positions_off_every_plate_are_refused(row, column):
    with pytest.raises(PlateMapError):
        well_name(row, column)


@given(st.sampled_from(sorted(PLATE_SHAPES)))
def test_a_standard_plate_holds_itself(wells):
    shape = PLATE_SHAPES[wells]
    assert shape[0] * shape[1] == wells
    assert plate_shape(*shape) == shape


def test_the_smallest_plate_that_holds_all_is_taken():
    assert plate_shape(5, 9) == (8, 12)
    assert plate_shape(9, 2) == (16, 24)
    with pytest.raises(PlateMapError):
        plate_shape(33, 1)


@given(st.from_regex(r"[A-Za-z0-9_ .-]{1,12}", fullmatch=True), rows, columns, st.integers(0, 99))
def test_ids_come_apart_as_they_were_put_together(plate, row, column, site):
    well = well_name(row, column)
    assert split_id(well_id(plate, well)) == (plate, well, None)
    assert split_id(site_id(plate, well, site)) == (plate, well, str(site))


@pytest.mark.parametrize("text", ["", "plate", "a/b/c/d"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(PlateMapError):
        split_id(text)


@pytest.mark.parametrize(
    ("perturbation", "label"),
    [
        (Perturbation(Kind.COMPOUND, "nocodazole", dose=1.5), "nocodazole 1.5 µM"),
        (Perturbation(Kind.CRISPR, "TUBB"), "TUBB knockout"),
        (Perturbation(Kind.ORF, "TUBB"), "TUBB over-expression"),
        (Perturbation(), "unnamed"),
    ],
)
def test_treatments_have_a_label(perturbation, label):
    assert perturbation.treatment == label


def test_ids_joined_come_apart_again() -> None:
    wells = ["plate 1/B03", "p,2/H12", "ü/A01"]
    assert split_ids(join_ids(wells)) == wells
    assert split_ids(join_ids(wells[:1])) == wells[:1]
