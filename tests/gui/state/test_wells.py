"""The well table and its colours: pure functions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_cellclip.gui.palette import UNKNOWN, ColourScale, ramp
from napari_cellclip.gui.state.wells import COLUMNS, edge_medians, grid_of, shape_of, well_table
from tests.gui.toy_screens import FakeScreen, answer_for


def test_table_of_a_plate_alone(plate):
    table = well_table(plate)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 11
    assert table["imaged"].all()
    assert not table["encoded"].any()
    assert (table["treatment"] == "").all()
    assert table["score"].isna().all()


def test_plate_map_names_treatments_and_controls(plate, platemap):
    table = well_table(plate, platemap)
    assert table.loc["toy/C06", "treatment"] == "nocodazole 1 µM"
    assert list(table["control"]).count("negcon") == 2
    assert table.loc["toy/C06", "control"] == "poscon"


def test_scores_are_joined_by_id_not_by_position(plate, platemap):
    screen = FakeScreen.of(plate)
    answer = answer_for(screen, {"toy/C06": 9.0})
    answer = dataclasses.replace(answer, scores=answer.scores.sample(frac=1, random_state=0))
    table = well_table(plate, platemap, screen, answer)
    assert table["score"].idxmax() == "toy/C06"
    assert table.loc["toy/C06", "cosine"] == pytest.approx(0.09)


def test_screen_alone_places_its_wells(plate):
    table = well_table(screen=FakeScreen.of(plate))
    assert not table["imaged"].any()
    assert table["encoded"].all()
    assert tuple(table.loc["toy/E07", ["row", "column"]]) == (4, 6)


def test_empty_session_has_an_empty_table():
    table = well_table()
    assert len(table) == 0
    assert shape_of(table) == (8, 12)


def test_grid_and_medians(plate, platemap):
    screen = FakeScreen.of(plate)
    scores = {w.id: 10.0 * w.row + w.column for w in plate.wells}
    table = well_table(plate, platemap, screen, answer_for(screen, scores))
    grid = grid_of(table, (8, 12))
    assert grid[4, 6] == 46
    assert np.isnan(grid[3, 4])
    rows, columns = edge_medians(grid)
    assert rows[3] == np.median([33, 35, 36])
    assert columns[4] == np.median([24, 44])
    assert np.isnan(rows[0])


def test_what_matches_is_coloured_and_the_rest_grey():
    scale = ColourScale(-2.0, 10.0, threshold=3.0)
    rgb = scale.colours(np.array([-2.0, 2.9, 3.0, 10.0, np.nan]))
    chroma = rgb.max(axis=1).astype(int) - rgb.min(axis=1)
    assert list(chroma[:2]) == [0, 0]
    assert (chroma[2:4] > 20).all()
    assert tuple(rgb[3]) == tuple(ramp()[255])
    assert tuple(rgb[4]) == UNKNOWN


def test_the_ramp_rises_in_lightness():
    lightness = ramp() @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness[::16]) > 0).all()


@pytest.mark.parametrize("values", [[], [np.nan], [1.0], [2.0, 2.0]])
def test_scale_of_little_or_nothing(values):
    scale = ColourScale.spanning(np.array(values, float), threshold=3.0)
    assert scale.high > scale.low
    assert scale.colours(np.array(values, float)).shape == (len(values), 3)
