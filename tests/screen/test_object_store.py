"""Screens in an object store: in memory, and in a stand-in for S3 on loopback that fails now and then."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from napari_cellclip.plates import PlateMap
from napari_cellclip.screen import Screen, check_screen, encode, iter_encode
from napari_cellclip.screen.storage import lock
from napari_cellclip.screen.storage.failures import SiteResult
from napari_cellclip.screen.storage.files import exists, names_in, screen_folder, write_whole
from napari_cellclip.screen.storage.lock import LOCK, WriteLock
from napari_cellclip.screen.storage.plan import read_plan
from napari_cellclip.screen.storage.shards import Shards
from napari_cellclip.vocabulary import Control, Kind, Perturbation, ScreenError
from tests.plates.remote.conftest import moto_url, s3  # noqa: F401

upath = pytest.importorskip("upath")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore", "ignore::ResourceWarning")

LABELS = PlateMap.from_perturbations(
    {
        "A01": Perturbation(Kind.COMPOUND, "nocodazole"),
        "A02": Perturbation(Kind.CONTROL, "DMSO", control=Control.NEGATIVE),
    }
)


@pytest.fixture
def memory():
    folder = upath.UPath("memory://screens/one")
    yield folder
    folder.fs.store.clear()


@pytest.fixture
def bucket(s3, moto_url):  # noqa: F811
    import boto3
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()  # those of another test lead to its server
    client = boto3.client("s3", endpoint_url=moto_url, region_name="us-east-1")
    client.create_bucket(Bucket="screens")
    yield "s3://screens/one"
    for entry in client.list_objects_v2(Bucket="screens").get("Contents", ()):
        client.delete_object(Bucket="screens", Key=entry["Key"])
    client.delete_bucket(Bucket="screens")


def files(folder) -> dict[str, bytes]:
    """Everything that a run leaves, by relative name."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name not in {LOCK, ".writer.json"}]
    return {str(path).removeprefix(str(folder)).strip("/"): path.read_bytes() for path in found}


def use(place, tmp_path, make_plate, make_model) -> None:
    """Encode two plates, stop in the middle, go on, look at all that a screen shows; compare with a folder."""
    for out in (place, tmp_path / "local"):
        steps = iter_encode(make_plate(broken=["P1/A02/1"]), LABELS, make_model(), out, shard_sites=2)
        for step in steps:
            if step.stage == "fields" and step.done:
                break
        steps.close()
        encode(make_plate(broken=["P1/A02/1"]), LABELS, make_model(), out, shard_sites=2)
        encode(make_plate("P2"), None, make_model(), out, shard_sites=2)
    assert files(screen_folder(place)) == files(tmp_path / "local")
    here, there = Screen.open(tmp_path / "local"), Screen.open(place)
    assert there.complete
    assert there.name == "one"
    pd.testing.assert_frame_equal(there.wells, here.wells)
    np.testing.assert_array_equal(there.embeddings, here.embeddings)
    pd.testing.assert_frame_equal(there.failures, here.failures)
    pd.testing.assert_frame_equal(there.quality, here.quality)
    sites = list(here.fields.index)
    np.testing.assert_array_equal(there.features(sites), here.features(sites))
    np.testing.assert_array_equal(there.preview("P2/A01"), here.preview("P2/A01"))
    assert check_screen(place) == []


def test_a_screen_in_memory_is_that_of_a_folder(memory, tmp_path, make_plate, make_model) -> None:
    use(memory, tmp_path, make_plate, make_model)


def test_a_screen_in_s3_is_that_of_a_folder(bucket, tmp_path, make_plate, make_model) -> None:
    use(bucket, tmp_path, make_plate, make_model)
    assert str(Screen.open(Path(bucket)).path) == bucket, "a Path made of an address has lost a slash"


def test_what_is_replaced_is_read_anew(memory, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), memory, shard_sites=2)
    before = Screen.open(memory).features(["P1/A01/1"])
    shards = Shards(memory, make_model().card.encoder_hash, "P1")
    twice = [SiteResult(site, 2 * result.features) for site, result in shards.results(0).items()]
    shards.write(0, read_plan(memory, "P1"), twice)
    np.testing.assert_array_equal(Screen.open(memory).features(["P1/A01/1"]), 2 * before)


def test_damage_is_named_and_made_again(memory, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), memory, shard_sites=2)
    shard = next(memory.glob("fields/*/P1/shard-00001.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-5])
    assert [finding.path.name for finding in check_screen(memory)] == ["shard-00001.parquet"]
    encode(make_plate(), None, make_model(), memory, shard_sites=2)
    assert shard.read_bytes() == content


def test_parts_share_a_screen_in_a_store(memory, tmp_path, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), tmp_path / "whole", shard_sites=2)
    for number in (2, 1, 3):
        for _ in iter_encode(make_plate(), None, make_model(), memory, shard_sites=2, part=(number, 3)):
            pass
    assert files(memory) == files(tmp_path / "whole")


@pytest.mark.parametrize("place", ["memory", "bucket"])
def test_one_run_holds_the_lock_and_a_killed_one_leaves_it(place, request, make_plate, make_model) -> None:
    folder = screen_folder(request.getfixturevalue(place))
    first, second = WriteLock(folder), WriteLock(folder)
    with first.now():
        with (
            pytest.raises(
                ScreenError, match=rf"is writing into .*delete|if that run has ended, delete .*{LOCK}"
            ),
            second.now(),
        ):
            pass
        with pytest.raises(ScreenError, match="a run of this program is writing"):
            next(iter_encode(make_plate(), None, make_model(), folder))
    with second.now():
        assert exists(folder / LOCK)
    assert not exists(folder / LOCK)


def test_a_killed_run_of_the_same_number_is_another_run(memory, monkeypatch) -> None:
    """In a container that is started again, host and process number are those of the run that was killed."""
    with monkeypatch.context() as before:
        before.setattr(lock, "_RUN", "0123abcd")
        assert WriteLock(memory)._taken()
    waiting = WriteLock(memory).wait()
    assert f"if that run has ended, delete {memory / LOCK}" in next(waiting).message
    waiting.close()


@pytest.mark.parametrize("place", ["memory", "bucket"])
def test_of_many_who_want_the_lock_one_gets_it(place, request) -> None:
    folder = screen_folder(request.getfixturevalue(place))
    locks, got = [WriteLock(folder) for _ in range(8)], []
    threads = [Thread(target=lambda mine=mine: got.append(mine._taken())) for mine in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_a_store_that_is_busy_is_asked_again(bucket, s3, tmp_path, make_plate, make_model) -> None:  # noqa: F811
    encode(make_plate(), None, make_model(), tmp_path / "local", shard_sites=2)
    failed: list[str] = []

    def fault(method: str, path: str, count: int) -> str | None:
        fail = sum(s3.asked.values()) % 3 == 0
        failed.extend([method] if fail else [])
        return ("busy", "hang up", "error", "throttled")[len(failed) % 4] if fail else None

    s3.fault = fault
    encode(make_plate(), None, make_model(), bucket, shard_sites=2)
    assert {"GET", "HEAD", "PUT"} <= set(failed)
    there = Screen.open(bucket)
    assert len(there.wells) == 3
    s3.fault = lambda method, path, count: None
    assert files(screen_folder(bucket)) == files(tmp_path / "local")
    s3.fault = lambda method, path, count: "busy"
    with pytest.raises(ScreenError, match="busy"):
        Screen.open(bucket)
    with pytest.raises(ScreenError, match=r"cannot be written: the store of s3://.*busy"):
        write_whole(screen_folder(bucket) / "x", b"1")


def test_places_that_are_none(tmp_path, monkeypatch, make_plate, make_model) -> None:
    assert screen_folder("a/b") == Path("a/b")
    for place in ("https://host/screen", "cpg://cpg0016-jump/x", "s3://bucket/../x"):
        with pytest.raises(ScreenError):
            screen_folder(place)
    with pytest.raises(ScreenError, match="is no screen"):
        Screen.open(upath.UPath("memory://nowhere/at/all"))
    assert names_in(upath.UPath("memory://nowhere/at/all")) == names_in(tmp_path / "none") == []
    import sys

    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ScreenError, match=r"napari-cellclip\[remote\]"):
        screen_folder("s3://bucket/screen")


def test_addresses_are_of_the_address_given() -> None:
    """What is shown to a user can be given again."""
    assert urlsplit(str(screen_folder("s3://bucket/a b/screen"))).netloc == "bucket"
