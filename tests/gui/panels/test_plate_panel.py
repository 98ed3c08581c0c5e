"""The plate panel under a real mouse and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage

from napari_cellclip.gui.panels.drawing.plate_drawing import PlateDrawing, WellMark
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.plate_panel import PlatePanel
from napari_cellclip.gui.panels.wells.plate_view import PlateView
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def pixels(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(bytes(image.constBits().asarray(image.sizeInBytes())), np.uint8)
    return rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()].reshape(
        image.height(), image.width(), 3
    )


@pytest.fixture
def panel(full_session, qtbot):
    panel = PlatePanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    panel.resize(620, 460)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def click(qtbot, panel, well, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.mouseClick(panel.view.viewport(), LEFT, modifier, panel.view.position_of(f"toy/{well}"))


def drag(qtbot, panel, first, last, modifier=Qt.KeyboardModifier.NoModifier):
    viewport = panel.view.viewport()
    start, end = panel.view.position_of(f"toy/{first}"), panel.view.position_of(f"toy/{last}")
    qtbot.mousePress(viewport, LEFT, modifier, start)
    qtbot.mouseMove(viewport, (start + end) / 2)
    qtbot.mouseMove(viewport, end)
    qtbot.mouseRelease(viewport, LEFT, modifier, end)


def test_click_shift_alt_control(panel, qtbot):
    selection = panel.session.selection
    click(qtbot, panel, "C04")
    click(qtbot, panel, "C06", SHIFT)
    assert selection.ids == {"toy/C04", "toy/C06"}
    click(qtbot, panel, "C04", ALT)
    assert selection.ids == {"toy/C06"}
    click(qtbot, panel, "D04", CONTROL)
    assert selection.ids == set()
    selection.undo()
    assert panel.value() == {"toy/C06"}


def test_drag_selects_a_block_and_skips_what_was_not_imaged(panel, qtbot):
    drag(qtbot, panel, "D04", "E06")
    assert panel.value() == {"toy/D04", "toy/D06", "toy/E04", "toy/E05", "toy/E06"}
    drag(qtbot, panel, "E04", "E06", ALT)
    assert panel.value() == {"toy/D04", "toy/D06"}
    drag(qtbot, panel, "C04", "C05", SHIFT)
    assert panel.value() == {"toy/D04", "toy/D06", "toy/C04", "toy/C05"}


def test_click_beside_the_wells_selects_nothing(panel, qtbot):
    click(qtbot, panel, "C04")
    qtbot.mouseClick(panel.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, QPoint(1, 1))
    assert panel.value() == set()


def test_double_click_opens_the_well(panel, qtbot):
    qtbot.mouseDClick(
        panel.view.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, panel.view.position_of("toy/E05")
    )
    assert panel.session.shown == "toy/E05/1"
    assert panel.view.shown == "toy/E05"


def test_keyboard_walks_extends_opens_and_clears(panel, qtbot):
    click(qtbot, panel, "D04")
    qtbot.keyClick(panel.view, Qt.Key.Key_Right)
    assert panel.value() == {"toy/D06"}, "D05 was not imaged and is stepped over"
    qtbot.keyClick(panel.view, Qt.Key.Key_Down, SHIFT)
    assert panel.value() == {"toy/D06", "toy/E06"}
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert panel.session.shown_well == "toy/E06"
    qtbot.keyClick(panel.view, Qt.Key.Key_A, CONTROL)
    assert len(panel.value()) == 11
    qtbot.keyClick(panel.view, Qt.Key.Key_Escape)
    assert panel.value() == set()


def test_keyboard_starts_without_a_mouse(panel, qtbot):
    qtbot.keyClick(panel.view, Qt.Key.Key_Right)
    assert panel.value() == {"toy/C04"}


def test_matching_wells_are_painted_in_colour_and_the_rest_in_grey(panel, qtbot):
    panel.view.set_rings(frozenset(), None)
    picture = pixels(panel.view.viewport())

    def chroma(well):
        at = panel.view.position_of(f"toy/{well}") + QPoint(0, 9)  # beside the control mark
        rgb = picture[at.y(), at.x()].astype(int)
        return rgb.max() - rgb.min()

    assert chroma("C06") > 60
    assert chroma("E07") < 12
    panel.session.look(threshold=0.5)
    picture = pixels(panel.view.viewport())
    assert chroma("E07") > 40


def test_tooltip_names_the_treatment_escaped_and_shows_the_picture(full_session, qtbot):
    text = Thumbnails(full_session).tooltip("toy/D04")
    assert "compound-4 3 µM" in text
    assert "some &lt;mechanism&gt;" in text
    assert "data:image/png;base64," in text
    assert "score 5.00" in text


@pytest.mark.parametrize("count", PLATE_SHAPES)
def test_any_format_fits_into_view(count, qtbot):
    rows, columns = PLATE_SHAPES[count]
    view = PlateView(str)
    qtbot.addWidget(view)
    view.resize(480, 330)
    marks = [
        WellMark(f"p/{well_name(r, c)}", r, c, (200, 30, 30)) for r in range(rows) for c in range(columns)
    ]
    view.set_plates([PlateDrawing("p", (rows, columns), tuple(marks))])
    view.show()
    qtbot.waitExposed(view)
    for mark in (marks[0], marks[-1]):
        at = view.position_of(mark.id)
        assert view.viewport().rect().contains(at)
        assert view.well_at(at) == mark.id
        assert pixels(view.viewport())[at.y(), at.x(), 0] > 150
