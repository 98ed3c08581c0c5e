"""Contrast of text and marks on both themes of napari, computed as WCAG 2.2 does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.utils.theme import get_theme
from qtpy.QtCore import QRect, qVersion
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel, QLineEdit, QTabBar, QWidget

from napari_cellclip.explore import Description, Verdict
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.palette import MARK_CONTRAST, contrast
from napari_cellclip.gui.panels.explain.describe_panel import DescribePanel
from napari_cellclip.gui.panels.header import BADGE
from napari_cellclip.gui.panels.list_table import QUIET
from napari_cellclip.gui.panels.theme import BUTTON, TEXT_CONTRAST, UNDER_POINTER, Tones, style_sheet

THEMES = ("dark", "light")
ROLE, GROUP = QPalette.ColorRole, QPalette.ColorGroup


def rgb(colour: QColor) -> tuple[int, ...]:
    return colour.getRgb()[:3]


def of(theme: str, name: str) -> QColor:
    return QColor(*getattr(get_theme(theme), name).as_rgb_tuple()[:3])


def tone_of(theme: str) -> Tones:
    return Tones(of(theme, "background"), of(theme, "text"))


def drawn_contrast(widget: QWidget, box: QRect | None = None) -> float:
    """Contrast of the letters of a widget, as drawn, with the colour that most of it has."""
    picture = widget.grab(box if box is not None else widget.rect()).toImage()
    pixels = [rgb(picture.pixelColor(x, y)) for x in range(picture.width()) for y in range(picture.height())]
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return float(contrast(colours, colours[counts.argmax()]).max())


@pytest.mark.parametrize("theme", THEMES)
def test_texts_can_be_read_on_every_surface(theme: str) -> None:
    """Greys of hits that do not match had 3.6 to 4.1 on the light theme, those of a selected line 2.1."""
    tone = tone_of(theme)
    surfaces = {name: of(theme, name) for name in ("background", "foreground", "primary", "highlight")}
    surfaces |= {"button": tone.between(BUTTON), "pointed": tone.between(UNDER_POINTER), "on": tone.on}
    for name, surface in surfaces.items():
        assert contrast(rgb(tone.text), rgb(surface)) >= TEXT_CONTRAST, name
    for name in ("background", "foreground", "primary", "button"):
        assert contrast(rgb(tone.quiet(surfaces[name])), rgb(surfaces[name])) >= TEXT_CONTRAST, name
    assert rgb(tone.quiet()) != rgb(tone.text), "what matters less is told from the rest"


@pytest.mark.parametrize("theme", THEMES)
def test_marks_can_be_seen(theme: str) -> None:
    tone = tone_of(theme)
    behind = (of(theme, "background"), of(theme, "foreground"), of(theme, "primary"))
    for name in ("shown", "focus", "wrong"):
        for surface in behind[: 3 if name == "focus" else 2]:
            assert contrast(rgb(getattr(tone, name)), rgb(surface)) >= MARK_CONTRAST - 0.05, name


@pytest.mark.parametrize("theme", THEMES)
def test_menus_and_popups_have_a_frame_that_can_be_seen(theme, make_napari_viewer, qtbot) -> None:
    """Their surface is that of the window, so that without one a menu ran into the table below it."""
    viewer = make_napari_viewer()
    viewer.theme = theme
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    QApplication.processEvents()
    menu, popup = explorer.query.evidence.menu(), explorer.query.notes_popup
    menu.popup(explorer.mapToGlobal(explorer.rect().topLeft()))
    popup.resize(200, 80)
    for framed in (menu, popup):
        picture = framed.grab().toImage()
        edge = rgb(picture.pixelColor(picture.width() // 2, 0))
        assert contrast(edge, rgb(of(theme, "background"))) >= MARK_CONTRAST - 0.05, type(framed).__name__
    menu.close()


def test_the_badge_can_be_read() -> None:
    behind, text = "#b25e00", "white"
    assert behind in BADGE
    assert text in BADGE
    assert contrast(rgb(QColor(text)), rgb(QColor(behind))) >= TEXT_CONTRAST


@pytest.mark.parametrize("theme", THEMES)
def test_every_label_and_control_of_the_window_can_be_read(theme, make_napari_viewer, qtbot) -> None:
    """Of disabled controls too: napari draws their text at 35 %, which is 2.9 to 1."""
    viewer = make_napari_viewer()
    viewer.theme = theme
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    QApplication.processEvents()
    kinds = (QLabel, QAbstractButton, QComboBox, QLineEdit)
    checked, faint = 0, []
    for widget in explorer.findChildren(QWidget):
        if not isinstance(widget, kinds) or isinstance(widget.parent(), QTabBar):
            continue
        widget.ensurePolished()
        checked += 1
        for group in (GROUP.Active, GROUP.Disabled):
            colours = [widget.palette().color(group, role) for role in (ROLE.WindowText, ROLE.Window)]
            if colours[1].alpha() == 0:
                colours[1] = of(theme, "background")
            text, behind = (np.array(rgb(colour)) for colour in colours)
            opaque = colours[0].alphaF()
            ratio = float(contrast(text * opaque + behind * (1 - opaque), behind))
            if ratio < TEXT_CONTRAST and widget.styleSheet() != BADGE:
                faint.append((type(widget).__name__, str(getattr(widget, "text", str)()), group, ratio))
    assert checked > 60
    assert faint == [], "\n".join(map(str, faint))


def test_a_button_keeps_its_size_when_it_is_disabled(make_napari_viewer, qtbot) -> None:
    """napari draws a border around it then, and what lay below moved by two pixels."""
    viewer = make_napari_viewer()
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    QApplication.processEvents()
    button, sizes = explorer.map.to_canvas, []
    for enabled in (False, True):
        button.setEnabled(enabled)
        button.ensurePolished()
        sizes.append(button.sizeHint())
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("theme", THEMES)
def test_the_window_follows_the_theme(theme, make_napari_viewer, qtbot) -> None:
    if theme == "dark" and qVersion().startswith("6.7."):
        pytest.skip("Qt 6.7 leaves a widget with a style sheet the colour of text of the theme before")
    viewer = make_napari_viewer()
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    for chosen in (*THEMES, theme):
        viewer.theme = chosen
        QApplication.processEvents()
        assert explorer.styleSheet() == style_sheet(tone_of(chosen))


@pytest.mark.parametrize("theme", THEMES)
def test_quiet_rows_and_hints_can_be_read_after_the_theme_changed(
    theme, full_session, make_napari_viewer, qtbot
) -> None:
    """Rows of Describe kept the grey of the theme they were filled on, 1.9 on the other; hints had 2.8, 3.3."""
    viewer = make_napari_viewer(show=True)
    viewer.theme = next(other for other in THEMES if other != theme)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    panel = DescribePanel(full_session)
    viewer.window.add_dock_widget(panel, name="Describe")
    table = pd.DataFrame({"term": ["MMMM"] * 2, "score": [2.0] * 2, "q": [0.01, 0.5]})
    panel.setValue(Description(table, Verdict.SIGNIFICANT, 0.05, {}, ()))
    viewer.theme = theme
    QApplication.processEvents()
    for row in range(2):
        item = panel.table.item(row, 0)
        box = panel.table.visualItemRect(item).adjusted(2, 2, -2, -2)
        assert drawn_contrast(panel.table.viewport(), box) >= TEXT_CONTRAST, (row, item.data(QUIET))
    line = explorer.hits.filter
    assert line.text() == ""
    assert drawn_contrast(line, line.rect().adjusted(4, 4, -4, -4)) >= TEXT_CONTRAST
