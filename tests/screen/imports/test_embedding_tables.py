"""Embeddings made elsewhere as screens: tables of every form, and JUMP-Lite's file for each site."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from napari_cellclip import Screen, import_profiles
from napari_cellclip.cli.program import app
from napari_cellclip.explore import ask
from napari_cellclip.explore.references.profiles import CELLPROFILER, profiles_of
from napari_cellclip.screen.imports.embedding_tables import read_site_embeddings, with_embedding_columns
from napari_cellclip.vocabulary import ScreenError

WIDTH = 24
WELLS = [f"{row}{column:02d}" for row in "ABC" for column in range(1, 9)]
MECHANISMS = {
    "nocodazole": "tubulin inhibitor",
    "colchicine": "tubulin inhibitor",
    "vorinostat": "HDAC inhibitor",
}
NAMES = ["DMSO"] * 8 + ["nocodazole"] * 4 + ["colchicine"] * 4 + ["vorinostat"] * 8


def vectors(plate: str) -> np.ndarray:
    """An embedding for each well; the two tubulin inhibitors share a direction, vorinostat has another."""
    rng = np.random.default_rng([5, *plate.encode()])
    values = rng.normal(size=(len(WELLS), WIDTH))
    values[8:16, :6] += 9
    values[16:, 6:12] += 9
    return values * 3 + 40


def labels(plate: str) -> pd.DataFrame:
    control = ["negcon" if name == "DMSO" else "" for name in NAMES]
    return pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": WELLS,
            "Metadata_treatment": NAMES,
            "Metadata_mechanism": [MECHANISMS.get(name, "") for name in NAMES],
            "Metadata_control_type": control,
        }
    )


def robust_z(values: np.ndarray) -> np.ndarray:
    controls = values[:8]
    middle = np.median(controls, axis=0)
    return np.clip((values - middle) / (1.4826 * np.median(np.abs(controls - middle), axis=0)), -10, 10)


@pytest.mark.parametrize("form", ["feature_{}", "{}", "X{:03d}", "list"])
@pytest.mark.parametrize("start", [0, 1])
def test_tables_of_every_form_become_a_screen(tmp_path: Path, form: str, start: int) -> None:
    table, values = labels("P1"), vectors("P1")
    if form == "list":
        table["embedding"] = list(values)
    else:
        # Out of order in the file: their numbers count.
        order = list(range(WIDTH))[::-1]
        numbers = pd.DataFrame(values[:, order], columns=[form.format(i + start) for i in order])
        table = pd.concat([table, numbers], axis=1)
    table.to_parquet(tmp_path / "P1.parquet")
    screen = import_profiles(tmp_path / "P1.parquet", tmp_path / "screen", model="", encoder="dinov2")
    assert screen.well_ids == tuple(f"P1/{well}" for well in WELLS)
    np.testing.assert_allclose(screen.embeddings, robust_z(values), rtol=2e-3, atol=2e-3)
    assert screen.card.title == f"dinov2, {WIDTH} numbers"
    assert screen.negative_controls.sum() == 8


def long_form(values: np.ndarray, tiles: int, *, one_metric: bool) -> pd.DataFrame:
    """A site as JUMP-Lite has it; the mean of its tiles is ``values``."""
    rows = []
    for tile in range(tiles):
        shift = tile - (tiles - 1) / 2
        for i, value in enumerate(values):
            metric = "embedding" if one_metric else f"dim_{i}"
            rows.append((tile, 0, "0/max/embed", metric, value + shift, "image", 0))
    table = pd.DataFrame(rows, columns=["tile", "label", "branch", "metric", "value", "object", "tp"])
    return table if one_metric else table.sample(frac=1, random_state=1)


def write_sites(folder: Path, plate: str, *, gallery: bool, one_metric: bool) -> Path:
    for well, values in zip(WELLS, vectors(plate), strict=True):
        for site in (1, 2):
            name = f"source_4__Batch5__{plate}__{well}__{site}.parquet"
            if gallery:
                name = f"source_4/Batch5/{plate}/{well}-{site}/embedding.parquet"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            long_form(values + (2 * site - 3), 4, one_metric=one_metric).to_parquet(folder / name)
    return folder


@pytest.mark.parametrize("gallery", [True, False])
@pytest.mark.parametrize("one_metric", [True, False])
def test_jump_lite_folders_become_a_screen(tmp_path: Path, gallery: bool, one_metric: bool) -> None:
    folder = write_sites(tmp_path / "dinov2-jpegxl_lossy_mq", "BR1", gallery=gallery, one_metric=one_metric)
    table = read_site_embeddings(folder)
    numbers = table[[c for c in table if str(c).startswith("Embedding_")]].to_numpy()
    expected = np.repeat(vectors("BR1"), 2, axis=0) + np.tile([-1, 1], len(WELLS))[:, None]
    order = np.lexsort([table["Metadata_Site"], table["Metadata_Well"]])
    np.testing.assert_allclose(numbers[order], expected)
    # What was done to the wells is in a table of its own, which knows plates and wells.
    labels("BR1").to_parquet(tmp_path / "perturbations.parquet")
    screen = import_profiles(
        folder, tmp_path / "screen", annotations=tmp_path / "perturbations.parquet", model=""
    )
    assert len(screen.fields) == 2 * len(WELLS)
    assert screen.negative_controls.sum() == 8
    assert set(screen.wells["Metadata_treatment"]) == set(NAMES)


def test_a_damaged_file_is_a_failure_of_its_site(tmp_path: Path) -> None:
    folder = write_sites(tmp_path / "e", "BR1", gallery=False, one_metric=False)
    (folder / "source_4__Batch5__BR1__A03__2.parquet").write_bytes(b"PAR1 and nothing more")
    labels("BR1").to_csv(tmp_path / "wells.csv", index=False)
    screen = import_profiles(folder, tmp_path / "screen", annotations=tmp_path / "wells.csv", model="")
    assert screen.failures["Metadata_Site_id"].tolist() == ["BR1/A03/2"]
    assert len(screen.well_ids) == len(WELLS)


def imported(tmp_path: Path, plate: str, encoder: str = "dinov2") -> Screen:
    table = labels(plate)
    table["embedding"] = list(vectors(plate))
    table.to_parquet(tmp_path / f"{plate}.parquet")
    return import_profiles(tmp_path / f"{plate}.parquet", tmp_path / f"{plate}-{encoder}", encoder=encoder)


def test_it_answers_by_look_alikes_and_only_within_its_encoder(tmp_path: Path) -> None:
    screen = imported(tmp_path, "P1")
    assert not screen.card.has_head  # the bundled head knows CellProfiler features only
    answer = ask(screen, "tubulin inhibitor", evidence="look-alikes")
    assert answer.evidence == "look-alikes"
    assert set(answer.treatments_table["treatment"].head(2)) == {"nocodazole", "colchicine"}
    space = profiles_of(screen).space
    assert space != CELLPROFILER
    assert space == profiles_of(imported(tmp_path, "P2")).space
    assert space != profiles_of(imported(tmp_path, "P3", "openphenom")).space


def test_sites_named_as_jump_lite_names_them_say_plate_and_well() -> None:
    table = pd.DataFrame(np.eye(9), columns=[str(i) for i in range(9)])
    table.insert(0, "site_id", [f"source_4__B__P7__A{i:02d}__1" for i in range(1, 10)])
    found = with_embedding_columns(table)
    assert list(found["Metadata_Plate"]) == ["P7"] * 9
    assert list(found["Metadata_Well"]) == [f"A{i:02d}" for i in range(1, 10)]
    np.testing.assert_array_equal(found[[f"Embedding_{i}" for i in range(9)]], np.eye(9))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([f"feature_{i}" for i in (*range(10), 12)], "no embedding"),
        ([f"feature_{i}" for i in range(2, 14)], "no embedding"),
        (["feature_0", "feature_1"], "no embedding"),
    ],
)
def test_columns_that_are_no_embedding_are_refused(tmp_path: Path, columns: list[str], said: str) -> None:
    table = pd.DataFrame(np.ones((3, len(columns))), columns=columns)
    table.insert(0, "Metadata_Well", ["A01", "A02", "A03"])
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ScreenError, match=said):
        import_profiles(tmp_path / "t.csv", tmp_path / "s")


def test_lists_of_other_lengths_and_folders_of_two_models_are_refused(tmp_path: Path) -> None:
    table = labels("P1")
    table["embedding"] = [list(range(WIDTH - (i == 3))) for i in range(len(WELLS))]
    table.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ScreenError, match="as many in every row"):
        import_profiles(tmp_path / "t.parquet", tmp_path / "s")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScreenError, match="holds no embeddings of sites"):
        import_profiles(tmp_path / "empty", tmp_path / "s")
    folder = write_sites(tmp_path / "e", "BR1", gallery=False, one_metric=False)
    name = "source_4__Batch5__BR1__A03__2.parquet"
    long_form(np.arange(30.0), 1, one_metric=False).to_parquet(folder / name)
    with pytest.raises(ScreenError, match="BR1/A03/2 has other numbers than the rest"):
        import_profiles(folder, tmp_path / "s")


def test_the_terminal_imports_a_folder(tmp_path: Path) -> None:
    folder = write_sites(tmp_path / "e", "BR1", gallery=True, one_metric=True)
    out = tmp_path / "screen"
    done = CliRunner().invoke(
        app, ["import-profiles", str(folder), "--out", str(out), "--standardise-on", "all", "--encoder", "x"]
    )
    assert done.exit_code == 0, done.output
    assert len(Screen.open(out).well_ids) == len(WELLS)
