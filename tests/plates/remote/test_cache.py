"""The cache is bounded, drops what was used least recently, and never gives a wrong pixel for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip import open_plate
from napari_cellclip.plates.remote.stores.file_cache import FileCache, cache_bytes, file_cache
from napari_cellclip.vocabulary import PlateError
from tests.plates.remote.faulty_server import FaultyServer
from tests.plates.remote.made_gallery import PLATE, PROJECT, SOURCE, MadeGallery

ADDRESS = f"cpg://{PROJECT}/{SOURCE}/{PLATE}"


def held(root: Path) -> int:
    return sum(file.stat().st_size for file in root.rglob("*.tiff"))


def test_bound_holds_while_a_plate_is_read(
    gallery: MadeGallery, monkeypatch: pytest.MonkeyPatch, s3: FaultyServer
) -> None:
    plate = open_plate(ADDRESS)
    size = max(file.stat().st_size for file in (gallery.folder / "Images").glob("*.tiff"))
    limit = 12 * size
    monkeypatch.setenv("NAPARI_CELLCLIP_REMOTE_GB", repr(limit / 1e9))
    plate = open_plate(ADDRESS)
    for ours, theirs in zip(plate.sites, gallery.plate.sites, strict=True):
        np.testing.assert_array_equal(ours.read(), theirs.read())
        assert held(file_cache().root) <= limit
    before = sum(s3.asked.values())
    plate.sites[-1].read()  # used last, and still there
    assert sum(s3.asked.values()) == before
    np.testing.assert_array_equal(
        plate.sites[0].read(), gallery.plate.sites[0].read()
    )  # dropped, fetched again
    assert sum(s3.asked.values()) == before + 5


def test_threads_share_files_and_see_no_half_one(
    gallery: MadeGallery, s3: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = max(file.stat().st_size for file in (gallery.folder / "Images").glob("*.tiff"))
    plate = open_plate(ADDRESS)
    wrong: list[object] = []

    def read() -> None:
        for ours, theirs in zip(plate.sites, gallery.plate.sites, strict=True):
            try:
                if not np.array_equal(ours.read(["DNA"]), theirs.read(["DNA"])):
                    wrong.append(ours.id)
            except PlateError as error:
                wrong.append(error)

    plate.fingerprint()
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sum(n for path, n in s3.asked.items() if "ch5" in path) == 12  # each file once
    monkeypatch.setenv("NAPARI_CELLCLIP_REMOTE_GB", repr(3 * size / 1e9))
    plate = open_plate(ADDRESS)
    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_file_emptied_by_another_program_is_fetched_again(gallery: MadeGallery) -> None:
    plate = open_plate(ADDRESS)
    first = plate.sites[0].read()
    for file in plate.sites[0].files:
        os.truncate(file, 0)
    np.testing.assert_array_equal(plate.sites[0].read(), first)


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new.tif", "old.tif", "older.tif")):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, ns=(10**18 - age * 10**9, 10**18))
    (tmp_path / "table.csv").write_bytes(b"x" * 500)
    chunks = tmp_path / "p.zarr" / "c"
    chunks.mkdir(parents=True)
    (chunks / "0").write_bytes(b"x" * 100)
    os.utime(chunks / "0", ns=(10**17, 10**18))
    cache = FileCache(tmp_path, limit=400)
    cache.make_space(150)
    sizes = {file.name: file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()}
    assert sizes == {
        "new.tif": 100,
        "old.tif": 100,
        "older.tif": 0,
        "table.csv": 500,
    }  # a chunk may be absent
    with cache.holding(tmp_path / "old.tif"):
        cache.make_space(150)
    assert (tmp_path / "old.tif").stat().st_size == 100
    assert (tmp_path / "new.tif").stat().st_size == 0


@pytest.mark.parametrize("text", ["much", "-1", "0", "nan", "1e99"])
def test_bound_that_is_no_number(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_CELLCLIP_REMOTE_GB", text)
    with pytest.raises(PlateError, match="set it to a number of gigabytes"):
        cache_bytes()


def test_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10**6

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage)
    with pytest.raises(PlateError, match="no space is left for fetched images"):
        FileCache(tmp_path, 10**9).make_space(10**6)
