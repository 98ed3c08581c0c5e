"""The map panel: lasso, hover, density."""

from __future__ import annotations

import numpy as np
import pytest
from pyqtgraph import getConfigOption, setConfigOptions
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QPalette

from napari_cellclip.gui.panels.drawing.picking import inside
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.map_panel import MapPanel
from napari_cellclip.gui.panels.wells.map_view import POINTS_AT_MOST, MapView
from napari_cellclip.gui.state.requests import MapRequest
from tests.gui.toy_screens import projection_for

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def every_move():
    """The scene takes every move of the mouse, however fast they come."""
    before = getConfigOption("mouseRateLimit")
    setConfigOptions(mouseRateLimit=-1)
    yield
    setConfigOptions(mouseRateLimit=before)


@pytest.fixture
def panel(full_session, qtbot, every_move):
    panel = MapPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    panel.resize(500, 460)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def at(view, x, y):
    return view.mapFromScene(view.box.mapViewToScene(QPointF(x, y)))


def place(view, well):
    return at(view, *view.xy[view.ids.index(f"toy/{well}")])


def lasso(qtbot, view, corners, modifier=NONE):
    viewport = view.viewport()
    points = [at(view, *c) for c in corners]
    qtbot.mousePress(viewport, LEFT, modifier, points[0])
    for a, b in zip(points, [*points[1:], points[0]], strict=True):
        for share in np.linspace(0, 1, 6)[1:]:
            qtbot.mouseMove(viewport, a + (b - a) * float(share))
    qtbot.mouseRelease(viewport, LEFT, modifier, points[0])


def test_lasso_replaces_adds_and_takes_away(panel, qtbot):
    view, xy = panel.view, panel.view.xy
    ids = np.array(view.ids)
    upper = [(-1.05, 0.1), (1.05, 0.1), (1.05, 1.05), (-1.05, 1.05)]
    right = [(0.05, -1.05), (1.05, -1.05), (1.05, 1.05), (0.05, 1.05)]
    lasso(qtbot, view, upper)
    assert panel.value() == set(ids[xy[:, 1] > 0.1])
    lasso(qtbot, view, right, SHIFT)
    assert panel.value() == set(ids[(xy[:, 1] > 0.1) | (xy[:, 0] > 0.05)])
    lasso(qtbot, view, upper, ALT)
    assert panel.value() == set(ids[(xy[:, 1] <= 0.1) & (xy[:, 0] > 0.05)])


def test_click_selects_the_point_and_beside_it_nothing(panel, qtbot):
    qtbot.mouseClick(panel.view.viewport(), LEFT, NONE, place(panel.view, "D04"))
    assert panel.value() == {"toy/D04"}
    qtbot.mouseClick(panel.view.viewport(), LEFT, NONE, at(panel.view, 0, 0))
    assert panel.value() == set()


def test_double_click_opens(panel, qtbot):
    viewport, spot = panel.view.viewport(), place(panel.view, "C06")
    qtbot.mouseClick(viewport, LEFT, NONE, spot)
    qtbot.mouseDClick(viewport, LEFT, NONE, spot)
    qtbot.mouseRelease(viewport, LEFT, NONE, spot)
    assert panel.session.shown_well == "toy/C06"


def test_nothing_is_hidden_by_a_query(panel):
    assert len(panel.view.scatter.data) == len(panel.session.wells)
    panel.session.look(threshold=1000.0)
    assert len(panel.view.scatter.data) == len(panel.session.wells)


def test_few_brushes_are_shared_by_many_points(panel):
    brushes = {id(b) for b in panel.view.scatter.data["brush"]}
    assert len(brushes) < len(panel.session.wells)


def test_pca_stands_in_until_umap_comes(session, full_session, qtbot):
    panel = MapPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    sent = []
    full_session.requested.connect(sent.append)
    panel.show()
    qtbot.keyClick(panel.method, Qt.Key.Key_Down)
    assert sent == [MapRequest("pca")]
    other = projection_for(full_session.screen, "pca")
    other.xy = other.xy * 3
    full_session.add_map(other)
    assert np.allclose(panel.view.xy, other.xy)


def test_points_hidden_by_density_beyond_the_limit(qtbot):
    view = MapView(str)
    qtbot.addWidget(view)
    n = POINTS_AT_MOST + 1
    xy = np.random.default_rng(0).normal(size=(n, 2))
    view.set_points([f"p/{i}" for i in range(n)], xy)
    bright = np.zeros(n, bool)
    bright[:7] = True
    view.set_colours(np.full((n, 3), 200, np.uint8), bright)
    assert view.dense
    assert len(view.scatter.data) == 7
    assert view.density_item.image is not None
    assert view.nearest(*xy[123]) == "p/123"


def test_inside_agrees_with_a_rectangle():
    points = np.random.default_rng(1).uniform(-2, 2, (500, 2))
    box = np.array([(-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5)], float)
    expected = (np.abs(points[:, 0]) < 1) & (np.abs(points[:, 1]) < 0.5)
    assert (inside(box, points) == expected).all()
    assert not inside(box[:2], points).any()


def test_greys_follow_the_theme(panel):
    def darkest():
        return min(brush.color().lightness() for brush in panel.view.scatter.data["brush"])

    dark = darkest()
    palette = panel.palette()
    light = palette.color(QPalette.ColorRole.Window).lightness() > 127
    palette.setColor(QPalette.ColorRole.Window, QColor("black" if light else "white"))
    panel.setPalette(palette)
    assert (darkest() < dark) if light else (darkest() > dark)
