"""``evaluate``: every protocol from the terminal, on a table and on a screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer.main

from napari_cellclip.cli import app
from napari_cellclip.cli.evaluate.options import as_text
from napari_cellclip.model.card import CARD_FILE, read_card
from napari_cellclip.screen import Screen
from tests.cli.cli_terminal import call, succeed

EVALUATE = typer.main.get_command(app).commands["evaluate"]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plates: 8 controls, compounds k0…k5 and guides of genes G0…G2 each; k(i) acts on gene i % 3."""
    rng = np.random.default_rng(0)
    gene = rng.normal(size=(3, 8))
    rows, vectors = [], []
    for plate in ("P0", "P1"):
        rows += [(plate, "DMSO", "control", "", "negcon")] * 8
        vectors += [np.zeros(8)] * 8
        for i in range(6):
            rows.append((plate, f"k{i}", "compound", f"G{i % 3}", ""))
            rows.append((plate, f"G{i % 3}_guide_{i // 3}", "crispr", f"G{i % 3}", ""))
            vectors += [gene[i % 3]] * 2
    frame = pd.DataFrame(np.stack(vectors) + 0.3 * rng.normal(size=(len(rows), 8))).add_prefix("f")
    names = ("Plate", "treatment", "kind", "genes", "control_type")
    frame[[f"Metadata_{n}" for n in names]] = rows
    path = tmp_path_factory.mktemp("evaluate") / "embeddings.csv"
    frame.to_csv(path, index=False)
    return path


def figures_of(out: Path, name: str) -> dict:
    assert sorted(p.name for p in out.iterdir()) == [f"{name}.csv", f"{name}.json", f"{name}.png"]
    return json.loads((out / f"{name}.json").read_text())


@pytest.mark.parametrize("protocol", sorted(EVALUATE.commands))
def test_every_protocol_explains_itself(protocol: str) -> None:
    text = " ".join(succeed("evaluate", protocol, "--help").stdout.split())
    assert f"Example: napari-cellclip evaluate {protocol}" in text
    # A null is stored in the card of its model, and nowhere else.
    for option in ("--out", "--update-card"):
        assert (option in text) == (protocol != "query-null")


def test_replicates(embeddings: Path, tmp_path: Path) -> None:
    words = ("evaluate", "replicates", embeddings, "--null", "500", "--correct", "center")
    result = succeed(*words, "--out", tmp_path / "a")
    read = figures_of(tmp_path / "a", "replicates")
    assert "mAP of wells" in result.stdout
    assert read["figures"]["wells"] == 24
    assert read["data"]["correction"] == "center"
    assert "replicates.png" in result.stderr
    succeed(*words, "--out", tmp_path / "b")
    for name in ("replicates.json", "replicates.csv", "replicates.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_sisters_within_and_across(embeddings: Path, tmp_path: Path) -> None:
    shared = ("evaluate", "sisters", embeddings, "--all", "--null", "500", "--by", "treatment")
    succeed(*shared, "--kind", "compound", "--out", tmp_path / "within")
    assert figures_of(tmp_path / "within", "sisters")["figures"]["mAP"] > 0.8
    succeed(*shared, "--across", "compound", "crispr", "--out", tmp_path / "across")
    read = figures_of(tmp_path / "across", "sisters-across")
    assert read["protocol"]["match"] == "across compound and crispr"
    assert read["figures"]["targets"] == 3


def test_relationships(embeddings: Path, tmp_path: Path) -> None:
    known = tmp_path / "mine.csv"
    known.write_text("entity1,entity2\nG0,G1\n")
    succeed("evaluate", "relationships", embeddings, "--known", known, "--out", tmp_path / "out")
    read = figures_of(tmp_path / "out", "relationships")
    assert read["figures"]["mine: annotated pairs in the map"] == 1
    assert {"genes only", "all pairs"} == set(pd.read_csv(tmp_path / "out" / "relationships.csv")["null"])


def test_compound_gene(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    genes = rng.normal(size=(24, 8))
    frame = pd.DataFrame(np.vstack([genes, genes[:2] + 0.1])).add_prefix("f")
    frame["Metadata_treatment"] = [f"G{i}" for i in range(24)] + ["k0", "k1"]
    frame["Metadata_kind"] = ["crispr"] * 24 + ["compound"] * 2
    frame["Metadata_dose"] = 1.0
    frame.to_csv(tmp_path / "e.csv", index=False)
    activities = pd.DataFrame(
        {"treatment": "k0", "gene_symbol": [f"G{i}" for i in range(24)], "nM_value": 9e4}
    )
    activities.loc[0, "nM_value"] = 3
    activities.to_csv(tmp_path / "a.csv", index=False)
    words = ("--activities", tmp_path / "a.csv", "--seeds", "2", "--out", tmp_path / "out")
    succeed("evaluate", "compound-gene", tmp_path / "e.csv", *words)
    read = figures_of(tmp_path / "out", "compound-gene")
    assert read["figures"]["average precision at 1 µM"] == 1.0
    assert read["protocol"]["seeds"] == [0, 1]


def test_retrieval_of_a_screen_and_its_card(screen_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    card = Screen.open(screen_folder).card
    (model / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    out = tmp_path / "out"
    words = (
        "evaluate",
        "retrieval",
        screen_folder,
        "--bootstrap",
        "50",
        "--out",
        out,
        "--update-card",
        model,
    )
    result = succeed(*words)
    assert "text to image: pool" in result.stdout
    assert "text to image: R@1 random" in result.stdout
    read = figures_of(out, "retrieval")
    assert read["model"]["card"] == card.card_hash
    scored = read_card(model)
    assert scored.card_hash == card.card_hash
    assert scored.scores["retrieval"]["figures"] == read["figures"]
    assert scored.scores["retrieval"]["data"]["selection"] == "all treated wells"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replicates", "--controls", "treatment=water"), "no row of embeddings.csv has treatment = 'water'"),
        (("replicates", "--by", "guide"), "has no column 'guide'"),
        (("replicates", "--correct", "magic"), "there is no correction 'magic'"),
        (("replicates", "--significance", "median"), "no way to a p value"),
        (("sisters",), "several modalities"),
        (("sisters", "--kind", "orf"), "no wells of kind orf"),
        (("sisters", "--kind", "compound", "--all", "--consensus", "mode"), "no consensus"),
        (("retrieval",), "give embedded texts too"),
    ],
)
def test_refusals_are_one_sentence(
    words: tuple[str, ...], said: str, embeddings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NAPARI_CELLCLIP_DEBUG", raising=False)
    result = call("evaluate", words[0], embeddings, *words[1:], "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_figures_as_text() -> None:
    text = as_text({"mAP": {"value": 0.51234, "low": 0.4, "high": 0.6}, "pool": 12, "lost": float("nan")})
    assert text.splitlines() == ["mAP   0.5123  [0.4, 0.6]", "pool  12", "lost  -"]
