"""The Hits tab: lines of treatments, wells as chips, gallery, filters, columns; real clicks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QItemSelectionModel, QPoint, QRect, QRectF, Qt
from qtpy.QtGui import QFontMetrics, QIcon
from qtpy.QtWidgets import QStyleOptionViewItem

from napari_cellclip.gui.palette import well_colours
from napari_cellclip.gui.panels.hits.chips import CHIP, chip_boxes, curve_points
from napari_cellclip.gui.panels.hits.gallery import caption_lines, in_lines
from napari_cellclip.gui.panels.hits.hit_columns import KEYS
from napari_cellclip.gui.panels.hits.hits_model import EXAMPLE, EXAMPLE_TIP, ID_ROLE, SWATCH, WELLS_ROLE
from napari_cellclip.gui.panels.hits.hits_panel import HitsPanel
from napari_cellclip.gui.panels.stain_bars import BARS_ROLE
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.recent import hit_columns_chosen
from napari_cellclip.gui.state.colouring import chosen_colouring
from napari_cellclip.gui.state.requests import AskRequest, VersusRequest
from tests.gui.toy_screens import answer_for, contributions

LEFT = Qt.MouseButton.LeftButton
NEGATIVE = ("toy/C04", "toy/C05")


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Chosen columns are kept in a file of the user's: one for each test."""
    monkeypatch.setattr("napari_cellclip.gui.recent.state_folder", lambda: tmp_path / "state")


@pytest.fixture
def hits(full_session, qtbot):
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    panel.resize(700, 400)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def row_of(panel, well):
    return panel.model.place_of[well][0]


def selected(panel):
    indexes = panel.table.selectionModel().selectedRows()
    return {well for index in indexes for well in index.data(WELLS_ROLE)}


def middle(panel, row, key="treatment"):
    return panel.table.visualRect(panel.model.index(row, KEYS.index(key))).center()


def test_one_line_a_treatment_and_its_wells_best_first(hits):
    assert list(hits.value().index[:3]) == ["toy/C06", "toy/D04", "toy/E07"]
    row = row_of(hits, "toy/C04")
    assert row == row_of(hits, "toy/C05"), "the two controls share a line"
    line = hits.model.index(row, 0)
    assert set(line.data(WELLS_ROLE)) == set(NEGATIVE)
    assert hits.model.rowCount(line) == 2
    assert {hits.model.index(k, 0, line).data(ID_ROLE) for k in range(2)} == set(NEGATIVE)
    assert hits.model.parent(hits.model.index(1, 0, line)) == line
    assert hits.model.rowCount(hits.model.index(0, 0)) == 0, "a treatment in one well does not unfold"
    assert hits.model.rowCount() == 10


def test_scores_of_a_line_are_means_of_its_wells(full_session, qtbot):
    full_session.answer = answer_for(full_session.screen, {"toy/C04": 3.0, "toy/C05": 1.0})
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    row = row_of(panel, "toy/C04")
    assert panel.model.index(row, KEYS.index("score")).data() == "2.00"
    assert panel.model.index(row, 0).data(ID_ROLE) == "toy/C04", "the best well stands first"
    assert panel.model.index(row, KEYS.index("replicates")).data() == "2"


@pytest.mark.parametrize("key", ["treatment", "score"])
def test_a_click_on_a_header_sorts_and_another_one_turns(hits, qtbot, key):
    header = hits.table.header()

    def click():
        spot = QPoint(header.sectionViewportPosition(KEYS.index(key)) + 10, header.height() // 2)
        qtbot.mouseClick(header.viewport(), LEFT, pos=spot)
        return [hits.model.index(r, KEYS.index(key)).data() for r in range(hits.model.rowCount())]

    first, second = click(), click()
    read = float if key == "score" else str
    values = [read(text) for text in first]
    assert values in (sorted(values), sorted(values, reverse=True))
    assert [read(text) for text in second] in (sorted(values), sorted(values, reverse=True))
    assert [read(t) for t in first] != [read(t) for t in second]


def test_pictures_are_made_between_frames_and_belong_to_their_wells(hits, qtbot):
    screen, thumbnails = hits.session.screen, hits.model._thumbnails
    qtbot.waitUntil(lambda: thumbnails.is_known("toy/C06", CHIP))
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        hits.model.sort(KEYS.index("treatment"), order)
        hits.table.scrollToTop()
        qtbot.wait(50)
        picture = hits.table.viewport().grab().toImage()
        for row in range(3):
            index = hits.model.index(row, KEYS.index("id"))
            (box, *_), _ = chip_boxes(hits.table.visualRect(index), 1)
            qtbot.waitUntil(lambda i=index: thumbnails.is_known(i.data(ID_ROLE), CHIP))
            picture = hits.table.viewport().grab().toImage()
            shade = picture.pixelColor(box.center()).red()
            # A test display may hold 16 bits per pixel; wells are 20 apart.
            assert abs(shade - int(screen.preview(index.data(ID_ROLE))[0, 0, 0])) < 9


def test_selected_lines_do_not_tint_their_pictures(hits, qtbot):
    """Qt draws the icon of a selected row in the colour of the selection."""
    hits.session.selection.replace(["toy/D04"])
    qtbot.waitUntil(lambda: hits.model._thumbnails.is_known("toy/D04", CHIP))
    index = hits.model.index(row_of(hits, "toy/D04"), KEYS.index("id"))
    (box, *_), _ = chip_boxes(hits.table.visualRect(index), 1)
    colour = hits.table.viewport().grab().toImage().pixelColor(box.center())
    shade = int(hits.session.screen.preview("toy/D04")[0, 0, 0])
    assert max(abs(c - shade) for c in (colour.red(), colour.green(), colour.blue())) < 9


def test_selection_goes_both_ways_by_id(hits, qtbot):
    hits.session.selection.replace(["toy/D04", "toy/E07"])
    assert selected(hits) == {"toy/D04", "toy/E07"}
    hits.model.sort(KEYS.index("score"), Qt.SortOrder.AscendingOrder)
    qtbot.mouseClick(hits.table.viewport(), LEFT, pos=middle(hits, 0))
    assert hits.session.selection.ids == set(hits.model.wells_at(0))


def test_a_click_on_a_line_selects_all_its_wells_and_one_on_a_well_that_one(hits, qtbot):
    row = row_of(hits, "toy/C04")
    hits.table.scrollTo(hits.model.index(row, 0))
    qtbot.mouseClick(hits.table.viewport(), LEFT, pos=middle(hits, row))
    assert hits.session.selection.ids == set(NEGATIVE)
    line = hits.model.index(row, 0)
    hits.table.expand(line)
    child = hits.model.index(1, 0, line)
    hits.table.scrollTo(child)
    qtbot.mouseClick(hits.table.viewport(), LEFT, pos=hits.table.visualRect(child).center())
    assert hits.session.selection.ids == {child.data(ID_ROLE)}
    hits.session.selection.replace([NEGATIVE[0]])
    assert selected(hits) == {NEGATIVE[0]}, "half of a line selects the well, not the line"


def test_undo_reaches_the_table(hits):
    hits.session.selection.replace(["toy/D04"])
    hits.session.selection.replace(["toy/C06"])
    hits.session.edits.undo()
    assert selected(hits) == {"toy/D04"}


def test_a_new_answer_keeps_the_selection_and_begins_at_the_top(hits, qtbot):
    hits.resize(500, 130)
    hits.session.selection.replace(["toy/D04"])
    bar = hits.table.verticalScrollBar()
    bar.setValue(bar.maximum())
    assert bar.value() > 0
    hits.session.answer = answer_for(hits.session.screen, {"toy/E07": 20.0})
    assert hits.session.selection.ids == {"toy/D04"}
    assert selected(hits) == {"toy/D04"}
    assert hits.value().index[0] == "toy/E07"
    assert bar.value() == 0


def test_double_click_opens_the_well(hits, qtbot):
    spot = middle(hits, row_of(hits, "toy/D04"))
    qtbot.mouseClick(hits.table.viewport(), LEFT, pos=spot)
    qtbot.mouseDClick(hits.table.viewport(), LEFT, pos=spot)
    assert hits.session.shown_well == "toy/D04"


def test_without_controls_the_cosine_ranks_and_colours(full_session, qtbot):
    answer = answer_for(full_session.screen, {"toy/E05": 3.0, "toy/E06": 2.0})
    full_session.answer = dataclasses.replace(answer, scores=answer.scores.assign(score=np.nan))
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    assert list(panel.value().index[:2]) == ["toy/E05", "toy/E06"]
    assert chosen_colouring(full_session).key == "cosine"
    assert not panel.table.isColumnHidden(KEYS.index("cosine"))


def test_hits_show_q_replicates_and_bars(full_session, qtbot):
    full_session.answer = answer_for(full_session.screen, {"toy/C06": 9.0, "toy/D04": 5.0}, match=True)
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    q, n, stains = (KEYS.index(key) for key in ("q", "replicates", "stains"))
    assert panel.model.index(0, q).data() == "0.00012"
    assert panel.model.index(0, n).data() == "1"
    assert panel.table.isColumnHidden(stains)
    full_session.explanations.contributions = contributions(["toy/C06"])
    assert not panel.table.isColumnHidden(stains)
    assert panel.model.index(0, stains).data(BARS_ROLE)[0] == pytest.approx([0.01, 0.02, 0.03, 0.04, -0.05])
    assert panel.model.index(1, stains).data(BARS_ROLE) is None
    role = Qt.ItemDataRole.ForegroundRole
    assert [panel.model.index(row, q).data(role) is not None for row in range(3)] == [False, False, True]


def test_examples_of_a_question_say_that_they_are_not_tested(full_session, qtbot):
    answer = answer_for(full_session.screen, {"toy/C06": 9.0, "toy/D04": 5.0}, match=True)
    untested = answer.scores.assign(q=answer.scores["q"].where(answer.scores.index != "toy/C06"))
    full_session.show_answer(
        dataclasses.replace(answer, scores=untested), AskRequest.by_example(["toy/C06"], ["toy/E07"])
    )
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    cells = {
        w: panel.model.index(row_of(panel, w), KEYS.index("q")) for w in ("toy/C06", "toy/E07", "toy/D04")
    }
    assert cells["toy/C06"].data() == cells["toy/E07"].data() == EXAMPLE
    assert cells["toy/C06"].data(Qt.ItemDataRole.ToolTipRole) == EXAMPLE_TIP
    assert cells["toy/D04"].data() not in ("", EXAMPLE)


def test_a_filter_keeps_lines_and_says_what_it_cannot_read(hits, qtbot):
    qtbot.keyClicks(hits.filter, "score > 4, treatment: noco")
    assert list(hits.value().index) == ["toy/C06"]
    hits.filter.clear()
    assert hits.model.rowCount() == 10
    qtbot.keyClicks(hits.filter, "score > many")
    assert "is a number" in hits.filter.toolTip()
    assert hits.model.rowCount() == 10
    hits.filter.setText("D0")
    assert all("/D0" in well for well in hits.value().index)


def test_wells_and_gallery_show_the_same_wells(hits, qtbot):
    qtbot.mouseClick(hits.buttons["wells"], LEFT)
    assert hits.model.rowCount() == 11
    assert all(len(hits.model.wells_at(row)) == 1 for row in range(11))
    qtbot.mouseClick(hits.buttons["gallery"], LEFT)
    assert hits.gallery.isVisible()
    assert hits.pictures.ids[:3] == ["toy/C06", "toy/D04", "toy/E07"]
    index = hits.pictures.index(1)
    assert index.data() == "D04 · 5.0\ncompound-4 3 µM"
    spot = hits.gallery.visualRect(index).center()
    qtbot.mouseClick(hits.gallery.viewport(), LEFT, pos=spot)
    assert hits.session.selection.ids == {"toy/D04"}
    qtbot.mouseDClick(hits.gallery.viewport(), LEFT, pos=spot)
    assert hits.session.shown_well == "toy/D04"
    hits.session.selection.replace(["toy/C06", "toy/E07"])
    chosen = hits.gallery.selectionModel().selectedIndexes()
    assert {i.data(ID_ROLE) for i in chosen} == {"toy/C06", "toy/E07"}


def test_columns_are_chosen_and_remembered(hits, qtbot, full_session):
    hits.column_menu.aboutToShow.emit()
    actions = {a.data(): a for a in hits.column_menu.actions()}
    assert "treatment" not in actions
    assert actions["mechanism"].isChecked()
    actions["mechanism"].trigger()
    actions["well"].trigger()
    assert hits.table.isColumnHidden(KEYS.index("mechanism"))
    assert not hits.table.isColumnHidden(KEYS.index("well"))
    assert hit_columns_chosen() == {"mechanism": False, "well": True}
    again = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(again)
    assert again.table.isColumnHidden(KEYS.index("mechanism"))
    assert not again.table.isColumnHidden(KEYS.index("well"))


def test_the_plate_is_shown_where_there_are_several_whatever_is_chosen(full_session, qtbot):
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    assert panel.table.isColumnHidden(KEYS.index("plate"))
    screen = full_session.screen
    more = screen.wells.rename(index=lambda i: i.replace("toy/", "second/")).assign(Metadata_Plate="second")
    labels = {i.replace("toy/", "second/"): p for i, p in screen.labels.items()}
    both = dataclasses.replace(screen, wells=pd.concat([screen.wells, more]), labels=screen.labels | labels)
    panel._chosen_columns = {"plate": False}
    full_session.set_screen(both)
    assert not panel.table.isColumnHidden(KEYS.index("plate"))
    row = row_of(panel, "toy/C06")
    assert panel.model.index(row, KEYS.index("plate")).data() == "second, toy"
    assert set(panel.model.wells_at(row)) == {"toy/C06", "second/C06"}


def test_long_texts_are_elided_and_whole_in_the_tooltip(hits):
    index = hits.model.index(row_of(hits, "toy/D04"), KEYS.index("mechanism"))
    assert hits.table.textElideMode() == Qt.TextElideMode.ElideRight
    tip = index.data(Qt.ItemDataRole.ToolTipRole)
    assert tip.replace("\u2060", "") == "some <mechanism>"


def test_the_menu_of_a_line_asks_for_versus(hits, qtbot):
    asked = []
    hits.session.requested.connect(asked.append)
    hits._row_menu(middle(hits, row_of(hits, "toy/C06")))
    menu = next(m for m in hits.findChildren(type(hits.column_menu)) if m.isVisible())
    next(a for a in menu.actions() if "control" in a.text()).trigger()
    menu.close()
    assert asked == [VersusRequest(("toy/C06",))]


def test_return_opens_the_current_line(hits, qtbot):
    row = row_of(hits, "toy/D04")
    index = hits.model.index(row, 0)
    hits.table.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    hits.table.setFocus()
    qtbot.keyClick(hits, Qt.Key.Key_Return)
    assert hits.session.shown_well == "toy/D04"


def test_chips_that_do_not_fit_are_counted():
    boxes, rest = chip_boxes(QRect(0, 0, 3 * (CHIP + 3) + 3, 40), 3)
    assert (len(boxes), rest) == (3, 0)
    boxes, rest = chip_boxes(QRect(0, 0, 3 * (CHIP + 3) + 3, 40), 9)
    assert (len(boxes), rest) == (2, 7)
    assert not any(a.intersects(b) for a in boxes for b in boxes if a is not b)


def test_a_dose_curve_is_drawn_only_where_every_dose_has_a_score():
    box = QRectF(0, 0, 20, 10)
    points = curve_points([0.0, 5.0, 10.0], box)
    assert [(p.x(), p.y()) for p in points] == [(0, 10), (10, 5), (20, 0)]
    assert curve_points([0.0, float("nan")], box) is None


def test_a_filter_fades_the_other_wells_on_plate_and_map_and_is_shared(hits, qtbot):
    session = hits.session
    other = HitsPanel(session, Thumbnails(session))
    qtbot.addWidget(other)
    before = well_colours(session, session.wells.index, (0, 0, 0))
    assert not before.faded.any()
    qtbot.keyClicks(hits.filter, "treatment: compound")
    assert session.view.filter == other.filter.text() == "treatment: compound"
    assert other.model.ids == hits.model.ids
    colours = well_colours(session, session.wells.index, (0, 0, 0))
    kept = np.array(["compound" in text for text in session.wells["treatment"]])
    assert 0 < kept.sum() < len(kept)
    assert (colours.faded == ~kept).all()
    assert not colours.bright[~kept].any()
    assert (np.ptp(colours.rgb[~kept].astype(int), axis=1) == 0).all(), "grey"
    assert set(hits.model.ids) == set(session.wells.index[kept])
    session.look(colour_by="control")
    assert not well_colours(session, session.wells.index, (0, 0, 0)).bright[~kept].any()

    # a text that is no condition filters nothing, and says so
    hits.filter.setText("score < much")
    assert not well_colours(session, session.wells.index, (0, 0, 0)).faded.any()
    assert "is a number" in hits.filter.toolTip()
    hits.filter.clear()
    assert session.view.filter == ""
    assert len(hits.model.ids) == len(session.wells)


def test_a_line_has_the_colour_of_its_well_untinted_by_the_selection(hits):
    session = hits.session
    index = hits.model.index(row_of(hits, "toy/C06"), 0)
    decoration = Qt.ItemDataRole.DecorationRole
    row = session.wells.index.get_loc("toy/C06")
    for key in ("score", "treatment"):
        session.look(colour_by=key)
        wanted = well_colours(session, session.wells.index, tones(hits).rgb).rgb[row]
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
            image = index.data(decoration).pixmap(SWATCH, SWATCH, mode).toImage()
            drawn = np.array(image.pixelColor(5, 5).getRgb()[:3])  # a test display may hold 16 bits
            assert np.abs(drawn - wanted).max() < 9, (key, mode)
    session.answer = None
    session.look(colour_by="score")
    assert index.data(decoration) is None, "a well without a value has none"


def test_the_mechanism_is_in_sight_and_widths_of_the_user_stay(hits, qtbot):
    table, mechanism = hits.table, KEYS.index("mechanism")
    right = table.header().sectionViewportPosition(mechanism) + table.columnWidth(mechanism)
    assert right <= table.viewport().width()
    assert table.columnWidth(mechanism) >= 22 * table.fontMetrics().averageCharWidth()
    table.header().resizeSection(KEYS.index("treatment"), 90)
    hits.refresh()
    assert table.columnWidth(KEYS.index("treatment")) == 90


def test_the_dose_is_read_where_a_treatment_is_shortened(hits):
    """Names were cut at their end, so that the doses of a treatment could not be told apart."""
    index = hits.model.index(0, KEYS.index("treatment"))
    option = QStyleOptionViewItem()
    hits.table.itemDelegateForColumn(index.column()).initStyleOption(option, index)
    assert option.textElideMode == Qt.TextElideMode.ElideMiddle
    texts = ["E10 · 5.8", "ZM-447439 hydrochloride 30 µM", "Aurora kinase inhibitor"]
    lines = caption_lines(texts, 90, hits.fontMetrics())
    assert lines[0] == texts[0]
    assert lines[1].endswith("30 µM")
    assert "…" in lines[1]
    assert " ".join(lines[2:]) == texts[2]


def test_captions_are_broken_between_words(qapp):
    """The mechanism below a picture of the gallery was cut after its first word."""
    metrics = QFontMetrics(qapp.font())
    wide = metrics.horizontalAdvance("Aurora kinase ")
    assert in_lines("Aurora kinase inhibitor", wide, metrics, 2) == ["Aurora kinase", "inhibitor"]
    assert in_lines("Aurora kinase inhibitor", wide, metrics, 1)[0].endswith("…")
    short = in_lines("tubulin polymerisation inhibitor", wide, metrics, 2)
    assert short[0] == "tubulin"
    assert short[1].startswith("poly")
    assert short[1].endswith("…")
    assert in_lines("", wide, metrics, 2) == [""]
    assert all(metrics.horizontalAdvance(line) <= wide for line in short)
