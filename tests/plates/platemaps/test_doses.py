"""Doses, merged cells and stray cells of plate maps: read right, or said."""

from __future__ import annotations

import time
import zipfile

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

from napari_cellclip.plates import PlateMap
from napari_cellclip.vocabulary import PlateMapError


def read(tmp_path, doses, head="dose", **options):
    path = tmp_path / "map.csv"
    rows = [f"A{i + 1:02};taxol;{dose}" for i, dose in enumerate(doses)]
    path.write_text(f"well;treatment;{head}\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return PlateMap.read(path, **options)


def doses(platemap):
    return [p.dose for p in platemap.wells.values()]


def test_a_thousand_is_never_one_unsaid(tmp_path) -> None:
    platemap = read(tmp_path, ["1,000", "10", "12,500"])
    assert doses(platemap) == [None, 10, None]
    assert "could be 1000 or 1.000" in platemap.problems[0].what
    assert doses(read(tmp_path, ["1,000", "10"], decimal=".")) == [1000, 10]
    assert doses(read(tmp_path, ["1,000", "10"], decimal=",")) == [1, 10]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (["1,000", "2.5"], [1000, 2.5]),
        (["1,000", "2,5"], [1, 2.5]),
        (["1,000", "0,125"], [1, 0.125]),
        (["1.000", "2,5"], [1000, 2.5]),
        (["1.000", "3.000"], [1, 3]),
        (["1,000,000", "1,000"], [1e6, 1000]),
        (["1,000.5"], [1000.5]),
        (["1.000,5"], [1000.5]),
        (["1e3", "2.5e-1"], [1000, 0.25]),
    ],
)
def test_the_other_doses_of_a_column_tell_its_decimal_sign(tmp_path, written, wanted) -> None:
    platemap = read(tmp_path, written)
    assert doses(platemap) == wanted
    assert not platemap.problems


@pytest.mark.parametrize("dose", ["5,1", "1,00,000", "1,000,00", "1..5", ",", "9" * 5000, "1e999"])
def test_numbers_that_are_none_are_said(tmp_path, dose) -> None:
    platemap = read(tmp_path, [dose], decimal=".")
    assert doses(platemap) == [None]
    assert "is no number" in platemap.problems[0].what


@pytest.mark.parametrize(
    ("written", "dose"),
    [("5 µmol/L", 5), ("5 nmol/l", 0.005), ("1 micromolar", 1), ("2 pM", 2e-6), ("1 mol/L", 1e6)],
)
def test_units_in_full(tmp_path, written, dose) -> None:
    assert doses(read(tmp_path, [written])) == [pytest.approx(dose)]


@pytest.mark.parametrize(("dose", "head"), [("5 mg/mL", "dose"), ("5 %", "dose"), ("5;mg/mL", "dose;unit")])
def test_other_units_are_never_micromolar(tmp_path, dose, head) -> None:
    platemap = read(tmp_path, [dose], head)
    assert doses(platemap) == [None]
    assert "no concentration in moles" in platemap.problems[0].what


def workbook(tmp_path, rows, merged=(), stray=None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    if stray:
        book.active[stray] = "x"
    book.save(tmp_path / "map.xlsx")
    return tmp_path / "map.xlsx"


ROWS = [
    ["well", "treatment", "dose"],
    ["A1", "taxol", 1],
    ["A2", None, 2],
    ["A3", None, 3],
    ["A4", "DMSO", 0],
]


def test_cells_merged_down_a_column_are_filled(tmp_path) -> None:
    platemap = PlateMap.read(workbook(tmp_path, ROWS, ["B2:B4"]))
    assert [p.name for p in platemap.wells.values()] == ["taxol", "taxol", "taxol", "DMSO"]


def test_cells_merged_across_columns_are_refused_by_name(tmp_path) -> None:
    with pytest.raises(PlateMapError, match="cells B2:C3 are merged across columns"):
        PlateMap.read(workbook(tmp_path, ROWS, ["B2:C3"]))


def test_a_merge_to_the_end_of_the_sheet_is_cut_at_its_rows(tmp_path) -> None:
    path = workbook(tmp_path, ROWS[:4], ["B2:B4"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(b"B2:B4", b"B2:B1000000"))
    platemap = PlateMap.read(path)
    assert [p.name for p in platemap.wells.values()] == ["taxol"] * 3


@pytest.mark.parametrize("stray", ["XFD1", "XFD3", "XFD90"])
def test_a_stray_cell_at_the_far_end_costs_nothing(tmp_path, stray) -> None:
    rows = [ROWS[0]] + [[f"{get_column_letter(1 + i // 12)}{1 + i % 12}", "taxol", i] for i in range(96)]
    path = workbook(tmp_path, rows, stray=stray)
    began = time.process_time()
    platemap = PlateMap.read(path)
    assert len(platemap) == 96
    assert time.process_time() - began < 10  # it took 58 s
    assert doses(platemap)[:3] == [0, 1, 2]


def test_a_table_of_too_many_columns_is_refused(tmp_path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("well," + ",".join(f"c{i}" for i in range(10_001)) + "\nA1\n", encoding="utf-8")
    with pytest.raises(PlateMapError, match="10002 columns"):
        PlateMap.read(path)
