"""Results come in the order of jobs, whoever is faster; errors at their place; nothing runs after closing."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellclip.screen.engines.in_order import in_order


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 20), st.integers(1, 4))
def test_every_job_once_and_in_order(jobs: int, workers: int) -> None:
    found = list(in_order(range(jobs), lambda worker, job: (worker, job * 2), list(range(workers))))
    assert [job for job, _ in found] == list(range(jobs))
    assert [doubled for _, (_, doubled) in found] == [2 * job for job in range(jobs)]
    assert {worker for _, (worker, _) in found} <= set(range(workers))


def test_workers_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)  # breaks where one job waits for the other
    found = list(in_order("ab", lambda worker, job: both.wait() >= 0, ["gpu 0", "gpu 1"]))
    assert [job for job, _ in found] == ["a", "b"]


def test_a_worker_does_one_job_at_a_time() -> None:
    busy = {"gpu 0": threading.Lock(), "gpu 1": threading.Lock()}

    def work(worker: str, job: int) -> None:
        assert busy[worker].acquire(blocking=False)
        busy[worker].release()

    assert len(list(in_order(range(50), work, list(busy)))) == 50


def test_one_job_more_than_workers_is_drawn_ahead() -> None:
    drawn: list[int] = []

    def jobs():
        for number in range(9):
            drawn.append(number)
            yield number

    steps = in_order(jobs(), lambda worker, job: job, ["cpu"])
    assert next(steps) == (0, 0)
    assert drawn == [0, 1]
    steps.close()
    assert drawn == [0, 1]


def test_an_error_comes_at_its_place_and_ends_it() -> None:
    def work(worker: str, job: int) -> int:
        if job == 2:
            raise ValueError("two")
        return job

    steps = in_order(range(5), work, ["cpu"])
    assert [next(steps), next(steps)] == [(0, 0), (1, 1)]
    with pytest.raises(ValueError, match="two"):
        next(steps)
    assert list(steps) == []


def test_a_timeout_of_a_job_is_its_error() -> None:
    def work(worker: str, job: int) -> int:
        raise TimeoutError("the network drive")

    with pytest.raises(TimeoutError, match="network drive"):
        list(in_order([1], work, ["cpu"], heartbeat=60))


def test_it_beats_while_a_job_takes_its_time_and_closing_waits() -> None:
    go_on, ended = threading.Event(), []

    def work(worker: str, job: int) -> int:
        go_on.wait(20)
        ended.append(job)
        return job

    steps = in_order(count(), work, ["cpu"], heartbeat=0.01)
    assert [next(steps) for _ in range(3)] == [None] * 3
    threading.Timer(0.2, go_on.set).start()
    steps.close()
    assert ended == [0]  # the one that had begun; the one drawn ahead never began
