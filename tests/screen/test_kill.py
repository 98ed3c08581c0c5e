"""A run that is killed, and one that is cut off while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from napari_cellclip.screen import Screen, encode
from napari_cellclip.vocabulary import ScreenError

RUN = """
import sys, time
from napari_cellclip.vocabulary import ScreenError
from tests.screen.conftest import FakeModel, MemoryPlate, card
from napari_cellclip.screen import encode

class Killed(FakeModel):
    def features(self, fields, *given):
        while len(self.batches) == int(sys.argv[2]):  # waits for its end, however busy the machine is
            time.sleep(1)
        return super().features(fields, *given)

wells = [f"{r}{c:02d}" for r in "ABCD" for c in range(1, 6)]
encode(MemoryPlate(wells=wells, sites=2, broken=["P1/B02/1"]), None, Killed(card()), sys.argv[1], shard_sites=2)
"""
SHARDS = 20
REPOSITORY = Path(__file__).parents[2]


def shards(folder: Path) -> dict[str, tuple[int, int]]:
    """Finished shards with inode and time."""
    found = folder.glob("fields/*/*/shard-*.parquet")
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def start(out: Path, batches: int = SHARDS) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(out), str(batches)], cwd=REPOSITORY)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
def test_killed_run_ends_as_an_uninterrupted_one_and_computes_nothing_twice(tmp_path) -> None:
    out = tmp_path / "killed"
    seen: dict[str, tuple[int, int]] = {}
    for wanted, batches in ((3, 6), (9, 9)):
        process = start(out, batches)
        deadline = time.monotonic() + 240
        while len(shards(out)) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        now = shards(out)
        assert wanted <= len(now) < SHARDS
        assert {name: now[name] for name in seen} == seen
        seen = now
    assert not list(out.glob("wells/**/*.parquet"))
    assert len(Screen.open(out).fields) >= 2 * 9 - 1

    assert start(out).wait() == 0
    assert len(shards(out)) == SHARDS
    assert {name: shards(out)[name] for name in seen} == seen

    assert start(tmp_path / "whole").wait() == 0
    names = {str(p.relative_to(out)) for p in out.rglob("*.parquet")}
    assert names == {str(p.relative_to(tmp_path / "whole")) for p in (tmp_path / "whole").rglob("*.parquet")}
    for name in names:
        killed, whole = (
            pq.read_table(folder / name, partitioning=None) for folder in (out, tmp_path / "whole")
        )
        assert killed.schema.equals(whole.schema), name
        # As frames: rows of failed sites are NaN, which are equal here and not in Arrow.
        pd.testing.assert_frame_equal(killed.to_pandas(), whole.to_pandas(), check_exact=True, obj=name)
    assert (out / "screen.json").read_bytes() == (tmp_path / "whole" / "screen.json").read_bytes()


@pytest.mark.parametrize("fails_at", range(8))
def test_disk_that_fills_up_at_any_file_leaves_nothing_half_written(
    tmp_path, make_plate, make_model, monkeypatch, fails_at
) -> None:
    whole = encode(make_plate(), None, make_model(), tmp_path / "whole", shard_sites=4)
    synced, count = os.fsync, iter(range(100))

    def fsync(handle: int) -> None:
        if next(count) == 2 * fails_at:  # each file is synced, then its folder
            raise OSError(28, "No space left on device")
        synced(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ScreenError, match="No space"):
            encode(make_plate(), None, make_model(), tmp_path / "s", shard_sites=4)
    for path in (tmp_path / "s").rglob("[!.]*.parquet"):
        pq.read_table(path, partitioning=None)
    screen = encode(make_plate(), None, make_model(), tmp_path / "s", shard_sites=4)
    assert (screen.embeddings == whole.embeddings).all()
    assert not [p for p in (tmp_path / "s").rglob(".*") if p.is_file() and p.name != ".lock"]
