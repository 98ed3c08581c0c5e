"""Pixels made otherwise, quality and corrections, from the terminal."""

from __future__ import annotations

import json
from pathlib import Path

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
