"""From tables of profiles to an answer, in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.cli_terminal import call, succeed
from tests.profile_tables import made_table, write_annotations

SETTINGS = """
[split]
by = "none"
[model]
from_scratch = true
text_from = "demo"
width = 16
layers = 1
[training]
loss = "clip"
text = "frozen"
epochs = 2
batch = 8
"""


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "P1.csv.gz", tmp_path / "P2.csv.gz"]
    for path in paths:
        made_table(path.name.split(".")[0]).to_csv(path, index=False)
    return paths


def test_import_train_derive_ask(tables: list[Path], tmp_path: Path) -> None:
    notes = write_annotations(tmp_path / "notes.tsv")
    screen, model = tmp_path / "screen", tmp_path / "model"
    said = succeed("import-profiles", *tables, "--annotations", notes, "--cell-line", "U2OS", "-o", screen)
    assert "6 of one stain, 2 of several (in the row of each), 3 of none (in every row), 2 of" in said.stdout
    assert "P2: 18 wells, standardised on 6" in said.stdout

    alike = json.loads(succeed("ask", screen, "tubulin inhibitor", "--json").stdout)
    assert alike["evidence"] == "look-alikes", (
        "no head yet: wells are compared with the plate map's compounds"
    )
    assert alike["prompts"] == []
    assert "prompts sent" not in succeed("ask", screen, "tubulin inhibitor").stdout

    (tmp_path / "run.toml").write_text(SETTINGS)
    succeed("train", screen, "--config", tmp_path / "run.toml", "--out", model, "--device", "cpu")
    assert (model / "features.json").read_bytes() == (screen / "features.json").read_bytes()

    derived = succeed("derive", screen, "--model", model, "--device", "cpu")
    assert "36 of 36 wells embedded by model" in derived.stdout
    answer = succeed("ask", screen, "tubulin inhibitor", "--json", "--top", "3")
    assert len(json.loads(answer.stdout)["wells"]) == 3


def test_derive_refuses_a_model_of_another_encoder(tables: list[Path], tmp_path: Path) -> None:
    succeed("import-profiles", tables[0], "--out", tmp_path / "screen")
    refused = call("derive", tmp_path / "screen", "--model", "demo", "--device", "cpu")
    assert refused.exit_code == 1
    assert "channel encoder's weights changed" in refused.stderr


def test_report_as_json_and_what_was_done_to_a_plate(tmp_path: Path) -> None:
    table = made_table(controls=20)
    table.loc[2, "Cells_AreaShape_Area"] = None
    table["Cells_Intensity_MeanIntensity_Mito"] = 1.0
    table.to_csv(tmp_path / "P1.csv", index=False)
    said = succeed("import-profiles", tmp_path / "P1.csv", "--out", tmp_path / "a")
    assert "1 features constant: Cells_Intensity_MeanIntensity_Mito" in said.stdout
    assert "1 features with gaps filled: Cells_AreaShape_Area" in said.stdout
    as_json = succeed("import-profiles", tmp_path / "P1.csv", "--out", tmp_path / "b", "--json")
    assert json.loads(as_json.stdout)["features"]["several stains"] == 2


@pytest.mark.parametrize("words", [("--standardise-on", "some")])
def test_words_that_are_no_choice(tables: list[Path], tmp_path: Path, words: tuple[str, ...]) -> None:
    assert call("import-profiles", *tables, "--out", tmp_path / "s", *words).exit_code == 2
