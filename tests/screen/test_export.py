"""Export formats: one table that screens and the window read."""

from __future__ import annotations

from pathlib import Path

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
        "Hit list (*.csv *.tsv);;AnnData (*.h5ad);;Parquet (*.parquet);;Names (*.txt)"
    )
