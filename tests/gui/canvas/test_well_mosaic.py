"""Sites of a well as one picture."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellclip.gui.canvas.well_mosaic import corners, read_mosaic
from napari_cellclip.vocabulary import STAINS, PlateError


def site(value, position=None, shape=(4, 6)):
    def read(stains):
        if value is None:
            raise PlateError("cut off")
        return np.full((len(stains), *shape), value, np.uint16)

    return SimpleNamespace(position=position, shape=shape, read=read)


def test_positions_in_micrometres_count_upwards_and_rows_downwards():
    found = corners([(0.0, 0.0), (8.0, 0.0), (0.0, 12.0)], (4, 6), 2.0)
    assert found.tolist() == [[4, 0], [0, 0], [4, 6]]


@pytest.mark.parametrize("pixel_size", [None, 2.0])
def test_sites_without_positions_stand_in_reading_order(pixel_size):
    assert corners([None] * 5, (4, 6), pixel_size).tolist() == [[0, 0], [0, 6], [0, 12], [4, 0], [4, 6]]


def test_positions_that_cannot_be_are_not_believed():
    far = [(0.0, 0.0), (0.0, 5e6)]
    assert corners(far, (4, 6), 1.0).tolist() == [[0, 0], [0, 6]]


def test_a_site_that_cannot_be_read_stays_black_and_is_counted():
    sites = [site(5, (0.0, 0.0)), site(None, (0.0, 6.0)), site(7, (-4.0, 0.0))]
    picture, step, problems = read_mosaic(sites, STAINS[:2], 1.0)
    assert picture.shape == (2, 8, 12)
    assert (picture[:, :4, :6] == 5).all()
    assert (picture[:, :4, 6:] == 0).all()
    assert (picture[:, 4:, :6] == 7).all()
    assert (step, problems) == (1, ["cut off"])
    with pytest.raises(PlateError, match="cut off"):
        read_mosaic([site(None)], STAINS, None)


def test_large_mosaics_are_thinned():
    sites = [site(n, shape=(3000, 3000)) for n in range(1, 5)]
    picture, step, _ = read_mosaic(sites, STAINS[:1], None)
    assert step == 2
    assert picture.shape == (1, 3000, 3000)
    assert [int(picture[0, y, x]) for y, x in ((10, 10), (10, 2990), (2990, 10), (2990, 2990))] == [
        1,
        2,
        3,
        4,
    ]
