"""The plate panel under a real mouse and keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, QSizeF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_cellclip.gui.panels.drawing.plate_drawing import (
    LETTER,
    READABLE,
    UNIT,
    PlateDrawing,
    WellMark,
    arrange,
)
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.legend import shared
from napari_cellclip.gui.panels.wells.plate_panel import PlatePanel, short_names
from napari_cellclip.gui.panels.wells.plate_view import PlateView
from napari_cellclip.gui.state.requests import MapPictureRequest
from napari_cellclip.vocabulary import PLATE_SHAPES, well_name
from tests.gui.toy_screens import answer_for

LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier


def pixels(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()  # PyQt gives a pointer without a size, PySide a buffer
    rows = np.frombuffer(bits.asarray(image.sizeInBytes()) if hasattr(bits, "asarray") else bits, np.uint8)
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
    panel.session.edits.undo()
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


@pytest.mark.parametrize(("count", "size"), [(96, (390, 150)), (384, (390, 150)), (1536, (480, 330))])
def test_letters_along_the_edges_can_be_read(count, size, qtbot):
    """In a window of 1280 x 800 those of 384 wells were 4 pixels high."""
    view = PlateView(str)
    qtbot.addWidget(view)
    view.resize(*size)
    view.set_plates([PlateDrawing("p", PLATE_SHAPES[count])])
    view.show()
    qtbot.waitExposed(view)
    assert view.placed[0].every * LETTER * UNIT * view.transform().m11() >= 0.98 * READABLE


def turn(view, at, steps):
    """Turn the wheel over a place of a view."""
    where = QPointF(view.viewport().mapToGlobal(at))
    event = QWheelEvent(
        QPointF(at), where, QPoint(), QPoint(0, 120 * steps), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view.viewport(), event)


def test_the_wheel_zooms_the_middle_button_moves_and_home_shows_all(panel, qtbot):
    view, viewport = panel.view, panel.view.viewport()
    whole, before = view.transform().m11(), view.position_of("toy/E07")
    turn(view, before, 6)
    assert view.transform().m11() == pytest.approx(whole * 1.25**6, rel=1e-6)
    beside = view.position_of("toy/E06")
    assert (view.position_of("toy/E07") - before).manhattanLength() <= 3, "what is under the mouse stays"
    assert beside.x() < view.position_of("toy/E07").x() - 30 * whole
    qtbot.mousePress(viewport, Qt.MouseButton.MiddleButton, NONE, beside)
    qtbot.mouseMove(viewport, beside + QPoint(25, 10))
    qtbot.mouseRelease(viewport, Qt.MouseButton.MiddleButton, NONE, beside + QPoint(25, 10))
    assert view.position_of("toy/E06") == beside + QPoint(25, 10)
    qtbot.mouseClick(viewport, LEFT, NONE, view.position_of("toy/E06"))
    assert panel.value() == {"toy/E06"}, "what is clicked is what is under the mouse"
    panel.session.selection.replace([])
    assert view.transform().m11() > whole, "a selection keeps the zoom"
    for _ in range(3):
        qtbot.keyClick(view, Qt.Key.Key_Up)
    assert viewport.rect().contains(view.position_of(view.current)), "the keyboard never leaves the view"
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.transform().m11() == pytest.approx(whole)
    turn(view, before, -3)
    assert view.transform().m11() == pytest.approx(whole), "never smaller than fits"


def test_the_arrow_beside_thumbnails_asks_for_the_plate_on_the_canvas(panel):
    asked = []
    panel.session.requested.connect(asked.append)
    panel.pictures.menu().actions()[0].trigger()
    assert asked == [MapPictureRequest("plate")]
    assert not panel.session.view.thumbnails


@pytest.fixture
def two_plates(full_session):
    """The toy plate twice; C06 and D04 match on the first, E07 on the second."""
    import dataclasses

    import pandas as pd

    screen = full_session.screen
    second = screen.wells.rename(index=lambda i: i.replace("toy/", "other/")).assign(Metadata_Plate="other")
    labels = screen.labels | {i.replace("toy/", "other/"): p for i, p in screen.labels.items()}
    both = dataclasses.replace(screen, wells=pd.concat([screen.wells, second]), labels=labels)
    full_session.set_screen(both)
    full_session.answer = answer_for(both, {"toy/C06": 9.0, "toy/D04": 5.0, "other/E07": 8.0})
    full_session.look(threshold=4.0)
    return full_session


@pytest.fixture
def two(two_plates, qtbot):
    panel = PlatePanel(two_plates, Thumbnails(two_plates))
    qtbot.addWidget(panel)
    panel.resize(600, 400)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def test_the_strip_names_plates_with_their_hits_and_chooses_one(two, qtbot):
    assert [two.plates.tabText(i) for i in range(2)] == ["other · 1", "toy · 2"]
    assert two.session.view.plate == "toy"
    assert two.plates.currentIndex() == 1
    qtbot.mouseClick(two.plates, LEFT, NONE, two.plates.tabRect(0).center())
    assert two.session.view.plate == "other"
    assert two.view.position_of("other/C04")
    with pytest.raises(KeyError):
        two.view.position_of("toy/C04")


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["BR00117010", "BR00117011"], ["…7010", "…7011"]),
        (["screen-A", "screen-B", "screen-C"], ["…A", "…B", "…C"]),
        (["20210607_B5_P1", "20210607_B6_P1"], ["…B5_P1", "…B6_P1"]),
        (["screen-", "screen-A"], ["…-", "…-A"]),
        (["P1", "P2"], ["P1", "P2"]),
        (["alone-1"], ["alone-1"]),
        ([], []),
    ],
)
def test_names_of_plates_leave_out_what_they_share(names, short):
    """In the strip of a window of 1280 pixels one and a half of four plates could be read."""
    assert short_names(names) == short


def test_one_plate_has_no_button_to_draw_several(panel):
    """Its name was cut for it in a window of 1280 pixels."""
    assert panel.side_by_side.isHidden()


def test_plates_side_by_side_are_picked_from_alike(two, qtbot):
    qtbot.mouseClick(two.side_by_side, LEFT)
    viewport = two.view.viewport()
    spots = [two.view.position_of(f"{name}/C04") for name in ("toy", "other")]
    assert all(viewport.rect().contains(spot) for spot in spots)
    qtbot.mouseClick(viewport, LEFT, NONE, spots[0])
    qtbot.mouseClick(viewport, LEFT, SHIFT, spots[1])
    assert two.value() == {"toy/C04", "other/C04"}
    qtbot.keyClick(two.view, Qt.Key.Key_Right)
    assert two.value() == {"other/C05"}, "the keyboard stays on the plate it is on"


@pytest.mark.parametrize("count", [2, 3, 7])
def test_plates_side_by_side_never_overlap(count):
    drawings = [PlateDrawing(f"p{i}", (16, 24)) for i in range(count)]
    placed = arrange(drawings, QSizeF(600, 400))
    for i, one in enumerate(placed):
        assert not any(one.area.intersects(other.area) for other in placed[i + 1 :])


def test_headers_select_rows_columns_and_all(panel, qtbot):
    view, viewport = panel.view, panel.view.viewport()
    qtbot.mouseClick(viewport, LEFT, NONE, view.header_position(row=3))
    assert panel.value() == {"toy/D04", "toy/D06", "toy/D07"}
    qtbot.mouseClick(viewport, LEFT, SHIFT, view.header_position(column=3))
    assert panel.value() == {"toy/D04", "toy/D06", "toy/D07", "toy/C04", "toy/E04"}
    qtbot.mouseClick(viewport, LEFT, ALT, view.header_position(row=3))
    assert panel.value() == {"toy/C04", "toy/E04"}
    qtbot.mouseClick(viewport, LEFT, NONE, view.header_position())
    assert len(panel.value()) == 11


def test_a_well_whose_sites_all_failed_is_crossed_out(full_session, qtbot, monkeypatch):
    import pandas as pd

    screen = full_session.screen
    screen.wells.loc["toy/E07", "Metadata_sites"] = 0
    failures = pd.DataFrame(
        {"Metadata_Site_id": ["toy/E07/1", "toy/C04/1"], "Metadata_Well_id": ["toy/E07", "toy/C04"]}
    )
    monkeypatch.setattr(type(screen), "failures", property(lambda _self: failures))
    full_session.set_screen(screen)
    panel = PlatePanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    assert {mark.id for mark in panel.view.marks if mark.failed} == {"toy/E07"}, "C04 has another site"


def test_pictures_are_offered_where_there_are_some(full_session, qtbot, monkeypatch):
    """A screen of profiles has none: Thumbnails drew empty wells, Show on canvas nothing."""
    thumbnails = Thumbnails(full_session)
    for there in (True, False):
        monkeypatch.setattr(Thumbnails, "has_picture", lambda _self, _well, there=there: there)
        panel = PlatePanel(full_session, thumbnails)
        qtbot.addWidget(panel)
        assert panel.pictures.isEnabled() == there


def test_thumbnails_stand_in_place_of_colours(panel, qtbot):
    panel.session.look(colour_by="sites")
    qtbot.mouseClick(panel.pictures, LEFT)
    picture = pixels(panel.view.viewport())
    at = panel.view.position_of("toy/E07")
    shade = panel.session.screen.preview("toy/E07")[0, 0]
    assert np.abs(picture[at.y(), at.x(), :3].astype(int) - shade).max() <= 8, "a display of 16 bits rounds"
    qtbot.mouseClick(panel.pictures, LEFT)
    assert np.ptp(pixels(panel.view.viewport())[at.y() + 6, at.x(), :3].astype(int)) > 20


def test_names_of_a_legend_share_the_width():
    assert shared([50, 60], 400) == [50, 60]
    assert shared([50, 200, 300], 400) == [50, 175, 175]
    assert sum(shared([90, 120, 100, 130], 300)) == pytest.approx(300)
    assert shared([], 100) == []


def test_medians_along_the_edges_are_on_the_scale_of_the_legend(panel):
    panel.session.look(highlight="all")
    drawing, scale = panel.view.placed[0].drawing, panel.colours.legend.value().scale
    table = panel.session.wells
    middle = table["score"][table["row"] == 3].median()
    assert drawing.rows[3] == tuple(scale.in_colour(np.array([middle]))[0])
    assert drawing.rows[0] is None


def test_clip_or_rescale(panel, qtbot):
    panel.session.look(highlight="all")
    clipped = panel.colours.legend.value().scale
    qtbot.mouseClick(panel.colours.clip, LEFT, NONE, QPoint(8, panel.colours.clip.height() // 2))
    scale = panel.colours.legend.value().scale
    assert not panel.session.view.clip
    assert (scale.low, scale.high) == (0.0, 9.0)
    assert clipped.high < 9.0


def test_a_new_colour_is_chosen_for_every_view_and_explained(panel, qtbot):
    by = panel.colours.by
    titles = [by.itemText(i) for i in range(by.count()) if by.itemData(i)]
    assert {"Score", "Treatment", "Mechanism", "Control", "Number of sites"} <= set(titles)
    while by.currentText() != "Control":
        qtbot.keyClick(by, Qt.Key.Key_Down)
    assert panel.session.view.colour_by == "control"
    legend = panel.colours.legend.value()
    asked_first = [("poscon", 1), ("negcon", 2)]
    assert [(c.name, c.count) for c in legend.categories] == asked_first
    colours = {mark.id: mark.rgb for mark in panel.view.marks}
    assert colours["toy/C04"] == colours["toy/C05"] == legend.categories[1].rgb
    assert colours["toy/C06"] == legend.categories[0].rgb
    assert colours["toy/D04"] is None, "no control: an outline alone"
    assert "negcon: 2" in panel.colours.legend.text()
