"""Labelled profiles in a model folder: a round trip, and files from strangers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from napari_cellclip.model.prototypes.profile_sets import (
    FILE,
    ProfileSet,
    read_profile_sets,
    write_profile_sets,
)
from napari_cellclip.vocabulary import ModelError


def made(name: str = "one", weight: float = 1.0) -> ProfileSet:
    rng = np.random.default_rng(0)
    return ProfileSet(
        name,
        ("Cells_A_B", "Cells_C_D"),
        rng.normal(size=(3, 2)).astype(np.float16).astype(np.float32),
        (("µ-opioid agonist",), ("x", "y"), ("x",)),
        rng.normal(size=(4, 2)).astype(np.float16).astype(np.float32),
        weight,
        ("a", "b", "b"),
    )


def test_sets_come_back_as_they_were(tmp_path: Path) -> None:
    sets = [made(), made("two", 0.5)]
    found = read_profile_sets(write_profile_sets(sets, tmp_path))
    for before, after in zip(sets, found, strict=True):
        assert (before.name, before.features, before.labels, before.weight, before.treatments) == (
            after.name,
            after.features,
            after.labels,
            after.weight,
            after.treatments,
        )
        np.testing.assert_array_equal(before.profiles, after.profiles)
        np.testing.assert_array_equal(before.controls, after.controls)
    assert found[0].phrases == ("µ-opioid agonist", "x", "y")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [["x"], ["y"]]}, "do not fit"),
        ({"features": ["Cells_A_B"]}, "do not fit"),
        ({"features": ["Cells_A_B", "Cells_A_B"]}, "name a feature twice"),
        ({"labels": [["x"], [], ["y"]]}, "lack a label"),
        ({"weight": "heavy"}, "cannot be read"),
        ({"labels": 3}, "cannot be read"),
        ({"treatments": ["a"]}, "names of their treatments"),
    ],
)
def test_what_does_not_fit_its_numbers_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    found = made()
    about = {
        "name": "one",
        "features": list(found.features),
        "labels": [list(x) for x in found.labels],
        "weight": 1,
        "treatments": [],
    }
    save_file(
        {"0.profiles": found.profiles, "0.controls": found.controls},
        tmp_path / FILE,
        metadata={"sets": json.dumps([about | change])},
    )
    with pytest.raises(ModelError, match=message):
        read_profile_sets(tmp_path / FILE)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    found = made()
    about = {
        "name": "one",
        "features": list(found.features),
        "labels": [list(x) for x in found.labels],
        "weight": 1,
        "treatments": [],
    }
    profiles = found.profiles.copy()
    profiles[1, 1] = np.nan
    save_file(
        {"0.profiles": profiles, "0.controls": found.controls},
        tmp_path / FILE,
        metadata={"sets": json.dumps([about])},
    )
    with pytest.raises(ModelError, match="not finite"):
        read_profile_sets(tmp_path / FILE)


@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=300), metadata=st.text(max_size=40) | st.just("[" * 5000))
def test_any_bytes_are_a_plain_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, metadata: str
) -> None:
    folder = tmp_path_factory.mktemp("sets")
    (folder / "bytes.safetensors").write_bytes(content)
    save_file({"0.profiles": np.zeros(1)}, folder / "words.safetensors", metadata={"sets": metadata})
    for name in ("bytes.safetensors", "words.safetensors", "absent.safetensors"):
        sentence = ""
        try:
            assert read_profile_sets(folder / name) == ()  # an empty list is the only text that can be read
        except ModelError as error:
            sentence = str(error)
        assert not sentence or str(folder / name) in sentence
