"""Verdicts on profiles: what is asked of whom, what counts as wrong, and that nothing seen is evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.profiles.heads import HeadSettings
from benchmarks.accuracy.query_profiles import (
    by_mechanism,
    curve_of,
    halved,
    iter_asked,
    query_profiles,
    questions_of,
)
from napari_cellclip import import_profiles
from napari_cellclip.screen import Screen
from napari_cellclip.training import folds
from napari_cellclip.vocabulary import CellClipError
from tests.profile_tables import made_table, write_annotations

TINY = HeadSettings(width=16, embed_dim=16, text_width=16, steps=4, batch=8)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("profiles")
    files = []
    for name in ("P1", "P2", "P3"):
        files.append(folder / f"{name}.csv")
        made_table(name).to_csv(files[-1], index=False)
    return import_profiles(
        files, folder / "screen", annotations=write_annotations(folder / "notes.tsv"), cell_line="U2OS"
    )


def test_only_compounds_of_the_test_part_are_judged(screen: Screen) -> None:
    parts = list(iter_asked(screen, TINY, n=3))
    for part, split in zip(parts, folds(screen.wells, "compound", 3, 0, validation=0.0), strict=True):
        tested = set(screen.wells.loc[list(split.test), "Metadata_treatment"]) - {"DMSO"}
        assert set(part["treatment"]) <= tested
        learnt = set(screen.wells.loc[list(split.train), "Metadata_treatment"]) - {"DMSO"}
        assert not set(part["treatment"]) & learnt
    answers = pd.concat(parts)
    assert answers["p"].dropna().between(0, 1).all()
    assert (answers["n_wells"] >= 1).all()


def test_controls_are_halved_plate_by_plate() -> None:
    controls = [f"{plate}/A{i:02d}" for plate in ("P1", "P2") for i in range(1, 8)]
    shown, kept = halved(controls, 3)
    assert sorted(shown + kept) == sorted(controls)
    assert [sum(well.startswith(plate) for well in shown) for plate in ("P1", "P2")] == [3, 3]
    assert halved(controls, 3) == (shown, kept)
    assert halved(controls, 4) != (shown, kept)


def answered() -> pd.DataFrame:
    """Two questions of one fold: A has two right treatments of four, B none."""
    return pd.DataFrame(
        {
            "fold": 0,
            "asked": ["A"] * 4 + ["B"] * 4,
            "treatment": list("wxyz") * 2,
            "known": [True, True, True, False] * 2,
            "truth": [True, True, False, False, False, False, False, False],
            "q": [0.01, 0.2, 0.04, 0.001, 0.5, 0.03, 0.9, np.nan],
        }
    )


def test_unknown_treatments_count_neither_way() -> None:
    questions = questions_of(answered(), 0.05).set_index("asked")
    assert questions.loc["A", ["right", "called", "hit", "wrong"]].tolist() == [2, 2, 1, 1]
    assert questions.loc["A", "fdp"] == 0.5
    assert questions.loc["A", "recall"] == 0.5
    assert questions.loc["B", ["called", "wrong", "match"]].tolist() == [1, 1, 1.0]
    assert questions.loc["B", "fdp"] == 1.0


def test_curve_and_table_follow_the_definition() -> None:
    curve = curve_of(answered()).set_index("nominal")
    assert curve.loc[0.05, "mechanisms present"] == 0.5
    assert curve.loc[0.05, "all questions"] == 0.75
    assert curve.loc[0.05, "of all called"] == pytest.approx(2 / 3)
    assert curve.loc[0.2, "recall"] == 1.0
    table = by_mechanism(answered()).set_index("mechanism")
    assert table.loc["A", ["pools", "compounds", "right at 5%", "wrong at 5%"]].tolist() == [1, 2, 1, 1]
    assert table.loc["B", "recall at 10%"] == 0


def test_the_whole_protocol_says_what_it_did(screen: Screen) -> None:
    called: list[str] = []
    summary, table, figure = query_profiles(screen, TINY, n=3, draws=20, report=called.append)
    assert called[-1] == "asked fold 3 of 3"
    assert summary["protocol"]["plate_map_expansion"] is False
    assert set(table["mechanism"]) == {"HDAC inhibitor", "tubulin inhibitor"}
    assert figure.axes[0].get_xlabel() == "accepted false-discovery rate"


def test_without_mechanisms_nothing_can_be_asked(tmp_path: Path) -> None:
    made_table("P1").to_csv(tmp_path / "P1.csv", index=False)
    bare = import_profiles([tmp_path / "P1.csv"], tmp_path / "screen", cell_line="U2OS")
    with pytest.raises(CellClipError, match="import it with annotations"):
        next(iter_asked(bare, TINY))


def test_the_page_says_what_was_measured(repository: Path) -> None:
    found = json.loads((repository / "docs" / "calibration_cpjump1.json").read_text(encoding="utf-8"))
    page = (repository / "docs" / "calibration.md").read_text(encoding="utf-8")
    curve = found["curve"]
    for i, nominal in enumerate(curve["nominal"]):
        shares = ("mechanisms present", "all questions", "of all called", "recall")
        figures = " | ".join(f"{100 * curve[name][i]:.1f}" for name in shares)
        assert f"| {nominal:.0%}".replace("%", " %") + f" | {curve['called'][i]} | {figures} |" in page
    called, wrong = (
        found["figures"][f"{name}, at 5%"] for name in ("treatments called a match", "of these wrong")
    )
    assert f"of the {called} treatments that *were* said to match, {wrong} are wrong" in page
    assert len(found["mechanisms"]) == 31
    for name, row in found["mechanisms"].items():
        if row["right at 10%"] or row["wrong at 10%"]:
            keys = ("compounds", "right at 5%", "wrong at 5%", "right at 10%", "wrong at 10%")
            assert f"| {name} | " + " | ".join(str(row[key]) for key in keys) + " |" in page
