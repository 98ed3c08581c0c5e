"""A model's reference: measured on plates with known answers, kept in its card, made again by a command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_cellclip.cli import app
from napari_cellclip.evaluation.protocols.simulated.query_null import store_query_null
from napari_cellclip.explore.calibration.nulls.empirical_null import CARD_KEY, EmpiricalNull
from napari_cellclip.model import load_model
from napari_cellclip.model.registry import demo_folder


def test_a_reference_is_kept_and_changes_no_hash(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(demo_folder(), folder)
    before = load_model(folder).card
    reference = EmpiricalNull.measured(np.array([0.9, 0.5, 0.2, 0.01]), "four pairs of my own")
    store_query_null(folder, reference, load_model(folder))
    after = load_model(folder).card
    assert (after.card_hash, after.encoder_hash) == (before.card_hash, before.encoder_hash)
    found = EmpiricalNull.of_card(after.scores)
    assert found is not None
    assert found.data == "four pairs of my own"
    shares = np.array([0.001, 0.01, 0.3, 1.0])
    assert found.p_values(shares).tolist() == pytest.approx(reference.p_values(shares).tolist())


@pytest.mark.slow
def test_the_command_measures_and_keeps_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(demo_folder(), folder)
    assert CARD_KEY not in json.loads((folder / "card.json").read_text())["scores"]
    ran = CliRunner().invoke(app, ["evaluate", "query-null", str(folder), "--plates", "1", "--seed", "90007"])
    assert ran.exit_code == 0, ran.output
    kept = json.loads((folder / "card.json").read_text())["scores"][CARD_KEY]
    assert kept["data"].startswith("1 simulated plates (seeds 90007 to 90007)")
    assert kept["figures"]["pairs"] > 500
