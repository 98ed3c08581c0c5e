"""Thumbnails on the canvas: at their places, or on a grid where they would pile up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from napari_cellclip.gui.canvas.map_mosaic import (
    FILLED,
    LARGEST,
    SMALLEST,
    THUMBNAIL,
    draw_mosaic,
    lay_out,
    lay_out_plate,
)
from napari_cellclip.vocabulary import PLATE_SHAPES, row_letters
from tests.gui.toy_screens import FakeScreen


def test_thumbnails_with_room_keep_their_places():
    xy = np.array([(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)])
    laid = lay_out(xy)
    assert (laid.size, laid.tile) == (SMALLEST, THUMBNAIL)
    steps = laid.centres - laid.centres[0]
    assert steps[1][0] == steps[2][1] == pytest.approx(0)
    assert steps[1][1] == pytest.approx(-steps[2][0]), "y is up on the map and down in the picture"


@pytest.mark.parametrize("n", [30, 384, 3000])
def test_a_pile_is_spread_to_a_grid_within_one_texture(n):
    xy = np.random.default_rng(0).normal(size=(n, 2)) * 0.01
    xy[0] = 5
    laid = lay_out(xy)
    assert pdist(laid.centres, "chebyshev").min() >= laid.tile
    assert laid.size <= LARGEST
    assert laid.centres.min() >= laid.tile / 2
    assert laid.centres.max() <= laid.size - laid.tile / 2
    assert laid.tile >= 24


@pytest.mark.parametrize("n", [24, 96, 384])
def test_thumbnails_of_far_clusters_are_large_enough_to_see(n):
    """Two crowds far apart made pictures of which a thumbnail was a hundredth."""
    rng = np.random.default_rng(1)
    xy = rng.normal(size=(n, 2)) * 0.1 + rng.integers(0, 2, (n, 1)) * 20
    laid = lay_out(xy)
    assert n * laid.tile**2 / laid.size**2 >= 0.25 * FILLED
    assert pdist(laid.centres, "chebyshev").min() >= laid.tile
    left = xy[:, 0] < 10
    assert laid.centres[left, 1].max() < laid.centres[~left, 1].min(), "crowds stay apart"


@pytest.mark.parametrize("count", PLATE_SHAPES)
def test_a_plate_is_laid_out_row_by_row_with_letters_and_numbers(count):
    rows, columns = PLATE_SHAPES[count]
    at = np.divmod(np.arange(count), columns)
    laid = lay_out_plate(*at, PLATE_SHAPES[count])
    steps = np.diff(laid.centres.reshape(rows, columns, 2), axis=1)
    assert (steps[..., 1] > laid.tile).all()
    assert (steps[..., 0] == 0).all()
    assert [text for text, *_ in laid.labels] == [
        *(row_letters(row) for row in range(rows)), *(str(c + 1) for c in range(columns))
    ]  # fmt: skip
    label = {text: at for text, *at in laid.labels}
    assert label[row_letters(rows - 1)][0] == laid.centres[-1, 0]
    assert label[str(columns)][1] == laid.centres[-1, 1]
    places = np.array([at for _, *at in laid.labels])
    assert places.min() >= laid.tile / 2
    assert max(places.max(), laid.centres.max()) <= laid.size - laid.tile / 2
    assert laid.size <= LARGEST


def test_letters_of_a_plate_are_written(plate, qapp):
    screen = FakeScreen.of(plate)
    ids = list(screen.wells.index)
    laid = lay_out_plate(np.zeros(len(ids), int), np.arange(len(ids)), (1, len(ids)))
    picture = draw_mosaic(screen, ids, laid)[-1]
    for _, row, column in laid.labels:
        near = picture[int(row) - 16 : int(row) + 16, int(column) - 16 : int(column) + 16, 0]
        assert near.max() > 200, "white on black"


def test_none_and_one():
    assert lay_out(np.zeros((0, 2))).centres.shape == (0, 2)
    assert lay_out(np.zeros((1, 2))).centres.tolist() == [[SMALLEST / 2, SMALLEST / 2]]


def test_every_well_is_seen_in_the_picture(plate):
    screen = FakeScreen.of(plate)
    ids = list(screen.wells.index)
    laid = lay_out(np.zeros((len(ids), 2)))
    picture = draw_mosaic(screen, ids, laid)[-1]
    for identifier, (row, column) in zip(ids, laid.centres.astype(int), strict=True):
        assert picture[row, column, 0] == screen.preview(identifier)[0, 0, 0]


def test_sharper_levels_are_drawn_where_they_are_looked_at_and_agree_with_the_picture(plate):
    screen = FakeScreen.of(plate)
    ids = list(screen.wells.index)
    laid = lay_out(np.random.default_rng(0).normal(size=(len(ids), 2)))
    sharp, picture = draw_mosaic(screen, ids, laid)
    assert sharp.shape == (2 * laid.size, 2 * laid.size, 4)
    read = []
    preview = screen.preview
    screen.preview = lambda well: read.append(well) or preview(well)
    row, column = (2 * laid.centres[3]).astype(int)
    part = sharp[row - 20 : row + 20, column - 30 : column + 30]
    assert part.shape == (40, 60, 4)
    assert set(part[15:25, 25:35, 0].ravel()) == {preview(ids[3])[0, 0, 0]}
    assert 1 <= len(read) < len(ids), "only what is in sight is read"
    whole = np.asarray(sharp)
    assert whole.shape == sharp.shape
    np.testing.assert_array_equal(whole[row - 20 : row + 20, column - 30 : column + 30], part)
    np.testing.assert_array_equal(sharp[5:55:3, ::7, 1], whole[5:55:3, ::7, 1])
    np.testing.assert_array_equal(sharp[row], whole[row])
    differ = np.abs(whole[::2, ::2].astype(int) - picture).max(axis=-1) > 0
    assert differ.mean() < 0.02, "the same picture, but for edges of half a pixel"
