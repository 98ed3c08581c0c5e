"""Which pages of a TIFF file belong to a channel, against all pages written down one by one."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates.images.tiff_metadata import TiffAxes

sizes = st.integers(1, 4)


@pytest.mark.parametrize("order", ["".join(axes) for axes in permutations("CZT")])
@given(channels=sizes, depth=sizes, times=sizes)
def test_pages_of_a_channel_are_its_planes_at_the_first_time(
    order: str, channels: int, depth: int, times: int
) -> None:
    length = {"C": channels, "Z": depth, "T": times}
    # The last axis of the order is the slowest, as the first of a nested loop.
    pages = [
        dict(zip(order[::-1], i, strict=True)) for i in product(*(range(length[a]) for a in order[::-1]))
    ]
    axes = TiffAxes(channels, depth, times, order)
    for channel in range(channels):
        planes = [pages[page] for page in axes.pages(channel)]
        assert planes == [{"C": channel, "Z": z, "T": 0} for z in range(depth)]


def test_channels_that_are_samples_share_a_page() -> None:
    assert [TiffAxes(channels=3, samples=True).pages(c) for c in range(3)] == [[0], [1], [2]]
