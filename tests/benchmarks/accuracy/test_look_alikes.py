"""The page about look-alikes says what the committed record says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.profiles.verdicts import precision_at_right
from napari_cellclip.evaluation.metrics.precision import average_precision

PROTOCOLS = ("48 h", "48 h to 24 h", "half of the features", "Dahlin, half to half")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_docs_say_what_the_record_says(repository: Path, protocol: str) -> None:
    record = json.loads((repository / "docs" / "references.json").read_text(encoding="utf-8"))[protocol]
    page = (repository / "docs" / "references.md").read_text(encoding="utf-8")
    for column in ("looks", "score"):
        found = record["map"][column]
        assert f"| {found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}] |" in page
    claims, significant = record["claims_at_half"], record["significant_at_0.05"]
    assert f"| {claims['claims']}, {claims['share_right']:.0%} |" in page
    assert f"| {significant['claims']}, {significant['share_right']:.0%} |" in page
    assert f"| {significant['fdp_per_question']:.3f} | {significant['recall_on_recognisable']:.2f} |" in page


def test_the_mean_precision_at_right_items_is_the_average_precision() -> None:
    rng = np.random.default_rng(0)
    score, right = rng.random(40), rng.random(40) < 0.2
    assert precision_at_right(score, right).mean() == pytest.approx(average_precision(score, right))
