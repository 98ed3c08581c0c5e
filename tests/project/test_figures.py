"""Figures that the README states are those of the records that the studies wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

# What the README says -> record in docs/, the path of a figure in it, and how it is written there.
STATED = {
    "mAP 0.301 by cells": ("references", "48 h/map/looks/mean", ".3f"),
    "0.422 with chemical structures": ("references", "48 h/map/score/mean", ".3f"),
    "of 43 claims": ("references", "48 h/claims_at_half/claims", "d"),
    "79 % are right": ("references", "48 h/claims_at_half/share_right", ".0%"),
    "64 % of 53": ("references", "48 h/claims_at_half_all/share_right", ".0%"),
    "mAP 0.304": ("profile_words", "bundled text tower, 24 and 48 h/map", ".3f"),
    "(0.085)": ("profile_words", "bundled text tower, 24 and 48 h/random", ".3f"),
    "0.344 (0.068)": ("profile_words", "CPJUMP1 asked of Dahlin 2023/map", ".3f"),
    "(0.068) in its own words": ("profile_words", "CPJUMP1 asked of Dahlin 2023/random", ".3f"),
    "mAP 0.998": ("demo_model", "all plates together, by cosine/map", ".3f"),
    "0.91 under worse staining": ("demo_model", "comparisons/nuisance outside the training range/map", ".2f"),
    "(0.08)": ("demo_model", "figures/map random order", ".2f"),
    "0.6 % false": ("calibration", "figures/false discoveries, mechanisms present, at 5 %/value", ".1%"),
    "120 questions for absent": ("calibration", "figures/match, absent mechanisms, at 5 %/n", "d"),
    "power 0.998": ("calibration", "figures/power at the two highest doses, at 5 %/value", ".3f"),
    "98 % lead": ("words", "recognised and expanded/figures/same mechanism as its name", ".0%"),
    "120\n  phrasings": ("words", "data/phrasings", "d"),
}


def figure(record: Any, path: str) -> Any:
    for key in path.split("/"):
        record = record[key]
    return record.get("value", record) if isinstance(record, dict) else record


@pytest.mark.parametrize("stated", STATED)
def test_readme_states_what_was_measured(stated: str, repository: Path) -> None:
    name, path, form = STATED[stated]
    readme = (repository / "README.md").read_text(encoding="utf-8")
    measured = format(figure(json.loads((repository / "docs" / f"{name}.json").read_text()), path), form)
    assert stated in readme, "the README words it otherwise: word it so here too"
    assert measured.replace("%", " %") in stated, f"docs/{name}.json has {measured}"
