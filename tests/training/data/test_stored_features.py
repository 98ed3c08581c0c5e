"""Features that stay on disk: the same bags, batches and weights as in memory, and little of them at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage import shards as shard_files
from napari_cellclip.training import RunConfig, iter_train
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.stored_features import StoredFeatures
from napari_cellclip.training.loop.batches import Batches, fingerprint, one_by_one, usable


@pytest.fixture
def both(tiny_screen: Screen):
    opened = Screen.open(tiny_screen.path)
    held, stored = (
        bags_of([opened], PromptTemplates(), in_memory=in_memory, empty_wells="untreated")
        for in_memory in (True, False)
    )
    assert all(isinstance(bag.features, StoredFeatures) for bag in stored)
    assert [bag.name for bag in stored] == [bag.name for bag in held]
    return held, stored


def test_stored_bags_are_those_in_memory(both) -> None:
    held, stored = both
    for one, other in zip(held, stored, strict=True):
        assert other.features.shape == one.features.shape
        assert other.features.dtype == one.features.dtype
        np.testing.assert_array_equal(np.asarray(other.features), one.features)
        picked = np.arange(len(one.features))[::-1]
        np.testing.assert_array_equal(other.features[picked], one.features[picked])
        np.testing.assert_array_equal(np.asarray(other.features[1:]), one.features[1:])
    assert fingerprint(stored) == fingerprint(held), (
        "a run in memory may go on without, and the other way round"
    )
    with pytest.raises(ValueError, match="have to be read"):
        np.array(stored[0].features, copy=False)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_batches_are_those_in_memory_whichever_step_is_asked_for(both, noise) -> None:
    config = TrainingConfig(batch=4, fields=2, feature_noise=noise, seed=5)
    held, stored = (Batches(bags, config) for bags in both)
    for step in (0, 1, 7, 3):
        one, other = held(step), stored(step)
        np.testing.assert_array_equal(other.images, one.images)
        np.testing.assert_array_equal(other.captions, one.captions)
        np.testing.assert_array_equal(other.groups, one.groups)


def test_fields_one_by_one_stay_on_disk(both) -> None:
    held, stored = (one_by_one(bags) for bags in both)
    assert len(stored) == len(held)
    assert all(isinstance(bag.features, StoredFeatures) for bag in stored)
    np.testing.assert_array_equal(np.asarray(stored[-1].features), held[-1].features)


def test_bags_of_wells_of_one_perturbation(tiny_screen: Screen) -> None:
    options = {"bag": "perturbation", "empty_wells": "untreated"}
    held, stored = (
        bags_of([tiny_screen], PromptTemplates(), in_memory=in_memory, **options)
        for in_memory in (True, False)
    )
    assert max(len(bag.features) for bag in held) > min(len(bag.features) for bag in held)
    for one, other in zip(held, stored, strict=True):
        np.testing.assert_array_equal(np.asarray(other.features), one.features)


def test_making_and_checking_bags_reads_no_feature(tiny_screen: Screen, monkeypatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(shard_files, "_features", lambda path, *_: read.append(path))
    bags = bags_of([Screen.open(tiny_screen.path)], PromptTemplates(), in_memory=False)
    card = tiny_screen.card
    assert usable(bags, len(card.stain_order), card.encoder.dim) == bags
    assert read == []


def test_a_run_from_disk_gives_the_weights_of_one_in_memory(tiny_screen: Screen, tmp_path: Path) -> None:
    """Stopped in memory, it even goes on from disk."""
    common = {"training": {"epochs": 3, "batch": 8, "seed": 2}, "model": {"device": "cpu"}}
    runs = {m: RunConfig.from_dict({**common, "data": {"memory": m}}) for m in (8.0, 0.0)}
    for memory, run in runs.items():
        for _ in iter_train([tiny_screen], tmp_path / str(memory), run=run):
            pass
    steps = iter_train([tiny_screen], tmp_path / "both", run=runs[8.0])
    for step in steps:
        if step.stage == "training" and step.done == 2:
            break
    steps.close()
    for _ in iter_train([tiny_screen], tmp_path / "both", run=runs[0.0]):
        pass
    weights = [(tmp_path / name / "cellclip.safetensors").read_bytes() for name in ("8.0", "0.0", "both")]
    assert weights[0] == weights[1] == weights[2]
