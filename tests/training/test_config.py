"""The settings of a run: read, checked, explained, written, read again."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.model.losses import FURTHER_LOSSES, LOSSES
from napari_cellclip.training.config import RunConfig
from napari_cellclip.training.config_sections import LossName, TrainingConfig
from napari_cellclip.vocabulary import CellClipError


def test_the_losses_are_those_there_are() -> None:
    assert get_args(LossName) == (*LOSSES, *FURTHER_LOSSES)


def test_the_printed_settings_are_the_settings() -> None:
    text = RunConfig().to_toml()
    assert RunConfig.from_dict(tomllib.loads(text)) == RunConfig()
    lines = text.splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r"(# )?\w+ =", line)]
    assert len(keys) > 40
    assert all(lines[i - 1].startswith("# ") for i in keys)  # each is explained


@given(
    text=st.text(),
    epochs=st.integers(1, 10**6),
    rate=st.floats(1e-12, 10),
    scale=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_settings_survive_the_file(text: str, epochs: int, rate: float, scale: float) -> None:
    content = {
        "data": {"screens": [text, "b"], "cell_line": text},
        "training": {"epochs": epochs, "rate": rate, "loss_options": {text: scale, "flag": True}},
        "split": {"by": "lists", "test": [text]},
    }
    run = RunConfig.from_dict(content)
    assert run.data.cell_line == text
    assert RunConfig.from_dict(tomllib.loads(run.to_toml())) == run
    assert RunConfig.from_dict(run.as_dict()) == run


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"trainign": {}}, "trainign: there is no such setting"),
        ({"training": {"epoch": 3}}, "training.epoch: there is no such setting"),
        ({"training": {"loss": "hinge"}}, "training.loss: Input should be 'clip', 'cwcl'.* not 'hinge'"),
        ({"training": {"rate": -1}}, "training.rate: .*greater than 0"),
        ({"training": {"batch": "many"}}, "training.batch: .*integer.* not 'many'"),
        ({"training": {"text": "frozen", "word_dropout": 0.1}}, "training: word_dropout needs"),
        ({"split": {"fractions": [0.5, 0.1, 0.1]}}, "fractions add up to 0.7"),
        ({"split": {"by": "position"}}, "split.by: .*'compound'"),
        ({"split": {"test": ["P1"]}}, "lists of wells go with by = 'lists'"),
        ({"split": {"by": "lists"}}, "lists of wells go with"),
        (
            {"captions": {"full": 0, "name": 0, "smiles": 0, "mechanism": 0, "genes": 0}},
            "at least one wording",
        ),
        ({"data": {"screens": "one"}}, "data.screens"),
    ],
)
def test_what_is_wrong_is_named(content: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CellClipError, match=rf"run\.yaml: .*{says}"):
        RunConfig.read(path)


@pytest.mark.parametrize("name", ["run.toml", "run.yaml"])
@pytest.mark.parametrize(
    "text", ["[training", "just words", "- a\n- b", "!!python/object/apply:os.getcwd []"]
)
def test_what_is_no_settings_file(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CellClipError, match=rf"{name} (cannot be read|holds no settings)"):
        RunConfig.read(tmp_path / name)
    with pytest.raises(CellClipError, match="cannot be read"):
        RunConfig.read(tmp_path / "absent.toml")


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "base").mkdir(parents=True)
    path = folder / "run.toml"
    path.write_text(
        '[data]\nscreens = ["a", "/elsewhere/b"]\n[model]\nout = "../m"\nstart = "base"\n', encoding="utf-8"
    )
    run = RunConfig.read(path)
    assert run.data.screens == (str(folder / "a"), "/elsewhere/b")
    assert Path(run.model.out).resolve() == tmp_path / "m"
    assert run.model.start == str(folder / "base")
    path.write_text('[model]\nstart = "demo"\n', encoding="utf-8")
    assert RunConfig.read(path).model.start == "demo"  # a name, for no folder is called so
    path.write_text("", encoding="utf-8")
    assert RunConfig.read(path) == RunConfig()


def test_settings_are_merged_key_by_key() -> None:
    run = RunConfig.from_dict({"training": {"epochs": 3, "loss": "clip"}})
    other = run.merged(training={"epochs": 5}, model={"out": "m"})
    assert (other.training.epochs, other.training.loss, other.model.out) == (5, "clip", "m")
    with pytest.raises(CellClipError, match=r"training\.epochs"):
        run.merged(training={"epochs": 0})


def test_training_settings_stay_a_dataclass() -> None:
    config = dataclasses.replace(TrainingConfig(), epochs=3)
    assert (config.epochs, config.batch) == (3, TrainingConfig().batch)
    with pytest.raises(ValueError, match="'clip', 'cwcl'"):
        TrainingConfig(loss="hinge")  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.epochs = 4  # type: ignore[misc]
