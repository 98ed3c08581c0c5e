"""Markup in names of files, treatments and messages is shown as text, and no picture in it is loaded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QLabel

from napari_cellclip.gui.panels.header import Header
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.gui.state.session import Session

HOSTILE = ["<img src='file:///etc/passwd' width=900>", "a<b>bold</b>", "<a href='x'>click</a>", "x &lt; y"]


@pytest.mark.parametrize("label", [PlainLabel, PlainElidingLabel])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_is_as_wide_as_its_text_with_markup(qtbot: Any, label: type[QLabel], text: str) -> None:
    plain_label, guessing = label(text), QLabel(text)
    qtbot.addWidget(plain_label)
    qtbot.addWidget(guessing)
    letters = plain_label.fontMetrics().horizontalAdvance(text)
    assert plain_label.textFormat() == Qt.TextFormat.PlainText
    if label is PlainLabel:
        assert plain_label.sizeHint().width() >= letters
        assert guessing.sizeHint().width() != plain_label.sizeHint().width()  # Qt does guess


@given(st.text(alphabet=st.sampled_from("<>/&;ltab!? \n=\"'"), max_size=40))
def test_nothing_that_went_through_plain_is_taken_for_markup(text: str) -> None:
    assert not Qt.mightBeRichText(plain(text))
    assert plain(text).replace("\u2060", "") == text


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_neutralised(text: str) -> None:
    assert Qt.mightBeRichText(text)
    document = QTextDocument()
    document.setHtml(text)
    assert document.toPlainText() != text  # what Qt would have shown
    assert not Qt.mightBeRichText(plain(text))


def test_a_message_with_markup_is_shown_as_it_stands(qtbot: Any) -> None:
    session = Session()
    header = Header(session)
    qtbot.addWidget(header)
    session.message.emit("open", f"{HOSTILE[0]} is no plate.")
    assert header.status.message.text() == f"{HOSTILE[0]} is no plate."
    assert header.status.message.textFormat() == Qt.TextFormat.PlainText
