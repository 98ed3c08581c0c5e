"""The map panel: lasso, hover, density."""

from __future__ import annotations

import numpy as np
import pytest
from pyqtgraph import getConfigOption, setConfigOptions
from qtpy.QtCore import QPoint, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPalette, QPixmap
from sklearn.manifold import trustworthiness

from napari_cellclip.gui.panels.drawing.picking import inside
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.map_panel import MapPanel
from napari_cellclip.gui.panels.wells.map_view import (
    LARGEST,
    MARKED_AT_MOST,
    POINTS_AT_MOST,
    SMALLEST,
    MapView,
    dot_size,
)
from napari_cellclip.gui.state.requests import MapRequest
from tests.gui.toy_screens import FakeScreen, projection_for

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


def many(qtbot, n, shown=True):
    view = MapView(str)
    qtbot.addWidget(view)
    view.resize(400, 300)
    xy = np.random.default_rng(0).normal(size=(n, 2))
    view.set_points([f"p/{i}" for i in range(n)], xy)
    if shown:
        view.show()
        qtbot.waitExposed(view)
    return view


def test_points_hidden_by_density_beyond_the_limit(qtbot):
    n = POINTS_AT_MOST + 1
    view = many(qtbot, n)
    bright = np.zeros(n, bool)
    bright[:7] = True
    view.set_colours(np.full((n, 3), 200, np.uint8), bright)
    assert view.dense
    assert len(view.scatter.data) == 7
    assert view.density_item.image is not None
    assert view.nearest(*view.xy[123]) == "p/123"


def test_rings_of_very_many_points_are_part_of_the_picture(qtbot):
    view = many(qtbot, POINTS_AT_MOST + 1)
    before = view.density_item.image.copy()
    view.set_rings(frozenset(view.ids[:5]), None)
    assert len(view.rings.data) == 5
    assert (view.density_item.image == before).all()
    view.set_rings(frozenset(view.ids[: MARKED_AT_MOST + 1]), None)
    assert len(view.rings.data) == 0
    assert (view.density_item.image != before).any()
    view.set_rings(frozenset(), None)
    assert (view.density_item.image == before).all()


def test_the_density_is_drawn_anew_at_the_resolution_of_the_screen(qtbot):
    view = many(qtbot, POINTS_AT_MOST + 1)
    view.box.scaleBy((0.1, 0.1))
    rectangle = view.box.viewRect()
    qtbot.waitUntil(lambda: view.density_item.boundingRect().width() > 0 and near(view, rectangle))
    assert abs(view.density_item.image.shape[1] - view.viewport().width()) < 30


def near(view, rectangle):
    drawn = view.density_item.mapRectToParent(view.density_item.boundingRect())
    return abs(drawn.width() - rectangle.width()) < 1e-6 * rectangle.width()


def test_a_clump_is_drawn_without_overlap_and_picked_as_it_is_drawn(qtbot):
    view = MapView(str)
    qtbot.addWidget(view)
    view.resize(400, 300)
    clump = np.random.default_rng(0).normal(size=(30, 2)) * 0.01
    view.set_points([str(i) for i in range(31)], np.vstack([clump, (10, 10)]))
    view.show()
    qtbot.waitExposed(view)
    spots = view.shown_at / np.array(view.box.viewPixelSize())
    apart = np.sqrt(((spots[:, None] - spots[None]) ** 2).sum(axis=2)) + 1e9 * np.eye(31)
    assert apart.min() > 0.9 * view.scatter.data["size"].min()
    assert (view.shown_at[30] == (10, 10)).all()
    corners = [at(view, *place) for place in view.shown_at]
    assert all(view.viewport().rect().contains(corner) for corner in corners), "none is pushed out of sight"
    picked = []
    view.picked.connect(lambda ids, mode: picked.append(ids))
    for row in (0, 7, 19):
        assert view.nearest(*view.shown_at[row]) == str(row)
    qtbot.mouseClick(view.viewport(), LEFT, NONE, at(view, *view.shown_at[7]))
    assert picked == [["7"]]
    for _ in range(3):
        view.box.setRange(xRange=(-0.03, 0.03), yRange=(-0.03, 0.03))
    view.settle()
    still = np.abs(view.shown_at - view.xy).max(axis=1) / view.box.viewPixelSize()[0]
    assert np.median(still[:30]) < 3, "zoomed in, places are the true ones"


def test_many_wells_in_a_small_map_keep_its_shape(qtbot):
    """Moved apart by whole dots, 1,536 wells fill a view of this size as one packed disc."""
    view = MapView(str)
    qtbot.addWidget(view)
    view.resize(300, 140)
    rng = np.random.default_rng(0)
    clusters = rng.uniform(0, 10, (12, 2))[rng.integers(0, 12, 1536)] + 0.3 * rng.normal(size=(1536, 2))
    view.set_points([str(i) for i in range(1536)], clusters)
    view.show()
    qtbot.waitExposed(view)
    view.settle()
    true, drawn = (places / view.box.viewPixelSize() for places in (view.xy, view.shown_at))
    assert trustworthiness(true, drawn, n_neighbors=15) > 0.98
    extent = np.ptp(drawn, axis=0) / np.ptp(true, axis=0)
    assert (extent < 1.1).all()


def test_dots_shrink_as_there_are_more():
    sizes = [dot_size(n, 120_000) for n in (10, 384, 1536, 20_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == LARGEST
    assert sizes[-1] == SMALLEST
    assert sizes[1] > sizes[2] > sizes[3] or sizes[2] == SMALLEST


def test_a_rectangle_selects_what_it_holds(panel, qtbot):
    choose(panel, "Rectangle")
    view = panel.view
    qtbot.mousePress(view.viewport(), LEFT, NONE, at(view, 0.1, -1.1))
    qtbot.mouseMove(view.viewport(), at(view, 0.9, 0.3))
    qtbot.mouseMove(view.viewport(), at(view, 1.1, 1.1))
    qtbot.mouseRelease(view.viewport(), LEFT, NONE, at(view, 1.1, 1.1))
    assert panel.value() == set(np.array(view.ids)[view.xy[:, 0] > 0.1])


def test_a_mode_from_the_menu_holds_without_a_key(panel, qtbot):
    xy = panel.view.xy
    upper = [(-1.05, 0.1), (1.05, 0.1), (1.05, 1.05), (-1.05, 1.05)]
    right = [(0.05, -1.05), (1.05, -1.05), (1.05, 1.05), (0.05, 1.05)]
    lasso(qtbot, panel.view, upper)
    choose(panel, "Intersect with it (Ctrl)")
    lasso(qtbot, panel.view, right)
    assert panel.value() == set(np.array(panel.view.ids)[(xy[:, 1] > 0.1) & (xy[:, 0] > 0.05)])


def choose(panel, title):
    next(action for action in panel.tool_menu.actions() if action.text() == title).trigger()


def test_pictures_take_the_place_of_points_where_they_have_room(panel, qtbot):
    view = panel.view
    view.box.setRange(xRange=(0.7, 1.3), yRange=(-0.3, 0.3))
    qtbot.waitUntil(lambda: bool(view.pictures.items))
    (drawn,) = [i for i in view.pictures.items if i == view.ids[0]]
    item = view.pictures.items[drawn]
    assert item.pixmap().width() == pytest.approx(view.pictures.side, abs=8)
    qtbot.mouseClick(view.viewport(), LEFT, NONE, at(view, *view.shown_at[0]) + QPoint(15, 10))
    assert panel.value() == {view.ids[0]}, "the whole picture can be clicked"
    choose(panel, "Thumbnails when zoomed in")
    assert not view.pictures.items
    assert not panel.session.view.map_thumbnails


def test_pictures_at_the_edge_of_the_map_are_drawn_whole(panel, qtbot):
    """Of four wells those at the edge were cut in half."""
    view = panel.view
    view.set_points(view.ids[:4], np.array([[0.0, 0.0], [4.0, 0.1], [4.1, 2.0], [0.1, 2.1]]))
    qtbot.waitUntil(lambda: len(view.pictures.items) == 4)
    half = view.pictures.side / 2 - 1
    sight = view.box.sceneBoundingRect().adjusted(half, half, -half, -half)
    for x, y in view.shown_at:
        assert sight.contains(view.box.mapViewToScene(QPointF(x, y))), (x, y)


def test_another_screen_while_the_map_is_out_of_sight_leaves_no_picture_of_the_last(panel, qtbot):
    """Pictures of rows that were no more: an error in the midst of opening the screen."""
    view, session = panel.view, panel.session
    view.box.setRange(xRange=(view.xy[0, 0] - 0.2, view.xy[0, 0] + 0.2), padding=0)
    qtbot.waitUntil(lambda: bool(view.pictures.items))
    panel.hide()
    session.set_screen(FakeScreen.of(session.plate))
    assert view.ids == []
    assert not view.pictures.items
    panel.show()


def test_names_leave_the_points_free_and_are_joined_by_lines(qtbot):
    view = MapView(str)
    qtbot.addWidget(view)
    view.resize(500, 400)
    rng = np.random.default_rng(0)
    xy = np.vstack([rng.normal(size=(40, 2)) * 0.3, rng.normal(size=(40, 2)) * 0.3 + (5, 3)])
    view.set_points([str(i) for i in range(80)], xy)
    view.show()
    qtbot.waitExposed(view)
    view.set_names([(0.0, 0.0, "tubulin inhibitor"), (5.0, 3.0, "proteasome inhibitor")])
    for label in view.names.labels:
        box = label.mapRectToParent(label.boundingRect())
        inside_box = [box.contains(QPointF(*point)) for point in view.shown_at]
        assert not any(inside_box)
    x, _ = view.names.leaders.getData()
    assert len(x) == 4, "a line from each name to its cluster"


def test_names_do_not_cover_pictures(qtbot):
    """A name lay over three of them where the map was zoomed in."""
    view = MapView(str, picture=lambda _id, side: QPixmap(side, side))
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.set_points(list("abcd"), np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 0.7), (1.0, 0.7)]))
    view.show()
    qtbot.waitExposed(view)
    view.set_names([(0.1, 0.1, "HDAC")])
    assert view.pictures.side > 20
    wide, high = view.box.viewPixelSize()
    label = view.names.labels[0]
    box = label.mapRectToParent(label.boundingRect())
    half = 0.45 * view.pictures.side
    for x, y in view.shown_at:
        picture = QRectF(x - half * wide, y - half * high, 2 * half * wide, 2 * half * high)
        assert not label.isVisible() or not box.intersects(picture)


def test_the_map_that_is_drawn_is_named(session, full_session, qtbot):
    from napari_cellclip.gui.state.tasks import Task, Work

    panel = MapPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    assert panel.state.text() == "UMAP of 11 wells"
    full_session.set_screen(full_session.screen)
    assert panel.stack.currentWidget() is panel.empty
    assert "appears once" in panel.empty.text()
    full_session.set_work(Task.MAP, Work("Computing the UMAP map"))
    full_session.add_map(projection_for(full_session.screen, "pca"))
    assert panel.stack.currentWidget() is panel.view
    assert panel.state.text() == "PCA while UMAP is computed …"
    full_session.add_map(projection_for(full_session.screen, "umap"))
    full_session.set_work(Task.MAP, None)
    assert panel.state.text() == "UMAP of 11 wells"
    by_sample = projection_for(full_session.screen, "umap")
    by_sample.parameters.update(sample=50_000, placed=2)
    full_session.add_map(by_sample)
    assert panel.state.text() == "UMAP of 11 wells by a sample of 50,000, 2 of plates added later"


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
