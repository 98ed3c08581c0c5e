"""Manners of the whole window: tooltips, keys, wheel, size, and nothing left behind when it closes."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)

from napari_cellclip.gui.docks import dock_of
from napari_cellclip.gui.explorer import TABS, Arrangement, Explorer
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.text_query import TextQuery
from tests.gui.panels.test_plate_panel import pixels

CONTROLS = (QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
PARTS = (QComboBox, QAbstractSpinBox, QAbstractItemView, QLineEdit)
"""Controls that are made of smaller ones, which need no tooltip of their own."""


def own_controls(window: QWidget) -> list[QWidget]:
    """Controls of a window, without scroll bars, headers and the parts of other controls."""
    found = []
    for widget in window.findChildren(QWidget):
        inner = isinstance(widget.parent(), PARTS) or isinstance(widget.parent().parent(), PARTS)
        if isinstance(widget, CONTROLS) and not isinstance(widget, QScrollBar) and not inner:
            found.append(widget)
    return found


@pytest.mark.parametrize("kind", [Explorer, TextQuery])
def test_every_control_has_a_tooltip(kind, qtbot):
    window = kind(ViewerModel())
    qtbot.addWidget(window)
    bare = [
        f"{type(w).__name__} {getattr(w, 'text', str)()!r} in {type(w.parent()).__name__}"
        for w in own_controls(window)
        if not w.toolTip() and "scroller" not in w.objectName().lower() and not is_tab_arrow(w)
    ]
    assert bare == []


@pytest.mark.parametrize("kind", [Explorer, TextQuery])
def test_every_control_has_a_name_for_screen_readers(kind, qtbot):
    """Its text, its accessible name, or the label whose buddy it is."""
    window = kind(ViewerModel())
    qtbot.addWidget(window)
    buddies = {label.buddy() for label in window.findChildren(QLabel)}
    nameless = [
        f"{type(w).__name__} {w.toolTip()[:40]!r} in {type(w.parent()).__name__}"
        for w in own_controls(window)
        if not (w.accessibleName() or spoken(w) or w in buddies)
        and "scroller" not in w.objectName().lower()
        and not is_tab_arrow(w)
    ]
    assert nameless == [], "\n".join(nameless)


def spoken(widget: QWidget) -> str:
    """Text of a button, if it has letters: a mark alone is read as nothing."""
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return text if any(letter.isalpha() for letter in text) else ""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_focus_is_framed_and_tab_walks_through_everything(theme, make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitExposed(explorer)
    explorer.window().activateWindow()
    explorer.tabs.setCurrentWidget(explorer.setup)
    QApplication.processEvents()
    ring = np.array(tones(explorer).focus.getRgb()[:3])
    explorer.query.line.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is explorer.query.line)
    walked, bare = [], []
    while (now := QApplication.focusWidget()) is not None and now not in walked and len(walked) < 200:
        walked.append(now)
        if explorer.isAncestorOf(now) and not now.size().isEmpty():
            QApplication.processEvents()
            near = np.abs(pixels(now).astype(int) - ring).max(axis=2) <= 10
            if near.sum() < 12:
                bare.append(f"{type(now).__name__} {now.accessibleName() or now.toolTip()[:30]!r}")
        qtbot.keyClick(now, Qt.Key.Key_Tab)
    wanted = [
        w
        for w in own_controls(explorer)
        if w.isVisible() and w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    missed = [
        f"{type(w).__name__} {w.accessibleName() or w.toolTip()[:30]!r}" for w in wanted if w not in walked
    ]
    assert missed == [], "\n".join(missed)
    assert bare == [], "\n".join(bare)


def is_tab_arrow(widget: QWidget) -> bool:
    """Whether Qt made it to scroll tabs that do not fit."""
    return widget.objectName() in ("ScrollLeftButton", "ScrollRightButton")


def test_tab_leaves_every_table(qtbot):
    explorer = Explorer(ViewerModel())
    qtbot.addWidget(explorer)
    views = [v for v in explorer.findChildren(QAbstractItemView) if not isinstance(v.parent(), QComboBox)]
    tables = [v for v in views if v.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert tables
    assert [type(v).__name__ for v in tables if v.tabKeyNavigation()] == []


@pytest.mark.parametrize("letters", [76, 100])
def test_tabs_stay_at_their_place(letters, qtbot):
    """Whatever tab is chosen, the row of tabs is where it was, and every tab is in sight."""
    explorer = Explorer(ViewerModel())
    qtbot.addWidget(explorer)
    metrics = explorer.fontMetrics()
    explorer.resize(letters * metrics.averageCharWidth(), 45 * metrics.lineSpacing())
    explorer.show()
    bar = explorer.tabs.tabBar()
    places = set()
    for place in range(explorer.tabs.count()):
        explorer.tabs.setCurrentIndex(place)
        QApplication.processEvents()
        places.add((bar.mapTo(explorer, bar.rect().topLeft()).y(), explorer.tabs.height()))
    assert len(places) == 1
    titles = [explorer.tabs.tabText(i) for i in range(explorer.tabs.count())]
    assert titles[-len(TABS) :] == list(TABS)


def test_canvas_keeps_its_share_of_a_small_window(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitExposed(explorer)
    window = explorer.window()
    docks = {d.objectName(): d for d in window.findChildren(QWidget) if d.objectName() == "layer controls"}
    qtbot.waitUntil(lambda: not docks["layer controls"].isVisible(), timeout=20_000)
    qtbot.waitUntil(lambda: window.centralWidget().width() >= 0.4 * window.width(), timeout=20_000)
    assert window.width() == 1280
    docks["layer controls"].show()
    second = TextQuery(viewer)
    viewer.window.add_dock_widget(second, name="Text query")
    qtbot.waitExposed(second)
    qtbot.waitUntil(lambda: dock_of(second) in window.tabifiedDockWidgets(dock_of(explorer)), timeout=20_000)
    assert docks["layer controls"].isVisible(), "put away once; then it is the user's affair"


def test_opening_and_closing_leaves_no_widget(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()

    def cycle() -> int:
        explorer = Explorer(viewer)
        viewer.window.add_dock_widget(explorer, name="Explorer")
        QApplication.processEvents()
        viewer.window.remove_dock_widget(explorer)
        del explorer
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        gc.collect()
        return len(QApplication.allWidgets())

    cycle()
    before = cycle()
    assert [cycle() for _ in range(3)] == [before] * 3


def test_tab_goes_from_top_to_bottom(make_napari_viewer, qtbot):
    """Plate and map came after the tabs, which stand below them."""
    viewer = make_napari_viewer(show=True)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    parts = (explorer.header, explorer.query, explorer.plate, explorer.map, explorer.plate.colours)
    for width, is_open in ((1600, True), (700, False)):
        explorer.resize(width, 900)
        explorer._place(Arrangement(is_open, is_open))
        chain, widget = [], explorer.nextInFocusChain()
        while explorer.isAncestorOf(widget):  # the whole window would be kept by this walk, on PySide
            chain.append(widget)
            widget = widget.nextInFocusChain()
        open_parts = (*(parts if is_open else parts[:2]), explorer.tabs, explorer.footer)
        places = [
            [number for number, part in enumerate(open_parts) if part.isAncestorOf(stop)]
            for stop in chain
            if stop.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        found = [inside[-1] for inside in places if inside]
        assert found == sorted(found), is_open
        assert set(found) == set(range(len(open_parts)))
