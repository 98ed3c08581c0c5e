"""The page about look-alikes says what the committed record says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.profiles.verdicts import above_all_wrong, precision_at_right
from napari_cellclip.evaluation.metrics.precision import average_precision

PROTOCOLS = ("48 h", "48 h to 24 h", "half of the features", "Dahlin, half to half")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_docs_say_what_the_record_says(repository: Path, protocol: str) -> None:
    record = json.loads((repository / "docs" / "references.json").read_text(encoding="utf-8"))[protocol]
    page = (repository / "docs" / "references.md").read_text(encoding="utf-8")
    for column in ("looks", "score"):
        found = record["map"][column]
        assert f"| {found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}] |" in page
    significant = record["significant_at_0.05"]
    for claims in (record["claims_at_half"], record["claims_at_half_all"]):
        assert f"| {claims['claims']}, {claims['share_right']:.0%} |" in page
    assert f"| {significant['claims']}, {significant['share_right']:.0%} |" in page
    assert f"| {significant['fdp_per_question']:.3f} | {significant['recall_on_recognisable']:.2f} |" in page


@pytest.mark.parametrize("protocol", ["48 h", "48 h to 24 h", "Dahlin, half to half"])
def test_promises_hold_for_all_questions_where_pairs_are_many(repository: Path, protocol: str) -> None:
    """Within ten points in every bin of thirty pairs or more, or too modest."""
    record = json.loads((repository / "docs" / "references.json").read_text(encoding="utf-8"))[protocol]
    page = (repository / "docs" / "references.md").read_text(encoding="utf-8")
    for found in record["reliability_all"]:
        assert f"{found['promised']:.2f} | {found['realised']:.2f} [{found['low']:.2f}" in page
        if found["n"] >= 30:
            assert found["promised"] - found["realised"] <= 0.1


def test_above_all_wrong_by_hand() -> None:
    """Two questions: one of two right answers leads, and the only one of the other does not."""
    table = pd.DataFrame(
        {
            "mechanism": ["a"] * 4 + ["b"] * 2,
            "seed": 0,
            "fold": 0,
            "name": list("pqrspr"),
            "right": [True, True, False, False, True, False],
            "looks": [4.0, 2.0, 3.0, 1.0, 1.0, 2.0],
        }
    ).assign(score=lambda t: t["looks"], probability=lambda t: t["looks"])
    assert above_all_wrong(table, 0)["looks"]["share"] == pytest.approx(1 / 3, abs=1e-3)


def test_the_mean_precision_at_right_items_is_the_average_precision() -> None:
    rng = np.random.default_rng(0)
    score, right = rng.random(40), rng.random(40) < 0.2
    assert precision_at_right(score, right).mean() == pytest.approx(average_precision(score, right))
