"""Batches beside one another come out in order, bounded in number, and as they would one by one."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterator
from threading import Event, Thread, get_ident
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_cellclip.model import IntensityStats, SmallEncoder
from napari_cellclip.model.card import EncoderCard
from napari_cellclip.model.encoders.batches_ahead import alone, on_each_core, one_behind
from napari_cellclip.model.pixel_encoder import CORE_BATCH, PixelEncoder
from tests.tiny import tiny_card


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let torch have so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order_from_as_many_threads(threads: int) -> None:
    seen = set()
    all_at_work, count = Event(), []

    def encode(number: int) -> int:
        seen.add(get_ident())
        count.append(number)
        if len(count) >= threads:
            all_at_work.set()
        assert all_at_work.wait(30)
        return number**2

    assert list(on_each_core(range(9), encode)) == [n**2 for n in range(9)]
    assert len(seen) == threads


def test_a_worker_has_one_thread_and_all_others_keep_theirs(threads: int) -> None:
    assert alone(torch.get_num_threads) == 1
    assert torch.get_num_threads() == threads
    later: list[int] = []
    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_few_are_drawn_ahead(threads: int) -> None:
    drawn: list[int] = []
    batches = (drawn.append(n) or n for n in range(99))  # type: ignore[func-returns-value]
    results = on_each_core(batches, lambda n: n)
    assert next(results) == 0
    assert len(drawn) == (1 if threads == 1 else threads + 1)
    results.close()
    assert len(drawn) <= threads + 1


def test_an_error_is_raised_at_its_place(threads: int) -> None:
    def encode(n: int) -> float:
        return 1 / (n - 2)

    results = on_each_core(range(5), encode)
    assert [next(results), next(results)] == [-0.5, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_waits_for_what_has_begun() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    begun, go_on, done = Event(), Event(), []

    def encode(n: int) -> int:
        if n:
            begun.set()
            assert go_on.wait(30)
            done.append(n)
        return n

    results = on_each_core(range(9), encode)
    assert next(results) == 0
    assert begun.wait(30)
    go_on.set()
    results.close()
    torch.set_num_threads(before)
    assert done
    assert len(done) <= 2


def test_a_gpu_has_the_next_batch_before_the_last_is_fetched() -> None:
    calls: list[str] = []

    def launch(batch: int) -> int:
        calls.append(f"launch {batch}")
        return batch

    for result in one_behind([1, 2, 3], launch):
        calls.append(f"fetch {result}")
    assert calls == ["launch 1", "launch 2", "fetch 1", "launch 3", "fetch 2", "fetch 3"]
    assert list(one_behind([], launch)) == []


def test_features_are_read_when_the_gpu_says_so_with_the_next_batch_on_its_way(monkeypatch) -> None:
    """A GPU of pretence: the order of calls is that of a real one."""
    calls: list[str] = []

    class Elsewhere(SmallEncoder):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            calls.append("launch")
            return super().forward(images)

    class Event:
        def synchronize(self) -> None:
            calls.append("wait")

    card = tiny_card(encoder=EncoderCard(kind="small", name="s", dim=8))
    encoder = PixelEncoder(card, Elsewhere(8, (4,), (1,)).eval(), torch.device("cpu"), batch_size=10)
    crops = np.random.default_rng(0).integers(0, 4000, (5, 5, 32, 32), np.uint16)
    scaler = encoder.scaler(IntensityStats.measure(crops, card.intensity))
    slow = np.concatenate(list(encoder.iter_crops(crops, scaler)))
    calls.clear()
    monkeypatch.setattr(encoder, "device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(encoder, "_to_device", torch.from_numpy)
    stream = SimpleNamespace(record_event=Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    found = np.concatenate(list(encoder.iter_crops(crops, scaler)))
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert calls == ["launch", "launch", "wait", "launch", "wait", "wait"]


def test_features_do_not_depend_on_the_number_of_cores() -> None:
    """To the last digit: a batch is what it is, and one thread computes it."""
    torch.manual_seed(0)
    card = tiny_card(encoder=EncoderCard(kind="small", name="s", dim=128))
    encoder = PixelEncoder(card, SmallEncoder().eval(), torch.device("cpu"))
    assert encoder.batch_size == CORE_BATCH
    fields = np.random.default_rng(0).integers(0, 4000, (4, 5, 150, 190), np.uint16)
    stats = IntensityStats.measure(fields, card.intensity)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found.append(encoder.features(list(fields), stats))
    torch.set_num_threads(before)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_large_encoders_take_one_crop_a_core(monkeypatch) -> None:
    card = tiny_card(encoder=EncoderCard(kind="small", name="s", dim=8))
    network = SmallEncoder(8, (4,), (1,)).eval()
    encoder = PixelEncoder(card, network, torch.device("cpu"))
    crops = np.zeros((8, 5, 32, 32), np.uint16)
    scaler = encoder.scaler(IntensityStats.measure(crops + np.arange(32, dtype=np.uint16), card.intensity))

    def sizes() -> list[int]:
        return [len(features) for features in encoder.iter_crops(crops, scaler)]

    assert sizes() == [4, 4]
    monkeypatch.setattr("napari_cellclip.model.pixel_encoder.LARGE", 100)
    assert sizes() == [1] * 8
    encoder.batch_size = 40
    assert sizes() == [8]


FAULTS = """
import resource, threading, torch
from napari_cellclip.model.encoders.batches_ahead import keep_freed_memory

def work():
    for _ in range(20):
        maps = [torch.zeros(2**18) for _ in range(5)]  # 1 MiB each, as the layers of a network
        del maps

keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library of Linux gives memory back")
def test_memory_of_a_layer_is_not_taken_anew_page_by_page() -> None:
    call = [sys.executable, "-c", FAULTS]
    faults = int(subprocess.run(call, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert faults < 30_000  # of 128,000 pages; 80,000 where nothing is kept
