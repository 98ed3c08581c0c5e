"""The verb ``annotations``: install, list, remove."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.model.prompts import PromptTemplates
from tests.cli.cli_terminal import call, succeed


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("pert_iname,moa\nquuxamide,flux capacitor inhibitor\n")
    return path


def test_install_list_ask_remove(table: Path) -> None:
    assert "no annotation table is installed" in succeed("annotations").stdout
    said = succeed("annotations", "install", table, "--source", "a paper", "--licence", "CC0").stdout
    assert "mine: 1 compounds" in said
    assert "source: a paper; licence: CC0" in said
    assert succeed("annotations", "list").stdout == succeed("annotations").stdout == said
    (listed,) = json.loads(succeed("annotations", "list", "--json").stdout)
    assert (listed["name"], listed["licence"], listed["compounds"]) == ("mine", "CC0", 1)
    wording = read_text("flux capacitor blockers", templates=PromptTemplates())
    assert wording.recognised == "flux capacitor inhibitor"
    assert succeed("annotations", "remove", "mine").stdout == "removed mine\n"
    assert read_text("flux capacitor blockers", templates=PromptTemplates()).kind == "free"


def test_a_missing_licence_is_said_and_names_are_taken_once(table: Path) -> None:
    assert "no licence was stated" in succeed("annotations", "install", table, "--name", "other").stdout
    again = call("annotations", "install", table, "--name", "other")
    assert again.exit_code == 1
    assert "--replace" in again.stderr
    succeed("annotations", "install", table, "--name", "other", "--replace", "--licence", "MIT")


@pytest.mark.parametrize("name", ["repurposing-hub", "jump-target"])
def test_known_names_say_where_to_get_them_and_fetch_nothing(name: str) -> None:
    told = call("annotations", "install", name)
    assert told.exit_code == 1
    assert "https://" in told.stdout
    assert "licence" in told.stdout.casefold()
    assert "no annotation table is installed" in succeed("annotations").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("install", "absent.csv"), "there is no file absent.csv"),
        (("remove", "absent"), "no annotation table is called 'absent'"),
        (("remove", "../x"), "cannot be the name of a table"),
    ],
)
def test_refusals_are_one_sentence(words: tuple[str, ...], said: str) -> None:
    result = call("annotations", *words)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_has_examples() -> None:
    for words in ((), ("install",), ("list",), ("remove",)):
        assert "Example: napari-cellclip annotations" in succeed("annotations", *words, "--help").stdout
