"""Incucyte names: made folders under names as the instrument gives them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.plates import detect_layout, open_plate
from napari_cellclip.plates.layouts.named import incucyte
from napari_cellclip.vocabulary import StainError, well_name
from tests.plates.made_plates import image


@pytest.fixture
def folder(tmp_path):
    for value, (word, stamp) in enumerate(
        (w, t) for w in ("Phase", "Green") for t in ("00d02h00m", "00d00h00m", "01d00h00m")
    ):
        (tmp_path / "P" / word).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / "P" / word / f"VID12_B2_1_{stamp}.tif", image(100 * value))
    return tmp_path / "P"


def test_time_points_are_ordered_and_the_first_is_opened(folder):
    assert detect_layout(folder) == "incucyte"
    plate = open_plate(folder, channels={"ER": "Green"})
    assert [s.id for s in plate.sites] == ["P/B02/1"]
    assert list(plate.stains.ignored) == ["Phase"]
    assert any("time point 1 of 3" in p.what for p in plate.problems)
    np.testing.assert_array_equal(plate.sites[0].read(["ER"])[0], image(400))
    np.testing.assert_array_equal(
        open_plate(folder, channels={"ER": "Green"}, time=2).sites[0].read(["ER"])[0], image(300)
    )


def test_a_colour_is_no_stain_until_the_user_says_so(folder):
    plate = open_plate(folder)
    assert plate.stains.unmapped == ("Green",)
    with pytest.raises(StainError, match="do not say which stain Green shows"):
        plate.require_stains()


@given(
    st.integers(0, 31),
    st.integers(0, 47),
    st.integers(1, 99),
    st.sampled_from(["Green", "Red", "NIR", "Phase"]),
)
def test_names_are_taken_apart_as_they_were_put_together(row, column, site, word):
    well = well_name(row, column)
    found = incucyte.read_name(f"P/Plate 1_{word}_{well}_{site}_2023y05m01d_12h30m.tif")
    assert found is not None
    assert (found.well, found.site, found.channels) == (well, site, (word,))
    assert found.stamp == (2023, 5, 1, 12, 30)
