"""The match heat map: heat on the canvas, strips of tiles, weights of fields."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QScrollArea

from napari_cellclip.explore.explanation.match_heat_map import FieldExplanation, MatchHeatMap
from napari_cellclip.explore.explanation.tile_scores import TileScores
from napari_cellclip.gui.canvas.heat_layer import HeatLayer
from napari_cellclip.gui.panels.explain.explain_panel import ExplainPanel
from napari_cellclip.gui.panels.explain.heat_map_panel import NO_REFERENCE, HeatMapPanel, attention_table
from napari_cellclip.gui.panels.explain.tile_strip import LARGEST, SMALLEST
from napari_cellclip.gui.state.explanations import FieldMatch
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.screen import Progress
from napari_cellclip.screen.storage.previews import composite
from napari_cellclip.screen.tiles.tiles import FieldTiles
from napari_cellclip.vocabulary import STAINS
from tests.gui.toy_screens import answer_for, contributions


def tiles_of(site, shades, size=8):
    """A row of tiles next to each other, each of one shade; features tell tiles apart."""
    picture = np.repeat(np.array(shades, np.uint8), size)[None, None].repeat(5, 0).repeat(size, 1)
    positions = np.array([[0, size * i, size] for i in range(len(shades))])
    features = np.stack([np.eye(5, 8) + i for i in range(len(shades))]).astype(np.float32)
    return FieldTiles(site, None, positions, features, picture)


def heat_map_of(site="toy/C06/1", scores=(0.5, 4.0, -1.0)):
    field = tiles_of(site, (40, 120, 200))
    values = np.array(scores)
    explained = FieldExplanation(
        TileScores(field, values / 10, values, ("Tiles are small.",)),
        MatchHeatMap(values[None].astype(np.float32), (8, 24)),
        (tiles_of("toy/C04/1", (10, 60)), tiles_of("toy/C05/2", (30,))),
    )
    sites = [f"toy/C06/{i}" for i in (1, 2)]
    attention = pd.DataFrame(
        [[0.25] * 5, [0.75] * 5], index=pd.Index(sites), columns=[str(s) for s in STAINS]
    )
    return FieldMatch(site, explained, attention)


@pytest.fixture
def panel(qtbot, full_session):
    panel = HeatMapPanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(500, 600)
    panel.show()
    return panel


def numbers(strip):
    return [tile.tile for tile in strip.tiles]


def test_strips_rank_the_tiles(panel):
    panel.session.show("toy/C06")
    panel.session.explanations.heat_map = heat_map_of()
    assert panel.value() is panel.session.explanations.heat_map
    assert numbers(panel.most)[0] == 1
    assert numbers(panel.least)[0] == 2
    assert sorted({*numbers(panel.most), *numbers(panel.least)}) == [0, 1, 2]
    assert panel.most.tiles[0].caption == "4.0"
    assert "C06, site 1" in panel.state.text()
    assert "Tiles are small." in panel.state.toolTip()
    assert panel.legend.value() == (-1.0, 4.0)


def test_tiles_are_as_large_as_the_window_leaves_room_for(panel, qtbot):
    """In a window of 1920 pixels they were as small as in one of 1280."""
    panel.session.show("toy/C06")
    panel.session.explanations.heat_map = heat_map_of()
    strips = (panel.most, panel.least, panel.controls, panel.references)
    sides = []
    for width, height in ((320, 200), (500, 330), (900, 900)):
        panel.resize(width, height)
        qtbot.wait(20)
        assert len({strip.side for strip in strips}) == 1
        assert all(strip.box(0).bottom() < strip.height() - strip.fontMetrics().height() for strip in strips)
        assert all(strip.visible_tiles == max(1, min(3, len(strip.tiles))) for strip in strips[:3])
        sides.append(panel.most.side)
    assert sides == sorted(set(sides))
    assert sides[0] == SMALLEST
    assert sides[-1] == LARGEST
    qtbot.mouseClick(panel.most, Qt.MouseButton.LeftButton, pos=panel.most.box(1).center())
    assert panel.most.value() == panel.most.tiles[1].tile


def test_control_tiles_are_those_most_like_the_chosen_one(panel, qtbot):
    panel.session.show("toy/C06")
    panel.session.explanations.heat_map = heat_map_of()
    first = panel.controls.tiles[0].caption
    assert first == "C04·1", "tile 1 of the field has the features of tile 1 of that control"
    qtbot.mouseClick(panel.least, Qt.MouseButton.LeftButton, pos=panel.least.box(0).center())
    assert panel.least.value() == 2
    assert len(panel.controls.tiles) == 3
    assert panel.references.tiles == []
    icon = panel.most.tiles[0].picture.toImage()
    shade = icon.pixelColor(icon.width() // 2, icon.height() // 2)
    expected = composite(panel.value().field.scores.tiles.crop(1)).max()
    assert shade.value() == pytest.approx(int(expected), abs=2)


def test_reference_tiles_stand_beside_them_at_the_same_contrast(panel):
    panel.session.show("toy/C06")
    found = heat_map_of()
    reference = tiles_of("toy/D04/2", (77, 120))
    panel.session.explanations.heat_map = dataclasses.replace(
        found, field=dataclasses.replace(found.field, references=(reference,))
    )
    assert panel.references.tiles[0].caption == "D04·2"
    assert panel.session.wells.at["toy/D04", "treatment"] in panel.references.tiles[0].tooltip
    picture = panel.references.tiles[0].picture.toImage()
    shade = picture.pixelColor(picture.width() // 2, picture.height() // 2).value()
    assert shade == pytest.approx(int(composite(reference.crop(1)).max()), abs=2)
    panel.session.explanations.heat_map = found
    assert panel.references.tiles == []
    assert panel.references.empty == NO_REFERENCE


def test_strips_show_what_fits_and_arrow_keys_choose(panel, qtbot):
    panel.session.show("toy/C06")
    panel.session.explanations.heat_map = heat_map_of(scores=(3.0, 4.0, 5.0))
    strip = panel.most
    strip.resize(2 * 50 - 4, strip.height())
    assert strip.visible_tiles == min(2, len(strip.tiles))
    strip.resize(600, strip.height())
    with qtbot.waitSignal(strip.valueChanged):
        qtbot.keyClick(strip, Qt.Key.Key_Right)
    assert strip.value() == strip.tiles[0].tile == 2


def test_the_tab_has_no_scroll_bars_inside_scroll_bars(full_session, qtbot):
    """At 1280 x 800 the tab is about 690 x 225 pixels: tiles were cut and scrolled twice."""
    tab = ExplainPanel(full_session)
    qtbot.addWidget(tab)
    tab.resize(690, 240)
    tab.show()
    full_session.show("toy/C06")
    full_session.explanations.contributions = contributions(["toy/C06", "toy/D04"])
    full_session.explanations.heat_map = heat_map_of()
    qtbot.waitExposed(tab)
    assert [s for s in tab.findChildren(QScrollArea) if not isinstance(s, QAbstractItemView)] == []
    assert not tab.contributions.table.horizontalScrollBar().isVisible()
    for strip in (tab.heat_map.most, tab.heat_map.references):
        bottom = strip.mapTo(tab, strip.rect().bottomRight())
        assert tab.rect().contains(bottom)


def test_weights_of_fields_are_told_by_stain():
    text = attention_table(heat_map_of())
    assert "<b>site 1</b>" in text
    assert "<b>site 2</b>" not in text
    assert text.count("75%") == 5
    assert attention_table(FieldMatch("toy/C06/1", heat_map_of().field, None)) == ""


def test_nothing_can_be_asked_before_a_field_is_shown(panel):
    assert not panel.button.isEnabled()
    panel.session.show("toy/C06")
    assert panel.button.isEnabled()
    panel.session.answer = None
    assert not panel.button.isEnabled()
    assert panel.state.text() == "Ask first: then what matched is explained here."


def test_button_asks_for_the_field_on_the_canvas(panel, qtbot, monkeypatch):
    asked = []

    def steps(screen, plate, site, direction, references):
        asked.append((plate, site, direction))
        yield Progress(1, 2, "encoding tiles", stage="explanation")
        return heat_map_of(site).field

    monkeypatch.setattr("napari_cellclip.explore.explanation.match_heat_map.iter_explain_field", steps)
    monkeypatch.setattr(
        "napari_cellclip.explore.explanation.field_attention.field_attention",
        lambda screen, well: heat_map_of().attention,
    )
    controller = Controller(panel.session)
    panel.session.show("toy/C06")
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.session.explanations.heat_map is not None)
    qtbot.waitUntil(lambda: panel.session.work(Task.TILES) is None)
    assert asked == [(panel.session.plate, "toy/C06/1", panel.session.answer.direction)]
    assert panel.session.explanations.heat_map.site == "toy/C06/1"
    panel.session.answer = answer_for(panel.session.screen, {"toy/D04": 5.0})
    assert panel.session.explanations.heat_map is None
    assert not panel.found.isVisible()
    controller.close()


def test_heat_lies_over_its_field_and_goes_with_it(make_napari_viewer, full_session):
    viewer = make_napari_viewer()
    full_session.plate.__dict__["pixel_size"] = 0.5
    heat = HeatLayer(full_session, viewer)
    full_session.show("toy/C06")
    full_session.explanations.heat_map = heat_map_of()
    layer = heat.layer
    assert layer is not None
    # A field of 8 x 24 pixels of half a micrometre: cells of 8 x 8, the first centre at pixel 3.5.
    np.testing.assert_allclose(layer.scale, (4, 4))
    np.testing.assert_allclose(layer.translate, (1.75, 1.75))
    extent = layer.extent.world
    np.testing.assert_allclose(extent, [[1.75, 1.75], [1.75, 9.75]])
    assert tuple(layer.contrast_limits) == (-1, 4)
    full_session.explanations.heat_map = heat_map_of(scores=(1.0, 2.0, 3.0))
    assert heat.layer is layer, "drawn anew in the same layer"
    assert tuple(layer.contrast_limits) == (1, 3)
    full_session.show("toy/D04")
    assert heat.layer is None
    full_session.show("toy/C06")
    assert heat.layer is not None, "kept with the session"


def test_a_field_without_tiles_is_drawn_dark(make_napari_viewer, full_session):
    viewer = make_napari_viewer()
    heat = HeatLayer(full_session, viewer)
    full_session.show("toy/C06")
    where = heat_map_of()
    empty = SimpleNamespace(
        scores=where.field.scores,
        heat_map=MatchHeatMap(np.full((1, 3), np.nan, np.float32), (8, 24)),
        controls=(),
    )
    full_session.explanations.heat_map = FieldMatch(where.site, empty, None)
    assert np.isfinite(heat.layer.data).all()
