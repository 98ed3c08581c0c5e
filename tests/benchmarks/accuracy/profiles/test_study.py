"""The CPJUMP1 study: its document tells its figures, and parts of it are measured again on the real plates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.profiles.compounds import compounds_of
from benchmarks.accuracy.profiles.study import SETTINGS, replicate_figures, study
from benchmarks.accuracy.profiles.tables import all_tables, figures_of, picture, table_of
from napari_cellclip import import_profiles
from napari_cellclip.evaluation.protocols.report import write_report
from napari_cellclip.screen import Screen
from napari_cellclip.vocabulary import CellClipError
from tests.profile_tables import COMPOUNDS, made_table, write_annotations


@pytest.fixture(scope="module")
def published(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repository / "docs" / "cpjump1.json").read_text())
    return found


def test_document_tells_the_figures_of_the_record(repository: Path, published: dict[str, Any]) -> None:
    text = (repository / "docs" / "cpjump1.md").read_text()
    for name, table in all_tables(published).items():
        assert table in text, f"the table of {name} in docs/cpjump1.md is not that of docs/cpjump1.json"


def test_record_is_of_the_study_as_it_stands(published: dict[str, Any]) -> None:
    """Five folds, three seeds, and the settings that the code has."""
    assert published["protocol"] == {"folds": 5, "seeds": [0, 1, 2], "split": "by compound"}
    for reads, chosen in SETTINGS.items():
        assert published["settings"][reads] == json.loads(json.dumps(vars(chosen)))
    assert published["held_out"]["words"]["queries"] == 3 * published["data"]["compounds"]


def test_the_record_says_how_bad_it_is(repository: Path, published: dict[str, Any]) -> None:
    """What is compared with chance stands beside chance, for every head and both ways."""
    for figures in published["held_out"].values():
        for way in ("text to profile", "profile to text"):
            assert set(figures[way]["random"]) == {"R@1", "R@5", "R@10"}
    methods = published["mechanisms"]["methods"]
    assert set(methods) == {"words", "structures", "nearest profiles", "nearest structures"}
    for method in methods.values():
        assert method["low"] <= method["mAP"] <= method["high"]
        assert len(method["by seed"]) == 3
    assert "simulated" not in published["data"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("cpjump1")
    files = [folder / "P1.csv", folder / "P2.csv"]
    for file in files:
        made_table(file.stem).to_csv(file, index=False)
    notes = write_annotations(folder / "notes.tsv")
    return import_profiles(files, folder / "screen", annotations=notes, cell_line="U2OS")


def test_study_of_made_plates_is_whole(made: Screen, tmp_path: Path) -> None:
    settings = {
        reads: replace(chosen, steps=2, width=16, embed_dim=16, text_width=16, fragments=64)
        for reads, chosen in SETTINGS.items()
    }
    told: list[str] = []
    found = study(made, seeds=[0], n=2, settings=settings, rotation_seeds=[0], report=told.append)
    found["replicates"] = replicate_figures(made)
    assert len(told) == 2 + 2 * 2, "folds, then each plate left out for each head"
    assert found["data"]["compounds"] == len(COMPOUNDS)
    assert found["held_out"]["words"]["pool"] == "3"
    assert found["held_out"]["structures"]["text to profile"]["random"]["R@1"] == pytest.approx(1 / 3)
    assert found["seen_compounds"]["words, positions"]["queries"] == 2 * len(COMPOUNDS)
    tables = all_tables(found)
    assert set(tables) == {"held out", "mechanisms", "by mechanism", "seen compounds", "replicates"}
    for table in tables.values():
        assert len({line.count("|") for line in table.splitlines()}) == 1, "a ragged table"
    report = write_report(
        tmp_path, "cpjump1", {**found, "figures": figures_of(found)}, table_of(found), picture(found)
    )
    assert all_tables(json.loads(report.figures.read_text())) == tables


def test_a_screen_that_shows_a_head_is_refused(made: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "has_head", property(lambda self: True))
    with pytest.raises(CellClipError, match="import the profiles into a new folder"):
        study(made, seeds=[], settings={})


# ------------------------------------------------------------------ the real plates


@pytest.fixture(scope="module")
def real_screen(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = real_data / "prof_cpjump1_cellprofiler"
    return import_profiles(
        sorted(folder.glob("BR0011701[0-3]*.csv.gz")),
        tmp_path_factory.mktemp("cpjump1") / "screen",
        annotations=next(folder.glob("*annotations.tsv")),
        cell_line="U2OS",
        model="",  # the profiles themselves
    )


@pytest.mark.real_data
@pytest.mark.slow
def test_replicates_of_the_real_plates_agree_with_the_definition(
    real_screen: Screen, published: dict[str, Any]
) -> None:
    found = replicate_figures(real_screen)
    assert found["plain NumPy"]["wells"] == found["copairs"]["wells"] == 1280
    np.testing.assert_allclose(found["plain NumPy"]["mAP"], found["copairs"]["mAP"], atol=1e-6)
    np.testing.assert_allclose(found["copairs"]["mAP"], published["replicates"]["copairs"]["mAP"], atol=1e-4)


@pytest.mark.real_data
def test_real_plates_are_what_the_record_says(real_screen: Screen, published: dict[str, Any]) -> None:
    assert list(real_screen.plates) == published["data"]["plates"]
    compounds = compounds_of(real_screen)
    assert len(compounds) == published["data"]["compounds"] == 302
    assert len(real_screen.control_ids) == published["data"]["negative controls"] == 256
    assert np.isfinite(real_screen.embeddings).all()
    row = real_screen.wells.loc["BR00117010/A01"]
    assert row["Metadata_treatment"] == "gabapentin-enacarbil"
    assert row["Metadata_mechanism"] == "adrenergic receptor agonist"
    assert real_screen.perturbation("BR00117010/A02").is_negative_control


@pytest.mark.real_data
def test_one_layout_on_all_real_plates(real_screen: Screen) -> None:
    """Why rotating plates measures seen compounds: a position is the same compound on all four."""
    table = real_screen.wells
    by_place = table.groupby("Metadata_Well")["Metadata_treatment"].nunique()
    assert (by_place == 1).all()
