"""The batch stops growing where a crop gets no cheaper, or memory ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.model.encoders.batch_size import MOST_CROPS, useful_batch


def device(overhead: float, memory: int):
    """Seconds of a batch on a device that needs a fixed time for each call and has room for some crops."""
    return lambda crops: overhead + crops if crops <= memory else None


@pytest.mark.parametrize(
    ("overhead", "memory", "expected"),
    [
        (0, 10**6, 64),  # nothing is gained from the start
        (64, 10**6, 1024),  # a crop costs 1 + 64 / n: doubling gains 5 % up to n of about 550
        (10**6, 10**6, MOST_CROPS),
        (10**6, 300, 256),  # memory ends
        (0, 20, 16),  # the first does not fit
        (0, 0, 1),
    ],
)
def test_where_it_stops(overhead, memory, expected) -> None:
    assert useful_batch(device(overhead, memory), start=64) == expected


@given(st.floats(0, 1e4), st.integers(1, 5000), st.sampled_from([8, 64, 100]))
def test_it_fits_and_doubling_gains_little(overhead, memory, start) -> None:
    seconds = device(overhead, memory)
    found = useful_batch(seconds, start)
    assert found <= memory
    twice = seconds(2 * found)
    if found >= start and twice is not None and 2 * found <= MOST_CROPS:
        assert 2 * seconds(found) < 1.05 * twice
