"""An index of wells: it finds what a search through all finds, is kept, and is made anew when it must be."""

from __future__ import annotations

import errno
import zlib
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.explore import ask, compiled
from napari_cellclip.explore.by_index import RANKS_ONLY, ask_index
from napari_cellclip.explore.vectors import well_index
from napari_cellclip.explore.vectors.well_index import FINE, Checks, WellIndex, coded
from napari_cellclip.model import load_model
from napari_cellclip.model.unit_vectors import unit_rows
from napari_cellclip.screen import Screen
from napari_cellclip.screen.screen_tables import ScreenTables
from napari_cellclip.vocabulary import CellClipError
from tests.tiny import encode_tiny_screen, write_tiny_model, write_tiny_plate


def clustered(n: int, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, dim))
    return (centres[rng.integers(0, 20, n)] + 0.4 * rng.normal(size=(n, dim))).astype(np.float32)


@given(st.integers(1, 60), st.integers(1, 70), st.sampled_from([2, 8]), st.integers(0, 2**32 - 1))
def test_wells_found_are_those_of_a_search_through_all(n: int, k: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-3, 4, (n, dim)).astype(np.float32)  # with ties, and without length
    vectors[rng.random(n) < 0.2] = np.nan
    index = WellIndex(*coded(vectors))
    direction = unit_rows(rng.normal(size=(1, dim)))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(well_index, "AT_ONCE", 7)
        patch.setattr(compiled, "AT_LEAST", 9)
        rows, cosines = index.nearest(direction, k)
    unit = np.where(np.isfinite(vectors), vectors, 0).astype(float)
    lengths = np.linalg.norm(unit, axis=1)
    exact = np.where(lengths > 0, unit @ direction / np.where(lengths > 0, lengths, 1), -np.inf)
    assert len(rows) == len(set(rows)) == min(k, int((lengths > 0).sum()))
    np.testing.assert_allclose(cosines, exact[rows], atol=dim / FINE)
    np.testing.assert_allclose(cosines, -np.sort(-exact)[: len(rows)], atol=dim / FINE)


@pytest.mark.parametrize("like_a_well", [False, True])
def test_recall_of_clustered_wells(like_a_well) -> None:
    vectors = clustered(20_000, 64, 0)
    unit, index = unit_rows(vectors), WellIndex(*coded(vectors))
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        direction = unit[rng.integers(len(unit))] if like_a_well else unit_rows(rng.normal(size=(1, 64)))[0]
        true = np.argsort(-(unit.astype(float) @ direction))[:100]
        found.append(len(set(true) & set(index.nearest(direction, 100)[0])) / 100)
    assert np.mean(found) >= 0.995


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    model = load_model(write_tiny_model(folder / "model"), device="cpu")
    return encode_tiny_screen(write_tiny_plate(folder / "plate"), model, folder / "screen"), model


def test_a_text_finds_the_wells_that_ask_ranks_by_cosine(made) -> None:
    screen, model = made
    answer = ask_index(screen, "tubulin inhibitor", top=5, model=model)
    every = ask(screen, "tubulin inhibitor", evidence="words", model=model)
    best = every.scores["cosine"].sort_values(ascending=False).head(5)
    np.testing.assert_allclose(answer.scores["cosine"], best, atol=1e-4)
    assert answer.prompts == every.prompts
    assert (answer.match, answer.notes[-1]) == (None, RANKS_ONLY)
    assert answer.to_json()["wells"][0]["q"] is None
    well = screen.well_ids[3]
    assert ask_index(screen, wells=(well,), top=1).scores.index.tolist() == [well]


def test_an_index_is_kept_and_made_anew_when_embeddings_change_or_it_is_damaged(made, monkeypatch) -> None:
    screen, _ = made
    WellIndex.of(screen)
    folder = screen.path / "index" / screen.card_hash
    before = (folder / "fine.npy").stat().st_mtime_ns
    WellIndex.of(screen)
    assert (folder / "fine.npy").stat().st_mtime_ns == before
    (folder / "fine.npy").write_bytes((folder / "fine.npy").read_bytes()[:-10])
    found = WellIndex.of(screen)
    assert found.fine.shape == (len(screen.wells), screen.card.embed_dim)
    again = (folder / "fine.npy").stat().st_mtime_ns
    assert again > before
    monkeypatch.setattr(type(screen.tables), "embeddings_state", lambda self: "other")
    WellIndex.of(screen)
    assert (folder / "fine.npy").stat().st_mtime_ns > again
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_state_is_that_of_the_files(made) -> None:
    screen, _ = made
    state = screen.tables.embeddings_state()
    assert screen.tables.embeddings_state() == state
    file = next((screen.path / "wells").rglob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content)
    assert screen.tables.embeddings_state() != state
    np.testing.assert_array_equal(
        np.concatenate(list(screen.tables.embeddings_by_plate())), screen.embeddings
    )


def test_what_needs_all_scores_is_refused(made, monkeypatch) -> None:
    screen, model = made
    for text in ("nocodazole AND taxol", "nocodazole AND NOT taxol", "nocodazole at 3 uM"):
        with pytest.raises(CellClipError, match="without it"):
            ask_index(screen, text, model=model)
    with pytest.raises(CellClipError, match="one of the two"):
        ask_index(screen)
    with pytest.raises(CellClipError, match="no well 'P/Z99'"):
        ask_index(screen, wells=("P/Z99",))

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(well_index, "coded", full)
    monkeypatch.setattr(type(screen.tables), "embeddings_state", lambda self: "yet another")
    with pytest.raises(CellClipError, match=r"No space left on device.*free some space"):
        ask_index(screen, "nocodazole", model=model)
    assert not list((screen.path / "index").glob(".*.tmp"))


def test_a_verdict_from_the_index_is_that_from_memory(made) -> None:
    screen, model = made
    for text in ("tubulin inhibitor", "nocodazole AND NOT taxol"):
        exact = ask(screen, text, evidence="words", model=model)
        found = ask(Screen.open(screen.path), text, index=True, model=model)
        assert (found.verdict, found.notes, found.prompts) == (exact.verdict, exact.notes, exact.prompts)
        np.testing.assert_allclose(
            found.scores["cosine"].loc[exact.scores.index], exact.scores["cosine"], atol=1e-4
        )
    with pytest.raises(CellClipError, match="evidence 'words'"):
        ask(screen, "nocodazole", index=True, evidence="look-alikes", model=model)


def test_no_embedding_is_read_into_memory_for_a_verdict_from_the_index(made, monkeypatch) -> None:
    screen, model = made
    first = ask(Screen.open(screen.path), "tubulin inhibitor", index=True, model=model)

    def refused(*args):
        raise AssertionError("read into memory")

    monkeypatch.setattr(ScreenTables, "_read_embeddings", refused)
    again = Screen.open(screen.path)
    pd.testing.assert_frame_equal(
        ask(again, "tubulin inhibitor", index=True, model=model).scores, first.scores, check_exact=True
    )


def test_wells_without_an_embedding_are_left_out_of_an_index(made, monkeypatch) -> None:
    screen, model = made
    read = ScreenTables._read_embeddings

    def lost(self, plate, out):
        read(self, plate, out)
        out[3] = np.nan

    monkeypatch.setattr(ScreenTables, "_read_embeddings", lost)
    monkeypatch.setattr(ScreenTables, "embeddings_state", lambda self: "with a well lost")
    exact = ask(Screen.open(screen.path), "tubulin inhibitor", evidence="words", model=model)
    found = ask(Screen.open(screen.path), "tubulin inhibitor", index=True, model=model)
    assert found.notes == exact.notes
    assert sorted(found.scores.index) == sorted(exact.scores.index)
    assert screen.well_ids[3] not in found.scores.index


@pytest.mark.parametrize("name", ["coarse", "fine", "largest"])
def test_damaged_bytes_of_an_index_are_told(made, name, monkeypatch) -> None:
    screen, model = made
    monkeypatch.setattr(ScreenTables, "embeddings_state", lambda self: f"damaged {name}")
    index = WellIndex.of(Screen.open(screen.path))
    before = index.nearest(index.vectors().rows(slice(0, 1))[0], 3)
    path = index.checks["fine"].path.with_name(f"{name}.npy")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    again = Screen.open(screen.path)
    if name == "largest":  # small, and read at once: it is made anew
        np.testing.assert_array_equal(WellIndex.of(again).largest, index.largest)
        return
    with pytest.raises(CellClipError, match=rf"{name}.npy is damaged \(among wells 1 to .*remove the folder"):
        ask_index(again, "tubulin inhibitor", top=len(index.largest), model=model)
    if name == "fine":
        with pytest.raises(CellClipError, match="is damaged"):
            ask(again, "tubulin inhibitor", index=True, model=model)
    rmtree(path.parent)
    index = WellIndex.of(again)
    np.testing.assert_array_equal(index.nearest(index.vectors().rows(slice(0, 1))[0], 3)[0], before[0])


def test_blocks_are_verified_once_and_only_those_that_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(well_index, "CHECKED", 4)
    array = np.arange(40, dtype=np.int16).reshape(10, 4)
    sums = np.array([zlib.crc32(array[start : start + 4]) for start in (0, 4, 8)], np.uint32)
    checks = Checks(tmp_path / "fine.npy", array, sums)
    checks.rows(np.array([9, 1]))
    array[1] = 0  # verified before: not looked at again
    checks.rows(np.array([1]))
    array[6] = 0
    with pytest.raises(CellClipError, match="among wells 5 to 8,"):
        checks.all_rows()
    with pytest.raises(ValueError, match="not as many checksums"):
        Checks(tmp_path / "fine.npy", array, sums[:2])


@pytest.mark.parametrize("sizes", [(3, 5, 1), (2,), (4, 4), (9,)])
def test_blocks_do_not_depend_on_plates(monkeypatch, sizes) -> None:
    monkeypatch.setattr(well_index, "CHECKED", 4)
    rows = np.arange(2 * sum(sizes), dtype=np.float32).reshape(-1, 2)
    plates = np.split(rows, np.cumsum(sizes)[:-1])
    tables = SimpleNamespace(embeddings_by_plate=lambda: iter(plates))
    screen = SimpleNamespace(tables=tables, card=SimpleNamespace(embed_dim=2))
    blocks = list(well_index._blocks(screen))
    assert {len(block) for block in blocks[:-1]} <= {4}
    np.testing.assert_array_equal(np.concatenate(blocks), rows)


def test_where_nothing_can_be_written_beside_a_screen_the_users_cache_holds_the_index(
    made, tmp_path, monkeypatch
) -> None:
    screen, _ = made
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    monkeypatch.setattr(ScreenTables, "embeddings_state", lambda self: "read only")
    mkdir = Path.mkdir

    def read_only(self, *args, **options):
        if screen.path in self.parents:
            raise OSError(errno.EROFS, "Read-only file system")
        mkdir(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", read_only)
    index = WellIndex.of(Screen.open(screen.path))
    assert tmp_path in index.checks["fine"].path.parents
    again = WellIndex.of(Screen.open(screen.path))
    assert again.checks["fine"].path == index.checks["fine"].path


def test_what_is_made_of_a_screen_in_a_store_is_in_the_users_cache(made, tmp_path, monkeypatch) -> None:
    upath = pytest.importorskip("upath")
    screen, model = made
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    store = upath.UPath("memory://screens/asked")
    for path in screen.path.rglob("*"):
        name = path.relative_to(screen.path)
        if path.is_file() and name.parts[0] not in ("index", "calibration"):
            (store / name.as_posix()).write_bytes(path.read_bytes())
    try:
        exact = ask(Screen.open(screen.path), "tubulin inhibitor", evidence="words", model=model)
        found = ask(Screen.open(store), "tubulin inhibitor", index=True, model=model)
        assert (found.verdict, found.notes) == (exact.verdict, exact.notes)
        kept = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert {"coarse.npy", "fine.npy", "largest.npy", "index.json"} < kept
        assert len([name for name in kept if name.endswith(".safetensors")]) == 1
        with monkeypatch.context() as patch:
            patch.delattr(ScreenTables, "_read_embeddings")
            again = ask(Screen.open(store), "tubulin inhibitor", index=True, model=model)
        pd.testing.assert_frame_equal(again.scores, found.scores, check_exact=True)
    finally:
        store.fs.store.clear()
