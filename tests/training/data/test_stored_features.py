"""Features that stay on disk: the same bags, batches and weights as in memory, and little of them at a time."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellclip.model import PromptTemplates
from napari_cellclip.screen import Screen
from napari_cellclip.screen.storage import shards as shard_files
from napari_cellclip.training import RunConfig, iter_train
from napari_cellclip.training.config_sections import TrainingConfig
from napari_cellclip.training.data import stored_features
from napari_cellclip.training.data.screen_bags import bags_of
from napari_cellclip.training.data.stored_features import (
    FEATURES_FILE,
    FeaturesFile,
    StoredFeatures,
    iter_write,
)
from napari_cellclip.training.loop.batches import Batches, fingerprint, one_by_one, usable
from napari_cellclip.vocabulary import CellClipError
from tests.tiny import encode_tiny_screen, write_tiny_plate


def on_disk(screen: Screen, folder: Path) -> FeaturesFile:
    """The features of a screen in one file."""
    for _ in iter_write([screen], folder / FEATURES_FILE):
        pass
    return FeaturesFile(folder / FEATURES_FILE, [screen])


@pytest.fixture
def both(tiny_screen: Screen, tmp_path: Path):
    opened = Screen.open(tiny_screen.path)
    held, stored = (
        bags_of([opened], PromptTemplates(), features=features, empty_wells="untreated")
        for features in (None, on_disk(opened, tmp_path))
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


def test_bags_of_wells_of_one_perturbation(tiny_screen: Screen, tmp_path: Path) -> None:
    options = {"bag": "perturbation", "empty_wells": "untreated"}
    held, stored = (
        bags_of([tiny_screen], PromptTemplates(), features=features, **options)
        for features in (None, on_disk(tiny_screen, tmp_path))
    )
    assert max(len(bag.features) for bag in held) > min(len(bag.features) for bag in held)
    for one, other in zip(held, stored, strict=True):
        np.testing.assert_array_equal(np.asarray(other.features), one.features)


def test_several_screens_lie_one_after_the_other(
    tiny_screen: Screen, tiny_plate, tiny_model, tmp_path
) -> None:
    second = encode_tiny_screen(write_tiny_plate(tmp_path / "other-plate"), tiny_model, tmp_path / "other")
    screens = [tiny_screen, second]
    for step in iter_write(screens, tmp_path / FEATURES_FILE):
        last = step
    assert last.done == last.total == len(tiny_screen.fields) + len(second.fields)
    found = FeaturesFile(tmp_path / FEATURES_FILE, screens)
    for screen in screens:
        rows = np.array([3, 0, len(screen.fields) - 1])
        expected = screen.features(list(screen.fields.index[rows]))
        np.testing.assert_array_equal(found.of(screen, rows), expected)


def test_making_and_checking_bags_reads_no_feature(tiny_screen: Screen, tmp_path: Path, monkeypatch) -> None:
    """And from then on no shard is read, whichever wells are drawn."""
    features = on_disk(tiny_screen, tmp_path)
    read: list[Path] = []
    monkeypatch.setattr(shard_files, "_features", lambda path, *_: read.append(path))
    monkeypatch.setattr(FeaturesFile, "read", lambda *_: read.append(tmp_path))
    bags = bags_of([Screen.open(tiny_screen.path)], PromptTemplates(), features=features)
    card = tiny_screen.card
    assert usable(bags, len(card.stain_order), card.encoder.dim) == bags
    assert read == []
    monkeypatch.undo()
    monkeypatch.setattr(shard_files, "_features", lambda path, *_: read.append(path))
    Batches(bags, TrainingConfig(batch=4))(0)
    assert read == []


def test_the_file_is_read_where_there_is_no_pread(both, monkeypatch) -> None:
    """As on Windows: the readers take turns."""
    held, stored = both
    monkeypatch.delattr(stored_features.os, "pread", raising=False)
    config = TrainingConfig(batch=4, fields=2)
    np.testing.assert_array_equal(Batches(stored, config)(2).images, Batches(held, config)(2).images)


def test_a_file_removed_is_read_on_and_one_cut_short_refused(tiny_screen: Screen, tmp_path: Path) -> None:
    features = on_disk(tiny_screen, tmp_path)
    rows = np.arange(len(tiny_screen.fields))
    before = np.asarray(features.of(tiny_screen, rows))
    with (tmp_path / FEATURES_FILE).open("r+b") as file:
        features.remove()
        assert list(tmp_path.glob(FEATURES_FILE)) == (
            [] if os.name == "posix" else [tmp_path / FEATURES_FILE]
        )
        np.testing.assert_array_equal(features.of(tiny_screen, rows), before)
        file.truncate(10)
    with pytest.raises(CellClipError, match="cut short"):
        np.asarray(features.of(tiny_screen, rows))


def test_an_open_file_that_cannot_be_removed_goes_with_its_reader(
    tiny_screen: Screen, tmp_path: Path, monkeypatch
) -> None:
    features = on_disk(tiny_screen, tmp_path)

    def refuse(path: Path) -> None:
        raise PermissionError(path)

    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", refuse)
        features.remove()
    assert (tmp_path / FEATURES_FILE).exists()
    del features
    gc.collect()
    assert not (tmp_path / FEATURES_FILE).exists()


def test_a_copy_that_does_not_come_to_its_end_leaves_nothing(
    tiny_screen: Screen, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / FEATURES_FILE
    monkeypatch.setattr(stored_features, "SITES_AT_ONCE", 2)
    steps = iter_write([tiny_screen], path)
    assert next(steps).done == 2
    assert path.exists()
    steps.close()
    assert not path.exists()
    monkeypatch.setattr(stored_features.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(CellClipError, match=r"has no room for them: .*data\.memory"):
        next(iter_write([tiny_screen], path))
    assert not path.exists()


def test_a_run_from_disk_gives_the_weights_of_one_in_memory(tiny_screen: Screen, tmp_path: Path) -> None:
    """Stopped in memory, it even goes on from disk."""
    common = {"training": {"epochs": 3, "batch": 8, "seed": 2}, "model": {"device": "cpu"}}
    runs = {m: RunConfig.from_dict({**common, "data": {"memory": m}}) for m in (8.0, 0.0)}
    for memory, run in runs.items():
        stages = [step.stage for step in iter_train([tiny_screen], tmp_path / str(memory), run=run)]
        assert ("fields" in stages) == (memory == 0.0)
        assert not (tmp_path / str(memory) / FEATURES_FILE).exists()
    steps = iter_train([tiny_screen], tmp_path / "both", run=runs[8.0])
    for step in steps:
        if step.stage == "training" and step.done == 2:
            break
    steps.close()
    for _ in iter_train([tiny_screen], tmp_path / "both", run=runs[0.0]):
        pass
    weights = [(tmp_path / name / "cellclip.safetensors").read_bytes() for name in ("8.0", "0.0", "both")]
    assert weights[0] == weights[1] == weights[2]
