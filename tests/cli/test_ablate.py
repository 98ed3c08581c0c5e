"""``ablate`` trains what is asked for and prints one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.cli_terminal import call, succeed
from tests.tiny import write_tiny_model

SETTINGS = """
[training]
batch = 8
warmup = 1
[split]
fractions = [0.5, 0.2, 0.3]
"""


@pytest.fixture(scope="module")
def tiny_screen_folder(plate_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plate by a model of a few thousand weights."""
    folder = tmp_path_factory.mktemp("ablate")
    write_tiny_model(folder / "model")
    out = folder / "screen"
    platemap = plate_folder / "platemap.csv"
    succeed(
        *("encode", plate_folder, "--platemap", platemap, "--model", folder / "model"),
        *("--device", "cpu", "--out", out),
    )
    return out


@pytest.mark.slow
def test_one_table_and_a_second_call_that_trains_nothing(tiny_screen_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(SETTINGS)
    words = (
        *("ablate", "-s", tiny_screen_folder, "--out", tmp_path / "out", "--config", tmp_path / "run.toml"),
        *("--vary", "pooling=attention,mean", "--vary", "text_tower=bert,fingerprint"),
        *("--epochs", 1, "--device", "cpu"),
    )
    first = succeed(*words)
    lines = first.stdout.splitlines()
    assert "treatments to find; chance R@1/5/10" in lines[0]
    table = pd.read_csv(tmp_path / "out" / "ablation.csv", keep_default_na=False)
    assert list(table["variant"]) == ["baseline", "pooling: mean", "text_tower: fingerprint"]
    for name in table["variant"]:
        assert any(line.startswith(name) and " | " not in line for line in lines)
    assert lines[-1] == str(tmp_path / "out" / "ablation.json")
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("card.json")}
    assert len(stamps) == 3
    assert succeed(*words).stdout == first.stdout
    assert stamps == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("card.json")}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("-s", "nowhere"), 2, "no screen folder nowhere"),
        (("-s", "a="), 2, "names no screen"),
        (("-s", "{screen}", "-s", "{screen}"), 2, "is given twice"),
        (("-s", "{screen}", "--vary", "loss"), 2, "should read FACTOR=LEVEL"),
        (("-s", "{screen}", "--seeds", "one"), 2, "whole numbers"),
        (("-s", "{screen}", "--vary", "loss=cwcl,triplet"), 1, "no level 'triplet'"),
        (("-s", "{screen}", "--vary", "colour=red"), 1, "no factor 'colour'"),
    ],
)
def test_what_cannot_be_read_is_said(
    tiny_screen_folder: Path, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    given = [word.replace("{screen}", str(tiny_screen_folder)) for word in words]
    result = call("ablate", *given, "--out", tmp_path / "out")
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split()).replace("│ ", "").replace(" │", "")
    assert not (tmp_path / "out").exists()
