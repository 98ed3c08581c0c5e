"""A calibration is kept on disk: it gives the same answers, and one of something else is never used."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from napari_cellclip.explore import ask, like
from napari_cellclip.explore.calibration import measured, screen_calibration
from napari_cellclip.explore.calibration.nulls import random_directions
from napari_cellclip.explore.vectors.kept_arrays import read_arrays, write_arrays
from napari_cellclip.model import ModelCard
from tests.explore.cards import memory_card
from tests.explore.known_screens import KnownTexts, MemoryScreen


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(monkeypatch):
    """Count how often screens are measured."""
    times: list[int] = []

    def counted(asked):
        times.append(len(asked.vectors))
        return measured.measure(asked)

    monkeypatch.setattr(screen_calibration, "measure", counted)
    return times


def embeddings(n: int = 160) -> np.ndarray:
    vectors = 1 + np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    vectors[5] = np.nan
    return vectors


CARD = memory_card(embed_dim=6)


def opened(folder: Path, card: ModelCard = CARD) -> MemoryScreen:
    """The same four plates each time, as a new process would open them."""
    (folder / "screen.json").touch()
    vectors = embeddings()
    n = len(vectors)
    texts = KnownTexts({}, 6)
    texts.card = card
    names = [f"P{i // 40}" for i in range(n)]
    screen = MemoryScreen(vectors, [i for i in range(n) if i % 40 < 12], names, path=folder, model=texts)
    screen.wells["Metadata_treatment"] = [f"t{i % 30}" for i in range(n)]
    screen.wells["Metadata_dose"] = np.where(np.arange(n) % 3 == 0, np.nan, 10.0 ** (np.arange(n) % 2))
    return screen


def same(one, two) -> None:
    pd.testing.assert_frame_equal(one.scores, two.scores, check_exact=True)
    pd.testing.assert_frame_equal(one.treatments_table, two.treatments_table, check_exact=True)
    assert (one.verdict, one.notes, str(one.null)) == (two.verdict, two.notes, str(two.null))


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("prompts", [["what"], ["what", "else"]])
def test_a_calibration_read_back_answers_the_same(
    tmp_path, cache, made, monkeypatch, tables, prompts
) -> None:
    if tables:  # as for many treatments
        monkeypatch.setattr(random_directions, "MOST_SORTED", 0)
        monkeypatch.setattr(measured, "PATTERNS", 0)
    first = ask(opened(tmp_path), "it", prompts=prompts)
    best = ask(opened(tmp_path), "it", prompts=["what", "else"], combine="max")
    summed = ask(opened(tmp_path), "what + else - more", evidence="words")
    looks = like(opened(tmp_path), ["P0/A20"], ["P1/C10"])
    assert len(made) == 2
    same(ask(opened(tmp_path), "it", prompts=prompts), first)
    same(ask(opened(tmp_path), "it", prompts=["what", "else"], combine="max"), best)
    same(ask(opened(tmp_path), "what + else - more", evidence="words"), summed)
    same(like(opened(tmp_path), ["P0/A20"], ["P1/C10"]), looks)
    assert len(made) == 2
    assert len(list((tmp_path / "calibration").rglob("*.safetensors"))) == 2
    assert not cache.exists()


def other_well(screen: MemoryScreen) -> None:
    screen.embeddings[7, 2] = np.nextafter(screen.embeddings[7, 2], np.float32(9))


def other_control(screen: MemoryScreen) -> None:
    screen.wells.iloc[40, screen.wells.columns.get_loc("Metadata_control_type")] = ""


def other_replicates(screen: MemoryScreen) -> None:
    screen.wells.iloc[25, screen.wells.columns.get_loc("Metadata_treatment")] = "t0"


def other_dose(screen: MemoryScreen) -> None:
    screen.wells.iloc[25, screen.wells.columns.get_loc("Metadata_dose")] = 3.0


def other_plate(screen: MemoryScreen) -> None:
    screen.wells.iloc[25, screen.wells.columns.get_loc("Metadata_Plate")] = "P9"


def other_texts(screen: MemoryScreen) -> None:
    other = screen.model.other
    screen.model.other = lambda text: other(text + "!")


def lost_well(screen: MemoryScreen) -> None:
    screen.embeddings[9] = np.nan


@pytest.mark.parametrize(
    "change",
    [other_well, other_control, other_replicates, other_dose, other_plate, other_texts, lost_well],
)
def test_one_of_something_else_is_not_used(tmp_path, cache, made, change) -> None:
    ask(opened(tmp_path), "it", prompts=["what"])
    screen = opened(tmp_path)
    change(screen)
    found = ask(screen, "it", prompts=["what"])
    assert len(made) == 2
    shutil.rmtree(tmp_path / "calibration")
    again = opened(tmp_path)
    change(again)
    same(ask(again, "it", prompts=["what"]), found)


def test_another_card_seed_or_program_is_not_used(tmp_path, cache, made, monkeypatch) -> None:
    ask(opened(tmp_path), "it", prompts=["what"])
    ask(opened(tmp_path), "it", prompts=["what"], seed=1)
    ask(opened(tmp_path, memory_card(embed_dim=6)), "it", prompts=["what"])
    monkeypatch.setattr(screen_calibration, "__version__", "next")
    ask(opened(tmp_path), "it", prompts=["what"])
    assert len(made) == 4


def test_names_of_treatments_may_change(tmp_path, cache, made) -> None:
    ask(opened(tmp_path), "it", prompts=["what"])
    screen = opened(tmp_path)
    screen.wells["Metadata_treatment"] = "drug " + screen.wells["Metadata_treatment"]
    ask(screen, "it", prompts=["what"])
    assert len(made) == 1


def test_old_ones_are_removed(tmp_path, cache, made) -> None:
    for seed in range(screen_calibration.KEPT + 2):
        ask(opened(tmp_path), "it", prompts=["what"], seed=seed)
        for i, path in enumerate(sorted(tmp_path.rglob("*.safetensors"), key=os.path.getmtime)):
            os.utime(path, (i, i))
    kept = len(list(tmp_path.rglob("*.safetensors")))
    assert kept == screen_calibration.KEPT
    ask(opened(tmp_path), "it", prompts=["what"], seed=screen_calibration.KEPT + 1)
    assert len(made) == screen_calibration.KEPT + 2


@pytest.mark.parametrize("prompts", [["what"], ["what", "else"]])
@pytest.mark.parametrize("combine", ["mean", "max"])
def test_two_bytes_a_number_give_the_answer_of_four(tmp_path, cache, made, prompts, combine) -> None:
    screen = opened(tmp_path)
    vectors = screen.embeddings
    screen.tables = SimpleNamespace(
        embeddings_state=lambda: "as made", embeddings_by_plate=lambda: iter(np.split(vectors, 4))
    )
    exact = ask(screen, "it", prompts=prompts, combine=combine)
    found = ask(screen, "it", prompts=prompts, combine=combine, index=True)
    columns = ["cosine", "score", "z", "q"]
    pd.testing.assert_frame_equal(
        found.scores.loc[exact.scores.index, columns], exact.scores[columns], rtol=1e-3, atol=1e-3
    )
    table = exact.treatments_table  # of 9,999 random directions a few may change sides
    pd.testing.assert_frame_equal(found.treatments_table.loc[table.index], table, rtol=1e-2, atol=5e-4)
    assert (found.verdict, found.notes) == (exact.verdict, exact.notes)
    assert len(made) == 2  # what was measured of one is not used for the other
    again = opened(tmp_path)
    again.tables = screen.tables
    same(ask(again, "it", prompts=prompts, combine=combine, index=True), found)
    assert len(made) == 2


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.write_bytes(b"\x80\x04K\x01." * 99)


def huge_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        *(damaged, cut, empty, foreign, huge_header),
        pytest.param(a_pipe, marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")),
    ],
)
def test_a_damaged_one_is_made_again(tmp_path, cache, made, damage) -> None:
    first = ask(opened(tmp_path), "it", prompts=["what"])
    (path,) = tmp_path.rglob("*.safetensors")
    damage(path)
    same(ask(opened(tmp_path), "it", prompts=["what"]), first)
    same(ask(opened(tmp_path), "it", prompts=["what"]), first)
    assert len(made) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tail0_members", np.int64(10**9)),
        ("tail0_rows", np.int64(-1)),
        ("well_median", np.zeros(3, np.float32)),
        ("own", np.zeros((1, 1), np.float32)),
        ("null_sizes", np.zeros(2, np.int64)),
    ],
)
def test_arrays_that_do_not_fit_are_refused_though_their_checksum_is_right(
    tmp_path, cache, made, monkeypatch, name, value
) -> None:
    """Compiled loops believe the positions that they are given."""
    monkeypatch.setattr(random_directions, "MOST_SORTED", 0)
    monkeypatch.setattr(measured, "PATTERNS", 0)
    first = ask(opened(tmp_path), "it", prompts=["what"])
    (path,) = tmp_path.rglob("*.safetensors")
    arrays = load_file(path)
    about: dict = {}
    read_arrays((path.parent,), path.name, lambda _, stated: about.update(stated), largest=1 << 30)
    if np.ndim(value):
        arrays[name] = value
    else:
        arrays[name][0] = value
    path.unlink()
    write_arrays((path.parent,), path.name, arrays, about, most=9)
    same(ask(opened(tmp_path), "it", prompts=["what"]), first)
    assert len(made) == 2


def test_null_scores_of_other_treatments_are_refused(tmp_path, cache, made) -> None:
    first = ask(opened(tmp_path), "it", prompts=["what"])
    (path,) = tmp_path.rglob("*.safetensors")
    arrays, about = load_file(path), {}
    read_arrays((path.parent,), path.name, lambda _, stated: about.update(stated), largest=1 << 30)
    about["pooled"] = [len(arrays["pooled"])]
    write_arrays((path.parent,), path.name, arrays, about, most=9)
    same(ask(opened(tmp_path), "it", prompts=["what"]), first)
    assert len(made) == 2


def test_what_is_said_about_arrays_is_part_of_the_checksum(tmp_path) -> None:
    write_arrays((tmp_path,), "a.safetensors", {"x": np.arange(3)}, {"n": 1}, most=9)
    path = tmp_path / "a.safetensors"

    def read(largest: int = 1 << 20):
        return read_arrays((tmp_path,), path.name, lambda arrays, about: (arrays, about), largest=largest)

    assert read()[1] == {"n": 1}
    assert read(largest=10) is None
    content = path.read_bytes()
    path.write_bytes(content.replace(b'{\\"n\\": 1}', b'{\\"n\\": 2}'))
    assert path.read_bytes() != content
    assert read() is None
    save_file({"x": np.arange(3)}, path, {"about": json.dumps({})})
    assert read() is None


def test_beside_a_screen_that_cannot_be_written_the_users_cache_is_used(tmp_path, cache, made) -> None:
    folder = tmp_path / "screen"
    folder.mkdir()
    (folder / "calibration").touch()  # no folder can be made there, not even by root
    first = ask(opened(folder), "it", prompts=["what"])
    same(ask(opened(folder), "it", prompts=["what"]), first)
    assert len(made) == 1
    assert len(list(cache.rglob("*.safetensors"))) == 1


def test_where_nothing_can_be_written_it_stays_in_memory(tmp_path, cache, made, monkeypatch) -> None:
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_cellclip.explore.vectors.kept_arrays.write_whole", full)
    screen = opened(tmp_path)
    first = ask(screen, "it", prompts=["what"])
    same(ask(screen, "it", prompts=["what"]), first)
    assert len(made) == 1
    ask(opened(tmp_path), "it", prompts=["what"])
    assert len(made) == 2
