"""Pixels made otherwise, quality and corrections, from the terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from napari_cellclip.plates import open_plate
from napari_cellclip.screen import Screen
from tests.cli.cli_terminal import call, succeed


def test_illumination_is_estimated_once_and_kept(plate_folder: Path, tmp_path: Path) -> None:
    words = ("encode", plate_folder, "--device", "cpu", "--out", tmp_path / "s")
    first = succeed(*words, "--illumination", "estimate")
    assert "illumination: estimated from 24 fields" in first.stderr
    record = Screen.open(tmp_path / "s").plates[plate_folder.name]
    assert record.illumination is not None
    assert record.illumination.coarse
    again = succeed(*words)
    assert "illumination corrected (estimated from 24 fields), as when it was begun" in again.stderr


def test_illumination_of_no_functions_is_refused(plate_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    refused = call("encode", plate_folder, "--out", tmp_path / "s", "--illumination", tmp_path / "f")
    assert refused.exit_code == 1
    assert "there is no file for DNA" in refused.stderr
    assert not (tmp_path / "s").exists()


def test_projections_are_told_and_an_unknown_one_is_refused(plate_folder: Path) -> None:
    facts = json.loads(succeed("info", plate_folder, "--projection", "focus", "--json").stdout)
    assert facts["projection"] == "focus"
    refused = call("info", plate_folder, "--projection", "median")
    assert refused.exit_code == 1
    assert "use max, mean, focus, dna-focus" in refused.stderr


def test_flagged_sites_are_listed_left_out_and_taken_back(plate_folder: Path, tmp_path: Path) -> None:
    """A field out of focus, made so on disk."""
    plate = tmp_path / "P"
    shutil.copytree(plate_folder, plate)
    site = open_plate(plate).sites[3]
    for file in site.files:
        image = tifffile.imread(file)
        tifffile.imwrite(file, ndimage.gaussian_filter(image, 5))
    out = tmp_path / "s"
    words = ("encode", plate, "--device", "cpu", "--out", out)
    assert "stand out in quality" in succeed(*words).stderr
    text = succeed("quality", out, "--out", tmp_path / "q.csv").stdout
    assert "24 of 24 sites measured" in text
    assert f"  {site.id}: out of focus (" in text
    assert list(pd.read_csv(tmp_path / "q.csv")["site_id"]) == [s.id for s in open_plate(plate).sites]
    told = succeed(*words, "--exclude-quality", "out of focus").stderr
    screen = Screen.open(out)
    gone = (screen.wells["Metadata_Excluded"] != "").sum()  # plates of one site a well
    assert gone == len(screen.excluded) >= 1
    assert f"{gone} well{'s have' if gone > 1 else ' has'} no other site, and no embedding" in told
    assert screen.wells.at[site.well_id, "Metadata_Excluded"].startswith("out of focus")
    answer = json.loads(succeed("ask", out, "tubulin inhibitor", "--evidence", "words", "--json").stdout)
    assert site.well_id not in {well["id"] for well in answer["wells"]}
    assert any("excluded and not scored" in note and site.well_id in note for note in answer["notes"])
    facts = json.loads(succeed("quality", out, "--json").stdout)
    assert facts["n_excluded"] == len(screen.excluded) >= 1
    back = succeed("derive", out, "--model", "demo", "--device", "cpu", "--exclude-quality", "none")
    assert "24 of 24 wells embedded" in back.stdout
    assert "no site is left out of the embeddings" in back.stderr
    assert call("derive", out, "--model", "demo", "--exclude-quality", "ugly").exit_code == 2


@pytest.fixture(scope="module")
def two_plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screen of two simulated plates with replicates."""
    folder = tmp_path_factory.mktemp("two")
    for seed in ("1", "2"):
        plate = folder / f"P{seed}"
        succeed("simulate", plate, "--wells", "48", "--sites", "1", "--seed", seed, "--size", "64")
        succeed("encode", plate, "--device", "cpu", "--out", folder / "s")
    return folder / "s"


def test_corrections_are_compared_and_written(two_plates: Path, tmp_path: Path) -> None:
    words = ("correct", two_plates, "--null", "200", "--method", "harmony")
    text = succeed(*words, "--method", "tvn").stdout
    assert [line.split()[0] for line in text.splitlines()] == ["correction", "none", "harmony", "tvn"]
    out = tmp_path / "harmony.parquet"
    table = json.loads(succeed(*words, "--json", "--out", out).stdout)
    assert 0 < table["none"]["low"] <= table["none"]["replicate_mAP"] <= table["none"]["high"] <= 1
    assert table["harmony"]["plate_mixing"] > 0.5
    written = pd.read_parquet(out).filter(like="CellCLIP_").to_numpy()
    np.testing.assert_allclose(written, Screen.open(two_plates).correct("harmony").embeddings, rtol=1e-5)
    assert call("correct", two_plates, "--method", "magic").exit_code == 2
    assert call("correct", two_plates, "--out", out).exit_code == 2
    refused = call("ask", two_plates, "tubulin inhibitor", "--correction", "harmony", "--evidence", "words")
    assert refused.exit_code == 1
    assert "a text cannot be compared" in refused.stderr
