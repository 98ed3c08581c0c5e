"""A store that fails in every way that stores do, and a network that is not there."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip import fetch_plate, open_plate
from napari_cellclip.plates import iter_fetch_plate
from napari_cellclip.plates.remote.stores import retries, store
from napari_cellclip.vocabulary import PlateError
from tests.plates.remote.faulty_server import FAULTS, FaultyServer
from tests.plates.remote.made_gallery import PLATE, PROJECT, SOURCE, MadeGallery

ADDRESS = f"cpg://{PROJECT}/{SOURCE}/{PLATE}"


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_passes(
    kind: str, gallery: MadeGallery, s3: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file and list fails the first time it is asked for; pixels are as if nothing had been."""
    monkeypatch.setattr(store, "READ_SECONDS", 1 if kind == "silent" else 60)
    met = []

    def fault(method: str, path: str, count: int) -> str | None:
        if count == 1 and ("ch5" in path or "list-type" in path):
            met.append(path)
            return kind
        return None

    s3.fault = fault
    plate = open_plate(ADDRESS)
    for ours, theirs in zip(plate.sites[:2], gallery.plate.sites[:2], strict=True):
        np.testing.assert_array_equal(ours.read(["DNA"]), theirs.read(["DNA"]))
    assert len(met) >= 3


@pytest.mark.slow
def test_every_third_answer_is_a_fault(gallery: MadeGallery, s3: FaultyServer, tmp_path: Path) -> None:
    chance = random.Random(7)
    kinds = [kind for kind in FAULTS if kind != "silent"]
    met: list[str] = []

    def fault(method: str, path: str, count: int) -> str | None:
        if count < retries.TRIES - 1 and chance.random() < 1 / 3:
            met.append(chance.choice(kinds))
            return met[-1]
        return None

    s3.fault = fault
    folder = fetch_plate(ADDRESS, tmp_path / "plate")
    assert set(met) == set(kinds)
    for ours, theirs in zip(open_plate(folder).sites, gallery.plate.sites, strict=True):
        np.testing.assert_array_equal(ours.read(), theirs.read())


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("busy", "because the server is busy: try again in a few minutes"),
        ("throttled", "because the server is busy: try again in a few minutes"),
        ("error", "could not be read in 6 tries .* try again later"),
        ("silent", "did not answer in time"),
    ],
)
def test_fault_that_stays_is_one_sentence(
    kind: str, sentence: str, gallery: MadeGallery, s3: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "TRIES", 2 if kind == "silent" else 6)
    monkeypatch.setattr(store, "READ_SECONDS", 1 if kind == "silent" else 60)
    plate = open_plate(ADDRESS)
    s3.fault = lambda method, path, count: kind if ".tiff" in path else None
    with pytest.raises(PlateError, match=sentence) as refused:
        plate.sites[0].read()
    assert "\n" not in str(refused.value)


def test_damage_on_the_way_is_noticed(gallery: MadeGallery, s3: FaultyServer) -> None:
    """The length is right and a byte is not: the store's MD5 tells, and the file is fetched again."""
    plate = open_plate(ADDRESS)
    s3.flip = lambda path, count: ".tiff" in path and count == 1
    np.testing.assert_array_equal(plate.sites[0].read(), gallery.plate.sites[0].read())


def test_files_that_fail_for_good_do_not_end_a_fetch(
    gallery: MadeGallery, s3: FaultyServer, tmp_path: Path
) -> None:
    s3.fault = lambda method, path, count: "error" if "f01p01-ch3" in path and "r02" in path else None
    notices: list[str] = []
    steps = iter_fetch_plate(ADDRESS, tmp_path / "plate")
    with pytest.raises(PlateError, match=r"of 60 files of cpg://.* could not be fetched"):
        notices.extend(step.message for step in steps if step.notice)
    bad = len(notices)
    assert bad >= 1
    assert len(list((tmp_path / "plate").rglob("*.tiff"))) == 60 - bad
    s3.fault = lambda method, path, count: None
    fetch_plate(ADDRESS, tmp_path / "plate")
    assert open_plate(tmp_path / "plate").problems == ()


def test_no_network(gallery: MadeGallery, s3: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    plate = open_plate(ADDRESS)
    first = plate.sites[0].read()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(retries, "TRIES", 2)
    with pytest.raises(PlateError, match="cannot be reached: check the connection"):
        open_plate(f"cpg://{PROJECT}/{SOURCE}/BR00000001")
    again = open_plate(ADDRESS)  # what was fetched earlier is shown, and that is told
    assert any("what was fetched of it earlier is shown" in problem.what for problem in again.problems)
    np.testing.assert_array_equal(again.sites[0].read(), first)
    with pytest.raises(PlateError, match="cannot be reached"):
        again.sites[-1].read()


def test_file_that_has_gone_is_named(gallery: MadeGallery) -> None:
    plate = open_plate(ADDRESS)
    for key in gallery.keys(gallery.images):
        gallery.client.delete_object(Bucket="cellpainting-gallery", Key=key)
    with pytest.raises(PlateError, match="is no longer in cpg://"):
        plate.sites[0].read()
