"""Phrasings of mechanisms: foreign to training and tables, and still understood."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.accuracy.phrasings import SETS, evaluate, read_phrasings, report_of
from napari_cellclip.explore.wording.reader import read_text
from napari_cellclip.model import PromptTemplates, load_model
from napari_cellclip.training.demo.demo_captions import CONTROL_WORDS, known_texts
from napari_cellclip.vocabulary.annotations import annotated_mechanisms, known_compounds
from napari_cellclip.vocabulary.mechanisms import INERT_COMPOUNDS, MECHANISMS, mechanism

T = PromptTemplates()
PHRASINGS = [
    (which, key, text) for which in SETS for key, texts in read_phrasings(which).items() for text in texts
]


def test_ten_and_five_phrasings_of_twelve_mechanisms() -> None:
    assert [{len(texts) for texts in read_phrasings(which).values()} for which in SETS] == [{10}, {5}]
    for which in SETS:
        assert len(read_phrasings(which)) == 12
    assert len({text.casefold() for *_, text in PHRASINGS}) == len(PHRASINGS)
    for _, key, _ in PHRASINGS:
        assert mechanism(key).key == key


def test_no_phrasing_is_a_caption_or_stands_in_a_table() -> None:
    captions = {text.casefold() for text in known_texts(MECHANISMS, INERT_COMPOUNDS, T)}
    captions |= {text.casefold() for text in CONTROL_WORDS}
    table = {text.casefold() for r in annotated_mechanisms() for text in (r.key, r.name, *r.synonyms)}
    table |= {name.casefold() for c in known_compounds() for name in (c.name, *c.synonyms)}
    for *_, text in PHRASINGS:
        assert (
            not {text.casefold(), T.for_mechanism(text).casefold(), T.for_compound(text).casefold()}
            & captions
        )
    assert [text for *_, text in PHRASINGS if text.casefold() in table] == []


@pytest.mark.parametrize(("which", "share"), [("first", 0.95), ("second", 0.85)])
def test_most_phrasings_are_recognised_as_what_they_mean(which: str, share: float) -> None:
    right = []
    for key, texts in read_phrasings(which).items():
        for text in texts:
            prompts = read_text(text, templates=T, annotations=()).prompts
            right.append(any(T.for_mechanism(mechanism(key).name) == p.text and p.on for p in prompts))
    assert sum(right) / len(right) >= share


def test_a_report_counts_and_names_what_failed() -> None:
    def row(which: str, key: str, text: str, same: int, right: int) -> dict[str, object]:
        named = {"set": which, "mechanism": key, "text": text, "recognised": text if same else ""}
        return {**named, "same": same, "right": right}

    rows = [
        row("name", "a", "A", 2, 2), row("first", "a", "x", 2, 2), row("first", "a", "y", 0, 0),
        row("second", "a", "z", 1, 2),
    ]  # fmt: skip
    summary, table, figure = report_of(
        {"rows": rows, "plates": 2, "seed": 1, "model": {"name": "m", "card": "c"}}
    )
    figures = summary["figures"]
    assert figures["same mechanism as its name"] == 0.5
    assert figures["same mechanism as its name, second set"] == 0.5
    assert figures["mechanism meant, second set"] == 1.0
    assert figures["phrasings recognised"] == 0.5
    assert summary["failed"] == ["y", "z"]
    assert len(table) == 4
    assert figure.axes[0].get_xlabel() == "share of phrasings on 2 simulated plates"


@pytest.mark.slow
def test_phrasings_give_the_same_mechanism_on_a_simulated_plate(tmp_path: Path) -> None:
    """At least 95 % of the first set, on one plate; as typed, without expansion, many do not."""
    model = load_model("demo", device="cpu")
    share = {}
    for expand in (True, False):
        table = pd.DataFrame(evaluate(tmp_path, model, plates=1, seed=90_001, expand=expand)["rows"])
        share[expand] = table[table["set"] == "first"]["same"].mean()
    assert share[True] >= 0.95
    assert share[False] < 0.85


def test_the_documentation_quotes_the_figures_that_were_measured(repository: Path) -> None:
    text = (repository / "docs" / "words.md").read_text(encoding="utf-8")
    measured = json.loads((repository / "docs" / "words.json").read_text(encoding="utf-8"))
    assert measured["model"]["card"] == load_model("demo").card.card_hash
    expanded, typed = measured["recognised and expanded"], measured["as typed"]
    assert expanded["figures"]["same mechanism as its name"] >= 0.95
    for name, row in (
        ("same mechanism as its name", "same mechanism as by name"),
        ("mechanism meant", "the mechanism meant"),
    ):
        before, after = (100 * part["figures"][name] for part in (typed, expanded))
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
        assert f"{before:.1f} %" in line
        assert f"{after:.1f} %" in line
    assert f"{100 * expanded['figures']['same mechanism as its name, second set']:.1f} % (this fails" in text
    for failed in expanded["failed"]:
        assert f"*{failed}*" in text
