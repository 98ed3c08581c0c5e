"""The table of prompts and the bars of stains, worked with the mouse and the keyboard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QRectF, Qt
from qtpy.QtWidgets import QLineEdit

from napari_cellclip.explore.wording.wording import Prompt
from napari_cellclip.gui.panels.query.prompt_table import PROMPT, SOURCE, WEIGHT, PromptTable
from napari_cellclip.gui.panels.stain_bars import bar_rectangles, zero_line

PROMPTS = (
    Prompt("U2OS cells treated with compound: nocodazole", source="plate map", kind="compound"),
    Prompt("tubulin inhibitor", weight=2.0, source="typed", kind="mechanism", on=False),
)


@pytest.fixture
def table(qtbot):
    table = PromptTable()
    qtbot.addWidget(table)
    table.resize(600, 200)
    table.setValue(PROMPTS)
    table.show()
    return table


def type_into(qtbot, table, row, column, text):
    """Double-click a cell, type, press Enter."""
    place = table.visualItemRect(table.item(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    editor = table.findChildren(QLineEdit)[-1]  # an earlier one may wait for its deletion
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    with qtbot.waitSignal(table.itemChanged):  # Qt takes what was typed on its next turn
        qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_what_is_set_is_shown_and_given_back(table):
    assert table.value() == PROMPTS
    assert table.rowCount() == 3, "the last row waits for a prompt of one's own"
    assert table.item(0, SOURCE).text() == "plate map"
    assert table.item(1, WEIGHT).text() == "2"
    assert table.item(1, PROMPT).checkState() == Qt.CheckState.Unchecked


def test_ticking_off_keeps_the_prompt(qtbot, table):
    with qtbot.waitSignal(table.valueChanged):
        table.item(0, PROMPT).setCheckState(Qt.CheckState.Unchecked)
    first, second = table.value()
    assert not first.on
    assert (first.text, second) == (PROMPTS[0].text, PROMPTS[1])


def test_edited_words_are_the_users_own(qtbot, table):
    type_into(qtbot, table, 0, PROMPT, "U2OS cells treated with vinblastine")
    first = table.value()[0]
    assert (first.text, first.source, first.on) == ("U2OS cells treated with vinblastine", "typed", True)


def test_weights_are_numbers_or_stay(qtbot, table):
    type_into(qtbot, table, 0, WEIGHT, "-0.5")
    assert table.value()[0].weight == -0.5
    type_into(qtbot, table, 0, WEIGHT, "much")
    assert table.value()[0].weight == -0.5
    assert table.item(0, WEIGHT).text() == "-0.5"


def test_the_last_row_takes_a_new_prompt(qtbot, table):
    type_into(qtbot, table, 2, PROMPT, "  mitotic   arrest ")
    assert table.value()[2] == Prompt("mitotic arrest", source="typed")
    assert table.rowCount() == 4


@given(
    st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    st.floats(0.01, 2),
)
def test_bars_stand_on_zero_and_keep_their_proportions(values, full):
    box = QRectF(10, 20, 100, 40)
    numbers = np.array(values)
    zero = zero_line(numbers, box)
    bars = bar_rectangles(numbers, full, box)
    reach = zero - box.top()
    for value, bar in zip(values, bars, strict=True):
        assert bar.height() == pytest.approx(min(abs(value) / full, 1) * reach)
        assert (bar.bottom() if value >= 0 else bar.top()) == pytest.approx(zero)
        assert box.top() - 1e-6 <= bar.top() <= bar.bottom() <= box.bottom() + 1e-6
        assert box.left() - 1e-6 <= bar.left() <= bar.right() <= box.right() + 1e-6
    lefts = [bar.left() for bar in bars]
    assert lefts == sorted(lefts)
