"""The selection alone: no Qt, no napari."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellclip.gui.state.edits import Edits
from napari_cellclip.gui.state.selection import Mode, Selection

IDS = st.frozensets(st.sampled_from([f"p/A{i:02d}" for i in range(1, 9)]))
STEPS = st.lists(st.tuples(IDS, st.sampled_from(list(Mode))), max_size=12)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("replace", {"b", "c"}), ("add", {"a", "b", "c"}), ("subtract", {"a"}), ("intersect", {"b"})],
)
def test_modes(mode, expected):
    selection = Selection(Edits())
    selection.replace(["a", "b"])
    selection.apply(["b", "c"], mode)
    assert selection.ids == expected


@given(STEPS)
def test_undo_walks_back_through_every_state_and_redo_forward(steps):
    edits = Edits()
    selection = Selection(edits)
    states = [selection.ids]
    for ids, mode in steps:
        selection.apply(ids, mode)
        if selection.ids != states[-1]:
            states.append(selection.ids)
    for state in reversed(states[:-1]):
        edits.undo()
        assert selection.ids == state
    edits.undo()
    assert selection.ids == states[0]  # nothing is left to undo
    for state in states[1:]:
        edits.redo()
        assert selection.ids == state
    edits.redo()
    assert selection.ids == states[-1]


def test_a_new_step_forgets_what_was_undone():
    edits = Edits()
    selection = Selection(edits)
    selection.replace(["a"])
    edits.undo()
    selection.replace(["b"])
    edits.redo()
    assert selection.ids == {"b"}


def test_one_event_per_change_and_none_without():
    edits, heard = Edits(), []
    selection = Selection(edits)
    selection.changed.connect(heard.append)
    selection.replace(["a"])
    selection.add(["a"])
    selection.subtract(["z"])
    edits.undo()
    assert heard == [{"a"}, frozenset()]


def test_history_is_bounded():
    edits = Edits(depth=3)
    selection = Selection(edits)
    for i in range(10):
        selection.replace([str(i)])
    for _ in range(10):
        edits.undo()
    assert selection.ids == {"6"}


def test_needs_no_toolkit():
    code = (
        "import sys, napari_cellclip.gui.state.selection, napari_cellclip.gui.state.session\n"
        "bad = {'qtpy', 'napari', 'torch', 'PyQt6', 'PySide6', 'pyqtgraph'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
