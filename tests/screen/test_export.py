"""Export formats: one table that screens and the window read."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen, encode, export
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import tiny_model, write_tiff_plate


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("export")
    return encode(open_plate(write_tiff_plate(folder / "P1")), None, tiny_model(), folder / "screen")


@pytest.mark.parametrize("suffix", sorted(export.EXPORTS))
def test_every_format_writes_a_screen(screen: Screen, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"wells{suffix}"
    assert screen.export(path) == path
    read = {
        ".csv": lambda: pd.read_csv(path)["well_id"],
        ".tsv": lambda: pd.read_csv(path, sep="\t")["well_id"],
        ".xlsx": lambda: pd.read_excel(path)["well_id"],
        ".parquet": lambda: pd.read_parquet(path)["Metadata_Well_id"],
        ".h5ad": lambda: pytest.importorskip("anndata").read_h5ad(path).obs.index,
    }
    assert list(read[suffix]()) == list(screen.wells.index)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_other_names_are_refused_with_those_there_are(screen: Screen, tmp_path: Path) -> None:
    with pytest.raises(ScreenError, match=r"^a\.doc: choose a name ending in \.csv, .* or \.parquet\.$"):
        screen.export(tmp_path / "a.doc")


def test_one_entry_makes_a_format(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = export.ExportFormat("Names", lambda path, e: path.write_text("\n".join(e.wells.index)), False)
    monkeypatch.setitem(export.EXPORTS, ".txt", written)
    assert screen.export(tmp_path / "a.TXT").read_text().splitlines() == list(screen.wells.index)
    assert export.file_filter() == (
        "Hit list (*.csv *.tsv);;Excel workbook (*.xlsx);;AnnData (*.h5ad);;Parquet (*.parquet);;"
        "Names (*.txt)"
    )


def test_a_workbook_says_how_its_wells_came_about(tmp_path: Path) -> None:
    wells = pd.DataFrame(
        {"treatment": ["=HYPERLINK(1)", "a\x00b"], "score": [1.5, float("nan")], "seen": [True, False]},
        index=pd.Index(["P1/A01", "P1/A02"], name="well_id"),
    )
    path = tmp_path / "hits.xlsx"
    about = {"query": "=1+1", "fdr": 0.05, "plates": {"not": "a text"}}
    export.EXPORTS[".xlsx"].write(path, export.ExportedWells(wells, about=about))
    book = openpyxl.load_workbook(path)
    assert not any(cell.data_type == "f" for sheet in book for row in sheet for cell in row), "no formula"
    read = pd.read_excel(path, sheet_name=None, index_col=0)
    assert list(read["Wells"].index) == ["P1/A01", "P1/A02"]
    assert list(read["Wells"]["treatment"]) == ["'=HYPERLINK(1)", "a b"]
    assert read["Wells"]["score"].isna().tolist() == [False, True]
    assert read["About"].iloc[:, 0].to_dict() == {"query": "'=1+1", "fdr": 0.05}


def test_more_wells_than_excel_holds_are_refused_with_what_to_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_ROWS", 1)
    with pytest.raises(ScreenError, match=r"Excel holds 1 wells and these are 2: .*\.csv or \.parquet"):
        export.EXPORTS[".xlsx"].write(tmp_path / "a.xlsx", export.ExportedWells(pd.DataFrame({"a": [1, 2]})))
    assert not list(tmp_path.iterdir())


def test_an_anndata_that_cannot_be_written_leaves_the_former_one(
    screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anndata = pytest.importorskip("anndata")
    path = tmp_path / "wells.h5ad"
    screen.export(path)
    former = path.read_bytes()

    def full(self: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(anndata.AnnData, "write_h5ad", full)
    with pytest.raises(OSError, match="no space"):
        screen.export(path)
    assert path.read_bytes() == former
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
