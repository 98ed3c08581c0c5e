"""Embeddings of texts on disk: found again, bounded, and never needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_cellclip.model import load_model, stored_texts
from napari_cellclip.model.model import Model
from napari_cellclip.model.stored_texts import StoredTexts

TEXTS = ["tubulin inhibitor", "U2OS cells treated with taxol, a tubulin inhibitor", "DMSO"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    return tmp_path / "texts.sqlite"


def fresh() -> tuple[Model, list[int]]:
    """A model as a new process has it, and how many texts its tower read."""
    model = load_model("demo", device="cpu")
    read: list[int] = []
    tower = model.cellclip.encode_text

    def counted(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        read.append(len(input_ids))
        return tower(input_ids=input_ids, attention_mask=attention_mask)

    model.cellclip.encode_text = counted  # type: ignore[method-assign]
    return model, read


def embedded(texts: Sequence[str] = TEXTS) -> tuple[np.ndarray, int]:
    model, read = fresh()
    return model.embed_texts(texts), sum(read)


def test_a_second_process_reads_what_the_first_embedded(cache: Path):
    cold, read = embedded()
    assert (read, cache.exists()) == (3, True)
    warm, read = embedded()
    assert read == 0
    np.testing.assert_array_equal(warm, cold)
    more, read = embedded([*TEXTS, "BRD4 knockout"])
    assert read == 1
    np.testing.assert_array_equal(more[:3], cold)


@pytest.mark.parametrize("damage", ["no database", "cut short", "empty", "another table", "a folder"])
def test_a_damaged_file_is_made_anew(cache: Path, damage: str):
    cold, _ = embedded()
    whole = cache.read_bytes()
    cache.unlink()
    if damage == "no database":
        cache.write_bytes(b"\x00\xff" * 4096)
    elif damage == "cut short":
        cache.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        cache.touch()
    elif damage == "another table":
        with closing(sqlite3.connect(cache)) as file:
            file.execute("CREATE TABLE texts (other TEXT)")
    else:
        cache.mkdir()
    found, read = embedded()
    assert read == 3
    np.testing.assert_array_equal(found, cold)
    if damage != "a folder":
        embedded()  # where the first attempt only removed the file
        assert embedded()[1] == 0


def test_a_changed_embedding_is_not_believed(cache: Path):
    cold, _ = embedded()
    with closing(sqlite3.connect(cache)) as file, file:
        file.execute("UPDATE texts SET vector = zeroblob(length(vector)) WHERE number = 1")
        file.execute("UPDATE texts SET vector = x'00' WHERE number = 2")
    found, read = embedded()
    assert read == 2
    np.testing.assert_array_equal(found, cold)


def test_other_weights_have_other_keys(tmp_path: Path):
    one, other = (StoredTexts(tmp_path / "texts.sqlite", name, 4) for name in ("one", "other"))
    tokens = np.array([2, 7, 3])
    one.write({one.key(tokens): np.ones(4, np.float32)})
    assert one.read([one.key(tokens)])
    assert not other.read([other.key(tokens)])
    assert not one.read([one.key(np.array([2, 7, 7, 3]))])


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored_texts, "MOST_TEXTS", 10)
    texts = StoredTexts(tmp_path / "texts.sqlite", "", 2)
    keys = [texts.key(np.array([i])) for i in range(25)]
    for i, key in enumerate(keys):
        texts.write({key: np.full(2, i, np.float32)})
    found = texts.read(keys)
    assert list(found) == keys[-10:]
    assert found[keys[20]].tolist() == [20, 20]


def test_a_file_in_use_is_waited_for_and_then_left_alone(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored_texts, "PATIENCE", 0.01)
    cold, _ = embedded()
    with closing(sqlite3.connect(cache)) as file:
        file.execute("BEGIN EXCLUSIVE")
        found, read = embedded()
        assert read == 3
        np.testing.assert_array_equal(found, cold)
        file.rollback()
    assert embedded()[1] == 0
