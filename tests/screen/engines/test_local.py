"""The engine: memory bounded in bytes, several devices, and closing within a batch."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
import torch

from napari_cellclip.model.pixel_encoder import PixelEncoder
from napari_cellclip.screen import Screen, encode, iter_encode
from napari_cellclip.screen.engines import local
from napari_cellclip.screen.engines.read_ahead import read_ahead
from tests.tiny import tiny_model

FIELD = 5 * 20 * 24 * 2
"""Bytes of a field of a plate in memory."""


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("shard-*.parquet"))}


@pytest.mark.parametrize("budget", [1, FIELD, 3 * FIELD, 100 * FIELD])
def test_no_more_waits_than_memory_allows(make_plate, budget) -> None:
    plate = make_plate(sites=9)
    ahead = read_ahead(plate.sites, workers=2, most_bytes=budget)
    for number, _ in enumerate(ahead, start=1):
        # Read and not yet handed out, at the most: what fits, or one a thread before the first is known.
        assert len(plate.reads) - number <= max(2, budget // FIELD)


def test_a_shard_is_encoded_in_chunks_of_bounded_size(tmp_path, make_plate, make_model, monkeypatch) -> None:
    monkeypatch.setattr(local, "CHUNK_BYTES", 2 * FIELD)
    model = make_model()
    encode(make_plate(), None, model, tmp_path / "a", shard_sites=5)
    assert model.batches == [2, 2, 1, 2, 2]
    whole = make_model()
    monkeypatch.undo()
    encode(make_plate(), None, whole, tmp_path / "b", shard_sites=5)
    assert whole.batches == [5, 4]
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_two_devices_write_what_one_writes(tmp_path, make_plate, monkeypatch) -> None:
    encode(make_plate(), None, tiny_model(), tmp_path / "one", shard_sites=2)
    used = set()

    def two(encoder: PixelEncoder) -> list[PixelEncoder]:
        both = [encoder, PixelEncoder(encoder.card, copy.deepcopy(encoder.network), encoder.device, 20)]
        met = threading.Barrier(2, timeout=20)  # breaks where the second waits for the first
        for number, each in enumerate(both):
            own = each.features

            def features(*given, number=number, own=own):
                if number not in used:
                    used.add(number)
                    met.wait()
                return own(*given)

            monkeypatch.setattr(each, "features", features)
        return both

    monkeypatch.setattr(PixelEncoder, "on_all_devices", two)
    encode(make_plate(), None, tiny_model(), tmp_path / "two", shard_sites=2)
    assert used == {0, 1}
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_closed_run_stops_within_a_batch_and_goes_on(tmp_path, make_plate, monkeypatch) -> None:
    model = tiny_model(batch_size=5)  # a crop at a time
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # as many batches are begun at once
    calls, reached, closing = [], threading.Event(), threading.Event()
    launch = model.pixels._launch

    def slowly(network, crops):
        calls.append(len(crops))
        if len(calls) == 2:
            reached.set()
            closing.wait(20)
        return launch(network, crops)

    monkeypatch.setattr(model.pixels, "_launch", slowly)
    run = iter_encode(make_plate(), None, model, tmp_path / "s", heartbeat=0.01)
    for step in run:
        if step.message == "encoding" and reached.is_set():
            break
    threading.Timer(0.2, closing.set).start()
    run.close()
    assert reached.is_set()
    assert len(calls) <= 3  # the batch that had begun, of many
    monkeypatch.undo()
    encode(make_plate(), None, model, tmp_path / "s")
    encode(make_plate(), None, tiny_model(batch_size=5), tmp_path / "whole")
    assert files(tmp_path / "s") == files(tmp_path / "whole")


def test_without_a_heartbeat_only_shards_are_reported(tmp_path, make_plate, make_model) -> None:
    steps = list(iter_encode(make_plate(), None, make_model(), tmp_path / "s", shard_sites=3))
    assert [step.done for step in steps if step.stage == "fields"] == [3, 6, 9]
    assert np.isfinite(Screen.open(tmp_path / "s").embeddings).all()
