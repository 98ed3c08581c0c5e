"""Two runs that write into one screen: one waits for the other, and both plates arrive."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_cellclip.screen import Screen, encode, iter_encode
from napari_cellclip.screen.imports.features import MeasuredPlate, write_features
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.screen.storage.lock import LOCK, WRITER, WriteLock
from napari_cellclip.vocabulary import ScreenError
from tests.tiny import tiny_model

RUN = """
import sys, time
from tests.screen.conftest import FakeModel, MemoryPlate, card
from napari_cellclip.screen import iter_encode

class Slow(FakeModel):
    def features(self, fields, *given):
        time.sleep(0.1)
        return super().features(fields, *given)

steps = iter_encode(MemoryPlate(name=sys.argv[2]), None, Slow(card()), sys.argv[1], shard_sites=2)
sys.stdin.readline()  # imports take longer than this run: both begin when both can
for step in steps:
    print(step.message, flush=True)
"""
REPOSITORY = Path(__file__).parents[2]


def start(out: Path, plate: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(out), plate],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_plates_encoded_at_once_both_arrive(tmp_path) -> None:
    out = tmp_path / "screen"
    runs = [start(out, plate) for plate in ("P1", "P2")]
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    messages = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    screen = Screen.open(out)
    assert sorted(screen.plates) == ["P1", "P2"]
    assert screen.complete
    assert len(screen.fields) == 18
    assert not list(out.rglob("*.tmp"))
    assert not (out / WRITER).exists()
    if any("waiting" in text for text in messages):  # which they need not, if one began after the other
        assert f"on {socket.gethostname()}, process" in "".join(messages)


def test_a_run_waits_and_says_for_whom(tmp_path, make_plate, make_model) -> None:
    lock = WriteLock(tmp_path)
    assert list(lock.wait()) == []
    pretend = (tmp_path / WRITER).read_text().replace(f":{os.getpid()}", ":1")
    write_whole(tmp_path / WRITER, pretend.encode())
    steps = iter_encode(make_plate(), None, make_model(), tmp_path)
    assert f"on {socket.gethostname()}, process {os.getpid()}, since 20" in next(steps).message
    timer = threading.Timer(0.1, lock.release)
    timer.start()
    assert not [step for step in steps if step.failures]
    timer.join()
    assert Screen.open(tmp_path).complete


def test_a_waiting_run_may_be_closed(tmp_path, make_plate, make_model) -> None:
    lock = WriteLock(tmp_path)
    with lock.now():
        (tmp_path / WRITER).unlink()
        steps = iter_encode(make_plate(), None, make_model(), tmp_path)
        assert "somebody on some computer" in next(steps).message
        steps.close()
        assert not (tmp_path / "screen.json").exists()
    encode(make_plate(), None, make_model(), tmp_path)


def test_a_second_run_of_one_process_is_refused_not_left_to_wait_for_itself(
    tmp_path, make_plate, make_model
) -> None:
    first = iter_encode(make_plate(), None, make_model(), tmp_path)
    next(first)
    with pytest.raises(ScreenError, match="a run of this program is writing into"):
        encode(make_plate("P2"), None, make_model(), tmp_path)
    first.close()
    assert sorted(encode(make_plate("P2"), None, make_model(), tmp_path).plates) == ["P2"]


def test_a_lock_that_a_killed_run_left_is_none(tmp_path, make_plate, make_model) -> None:
    (tmp_path / LOCK).touch()
    (tmp_path / WRITER).write_text('{"owner": "ann", "host": "far", "pid": 7, "time": "2026-01-01"}')
    assert encode(make_plate(), None, make_model(), tmp_path).complete


def test_an_import_is_refused_while_a_run_writes(tmp_path) -> None:
    model = tiny_model()
    plate = MeasuredPlate("P1", ("P1/A01/1",), np.ones((1, 5, model.card.encoder.dim), np.float32))
    with WriteLock(tmp_path).now(), pytest.raises(ScreenError, match="try again when it has ended"):
        write_features(tmp_path, model.card, [plate])
    assert list(write_features(tmp_path, model.card, [plate]).plates) == ["P1"]


def test_what_a_killed_run_had_not_finished_writing_is_removed(tmp_path, make_plate, make_model) -> None:
    encode(make_plate(), None, make_model(), tmp_path)
    left = tmp_path / "plates" / ".P1.parquet.123-0badcafe.tmp"
    left.touch()
    encode(make_plate(), None, make_model(), tmp_path)
    assert not left.exists()


def test_without_locks_of_the_system_the_message_names_the_file_to_delete(tmp_path, monkeypatch) -> None:
    from filelock import FileLock

    def acquire(self, **options):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with WriteLock(tmp_path).now():
        other = WriteLock(tmp_path)
        with pytest.raises(ScreenError, match=rf"if that run has ended, delete .*\{LOCK}"), other.now():
            pass
    with WriteLock(tmp_path).now():
        pass


def test_temporary_names_are_unique_and_go_when_writing_fails(tmp_path, monkeypatch) -> None:
    names = []
    real = os.replace

    def replace(source, target):
        names.append(Path(source).name)
        if len(names) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    for _ in range(2):
        write_whole(tmp_path / "a", b"1")
    with pytest.raises(ScreenError, match="a cannot be written"):
        write_whole(tmp_path / "a", b"2")
    assert len(set(names)) == 3
    assert all(f"-{os.getpid()}-" in name for name in names)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"
