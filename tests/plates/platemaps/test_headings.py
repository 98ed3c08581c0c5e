"""Plate maps with titles above them, on another sheet, and with columns named as nobody else names them."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from napari_cellclip.plates import PlateMap
from napari_cellclip.plates.platemaps.columns import CHOICES, Columns
from napari_cellclip.plates.platemaps.tables import read_sheets
from napari_cellclip.vocabulary import Control, PlateMapError

TITLED = "Assay 12, plate 3; J. Doe\nread 2024-05-01\n\nWell;Compound;Dose\nA01;DMSO;\nB02;nocodazole;1,5\n"


def workbook(path: Path, sheets: dict[str, list[list[object]]], merged: str | None = None) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        if merged and rows:
            sheet.merge_cells(merged)
    book.save(path)
    return path


def test_titles_above_a_text_table_are_passed_over(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text(TITLED)
    platemap = PlateMap.read(path)
    assert [(w, p.name, p.dose) for w, p in platemap.wells.items()] == [
        ("A01", "DMSO", None),
        ("B02", "nocodazole", 1.5),
    ]


def test_lines_named_in_problems_are_those_of_the_file(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("title\nWell,Compound\nA01,x\nZZ99,y\n")
    assert [p.subject for p in PlateMap.read(path).problems] == ["map.csv line 4"]


def test_a_heading_further_down_is_taken_where_it_is_given(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("Well,Name\nB01,old\nWell,Name\nA01,new\n")
    assert set(PlateMap.read(path).wells) == {"A01", "B01"}
    assert {w: p.name for w, p in PlateMap.read(path, heading=3).wells.items()} == {"A01": "new"}
    with pytest.raises(PlateMapError, match="no line 9"):
        PlateMap.read(path, heading=9)


def test_the_sheet_with_wells_is_found_and_another_may_be_chosen(tmp_path):
    rows = [["Screen of May"], [], ["Well", "Treatment"], ["A01", "DMSO"]]
    others = [["Well", "Treatment"], ["C03", "taxol"]]
    path = workbook(
        tmp_path / "map.xlsx", {"Readme": [["see", "below"], ["J.", "Doe"]], "P1": rows, "P2": others}
    )
    assert read_sheets(path) == ("Readme", "P1", "P2")
    assert set(PlateMap.read(path).wells) == {"A01"}
    assert set(PlateMap.read(path, sheet="P2").wells) == {"C03"}
    with pytest.raises(PlateMapError, match=r"no sheet 'P3': choose one of Readme, P1, P2"):
        PlateMap.read(path, sheet="P3")
    with pytest.raises(PlateMapError, match="no column of wells"):
        PlateMap.read(path, sheet="Readme")


def test_a_title_merged_across_columns_is_no_trouble_and_cells_below_are(tmp_path):
    rows = [["Title", None], ["Well", "Treatment"], ["A01", "DMSO"]]
    assert set(PlateMap.read(workbook(tmp_path / "a.xlsx", {"S": rows}, merged="A1:B1")).wells) == {"A01"}
    with pytest.raises(PlateMapError, match="merged across columns"):
        PlateMap.read(workbook(tmp_path / "b.xlsx", {"S": rows}, merged="A3:B3"))


def test_text_files_have_no_sheets(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text(TITLED)
    assert read_sheets(path) == ()


def test_columns_of_any_name_are_read_where_the_user_says_so(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("Pos.#,Cpd code,Name,µ\nA1,X-1,ignored,2\nB2,X-2,DMSO,\n")
    with pytest.raises(PlateMapError, match="no column of wells"):
        PlateMap.read(path)
    chosen = {"well": "Pos.#", "treatment": "Cpd code", "dose": "µ", "control": "Name"}
    platemap = PlateMap.read(path, heading=1, columns=chosen)
    assert [(w, p.name, p.dose) for w, p in platemap.wells.items()] == [
        ("A01", "X-1", 2.0),
        ("B02", "X-2", None),
    ]
    assert platemap.get("B02").control is Control.NEGATIVE


def test_a_column_that_is_found_may_be_left_out(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text("well,treatment,dose\nA1,x,about two\n")
    assert PlateMap.read(path).problems
    assert not PlateMap.read(path, columns={"dose": None}).problems


@pytest.mark.parametrize(
    ("columns", "words"),
    [({"well": "no such"}, "no column 'no such'"), ({"shape": "well"}, "nothing a plate map")],
)
def test_choices_that_do_not_exist_are_named(tmp_path, columns, words):
    path = tmp_path / "map.csv"
    path.write_text("well,treatment\nA1,x\n")
    with pytest.raises(PlateMapError, match=words):
        PlateMap.read(path, columns=columns)


def test_every_choice_is_a_column_that_can_be_looked_up():
    found = Columns.find(["well", "compound", "dose", "moa"])
    assert {holds: found.column_of(holds) for holds in CHOICES if found.column_of(holds)} == {
        "well": "well",
        "treatment": "compound",
        "dose": "dose",
        "mechanism": "moa",
    }
