"""``references`` and ``ask --evidence`` on a made screen of profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_cellclip.screen import import_profiles
from tests.cli.cli_terminal import call, succeed
from tests.profile_tables import made_table, write_annotations


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profiles")
    made_table(controls=12, replicates=3).to_csv(folder / "P1.csv", index=False)
    import_profiles(folder / "P1.csv", folder / "screen", annotations=write_annotations(folder / "more.tsv"))
    return folder / "screen"


def test_ask_shows_what_the_evidence_is(screen: Path) -> None:
    text = succeed("ask", screen, "tubulin inhibitor", "--top", "3", "--no-structures").stdout
    assert "evidence: look-alikes. The screen has no text tower" in text
    assert "compared with: nocodazole, colchicine, vinorelbine" in text
    assert "looks like " in text
    assert "licence: not stated" in text
    less = succeed("ask", screen, "tubulin inhibitor", "--without", "colchicine", "--json").stdout
    members = json.loads(less)["references"]["members"]
    assert {member["name"] for member in members} == {"nocodazole", "vinorelbine"}


def test_a_name_that_a_set_does_not_have_is_answered_with_near_ones(screen: Path) -> None:
    shown = succeed("references", "show", screen, "Colchicine").stdout
    assert "colchicine" in shown
    refused = call("references", "show", screen, "colchicin")
    assert refused.exit_code == 1
    assert "called 'colchicin'; near it: colchicine, " in refused.stderr


def test_a_reference_left_out_of_an_answer_by_words_is_told_to_play_no_part(screen_folder: Path) -> None:
    words = ("ask", screen_folder, "tubulin inhibitor", "--top", "3")
    told = "Nothing was left out by --without: this answer rests on words"
    assert told in succeed(*words, "--without", "colchicine").stdout
    assert told not in succeed(*words).stdout


def test_evidence_that_is_not_to_be_had_is_refused(screen: Path) -> None:
    assert call("ask", screen, "tubulin inhibitor", "--evidence", "words").exit_code == 1
    assert call("ask", screen, "tubulin inhibitor", "--evidence", "tea").exit_code == 2


def test_references_are_built_shown_installed_and_used(
    screen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "made.references.parquet"
    terms = ("--licence", "CC0", "--attribution", "Someone", "--hours", "48", "--cell-line", "U2OS")
    built = succeed("references", "build", screen, "--out", file, *terms).stdout
    assert "licence: CC0; Someone" in built
    assert "48 h" in built
    assert "colchicine" in succeed("references", "show", file, "tubulin inhibitor").stdout
    assert "no treatment or mechanism" in call("references", "show", file, "nothing").stderr
    assert "installed made" in succeed("references", "install", file).stdout
    assert succeed("references", "list").stdout.strip() == "made"
    table = json.loads(succeed("references", "list", "made", "--json").stdout)
    assert {row["mechanism"] for row in table} == {"tubulin inhibitor", "HDAC inhibitor"}
    assert "mechanisms are recognisable" in succeed("references", "list", screen, "--all").stdout
    answer = succeed("ask", screen, "tubulin inhibitor", "--references", "made").stdout
    assert "licence: CC0; Someone" in answer
    assert "references install cpjump1" in call("ask", screen, "x", "--references", "cpjump1").stderr
