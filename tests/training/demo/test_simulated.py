"""Simulated training plates and bags: no held-out compound, no misleading caption, balanced draws."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.model import PromptTemplates
from napari_cellclip.simulation import Nuisance, default_design
from napari_cellclip.training.demo.held_out import HELD_OUT, training_compounds
from napari_cellclip.training.demo.simulated_bags import (
    INACTIVE,
    balanced,
    shuffle_captions,
    tile_bags,
    well_bags,
)
from napari_cellclip.training.demo.simulated_plates import training_nuisance

TEMPLATES = PromptTemplates()


def sites() -> pd.DataFrame:
    columns = ("well", "treatment", "kind", "smiles", "genes", "mechanism", "dose", "effect", "control_type")
    rows = [
        ("A01", "nocodazole", "compound", "C", "TUBB", "tubulin polymerisation inhibitor", 30, 0.8, ""),
        ("A01", "nocodazole", "compound", "C", "TUBB", "tubulin polymerisation inhibitor", 30, 0.8, ""),
        ("A02", "nocodazole", "compound", "C", "TUBB", "tubulin polymerisation inhibitor", 0.3, 0.1, ""),
        ("A03", "colchicine", "compound", "C", "TUBB", "tubulin polymerisation inhibitor", 3, 0.4, ""),
        ("A04", "sucrose", "compound", "O", "", "", 3, 0.0, ""),
        ("A05", "DMSO", "control", "CS(C)=O", "", "", "", 0.0, "negcon"),
        ("A06", "PLK1", "crispr", "", "PLK1", "PLK inhibitor", "", 0.9, ""),
    ]
    return pd.DataFrame(rows, columns=columns)


def bags():
    features = np.arange(7 * 5 * 3, dtype=np.float32).reshape(7, 5, 3)
    return well_bags(sites(), features, TEMPLATES)


def test_fields_of_a_well_share_a_bag() -> None:
    first, second = bags()[:2]
    assert first.features.shape == (2, 5, 3)
    assert second.features[0, 0, 0] == 30


def test_tiles_of_a_well_share_a_bag_and_are_moved_by_the_controls() -> None:
    rng = np.random.default_rng(0)
    fields = rng.normal(size=(7, 5, 3)).astype(np.float32)
    tiles = rng.normal(3.0, 1.0, size=(7, 4, 5, 3)).astype(np.float32)
    of_fields = well_bags(sites(), fields, TEMPLATES)
    found = tile_bags(sites(), fields, tiles, TEMPLATES, 0.5)
    assert [bag.features.shape for bag in found] == [(8, 5, 3)] + [(4, 5, 3)] * 5
    assert [bag.weight for bag in found] == [0.5 * bag.weight for bag in of_fields]
    assert [(bag.captions, bag.group) for bag in found] == [(b.captions, b.group) for b in of_fields]
    # Row 5 is the only negative control: its mean tile has the features of its field.
    np.testing.assert_allclose(found[4].features.mean(0), fields[5], atol=1e-5)
    np.testing.assert_allclose(
        found[0].features, (tiles[:2] + fields[5] - tiles[5].mean(0)).reshape(8, 5, 3), atol=1e-5
    )


def test_weak_wells_teach_no_caption_and_strong_ones_count_more() -> None:
    weights = [bag.weight for bag in bags()]
    assert weights[1] == 0
    assert weights[0] > weights[2] > 0


def test_inert_compounds_and_vehicle_are_one_group() -> None:
    groups = [bag.group for bag in bags()]
    assert groups == [
        "tubulin_destabiliser",
        "tubulin_destabiliser",
        "tubulin_destabiliser",
        INACTIVE,
        INACTIVE,
        "plk_inhibitor",
    ]
    knockout = {caption.text for caption in bags()[-1].captions}
    assert "U2OS cells treated with crispr, targeting genes: PLK1" in knockout


def test_balanced_draws_every_mechanism_alike() -> None:
    even = balanced(bags(), inactive_share=2.0)
    total = pd.Series([b.weight for b in even]).groupby([b.group for b in even]).sum()
    assert total["tubulin_destabiliser"] == pytest.approx(1.0)
    assert total["plk_inhibitor"] == pytest.approx(1.0)
    assert total[INACTIVE] == pytest.approx(2.0)


def test_shuffled_captions_keep_features_and_words_but_not_their_pairing() -> None:
    before, after = bags(), shuffle_captions(bags(), 1)
    assert sorted(b.group for b in before) == sorted(b.group for b in after)
    assert all(a.features is not None and a.weight == b.weight for a, b in zip(after, before, strict=True))
    assert [a.group for a in after] != [b.group for b in before]


def test_training_plates_hold_no_held_out_compound() -> None:
    unseen = {name for names in HELD_OUT.values() for name in names}
    everywhere = set()
    for seed in range(1, 17):
        design = default_design(96, seed, compounds=training_compounds())
        names = {treatment.perturbation.name for treatment in design.wells.values()}
        assert not names & unseen
    for seed in range(90_001, 90_006):
        everywhere |= {t.perturbation.name for t in default_design(96, seed).wells.values()}
    assert everywhere & unseen  # the evaluation does ask for them


def test_the_training_range_excludes_the_severe_plates() -> None:
    severe = asdict(Nuisance.severe())
    drawn = pd.DataFrame([asdict(training_nuisance(seed)) for seed in range(200)])
    varied = [name for name in drawn if drawn[name].nunique() > 1]
    assert len(varied) >= 8
    for name in varied:
        assert not drawn[name].min() <= severe[name] <= drawn[name].max(), name
    assert training_nuisance(3) == training_nuisance(3)
