"""Public reference sets in the References tab: licence first, fetched on a click, from a server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMenu

from napari_cellclip.explore.references.public import public_sets
from napari_cellclip.explore.references.public.installed_sets import installed_references
from napari_cellclip.gui.panels.references.references_panel import ReferencesPanel
from napari_cellclip.gui.state.requests import CancelRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of
from tests.public_server import Server, published_set, serving

PATIENCE = 60_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    with serving() as made:
        found = published_set(made, tmp_path)
        monkeypatch.setitem(public_sets.PUBLIC_SETS, "made", found)
        yield made


@pytest.fixture
def panel(qtbot, server) -> ReferencesPanel:
    viewer = ViewerModel()
    controller_of(viewer)
    panel = ReferencesPanel(controller_of(viewer).session)
    panel.viewer = viewer  # sessions live as long as their viewer
    qtbot.addWidget(panel)
    panel.messages = []
    panel.session.message.connect(lambda _task, text: panel.messages.append(text))
    panel.views.setCurrentIndex(2)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def made_menu(panel: ReferencesPanel):
    """The menu of the set that the server holds, as it is when the button's menu opens."""
    panel.public.sets.aboutToShow.emit()
    return next(a.menu() for a in panel.public.sets.actions() if a.text() == "made")


def idle(qtbot, session: Session) -> None:
    qtbot.waitUntil(lambda: all(session.work(t) is None for t in Task), timeout=PATIENCE)


def test_licence_and_size_come_first_and_nothing_is_fetched_without_a_click(panel, server) -> None:
    menu = made_menu(panel)
    texts = [action.text() for action in menu.actions()]
    assert "Licence: CC0" in texts
    assert "Please cite: nobody" in texts
    assert texts[-1] == "Fetch 0 MB from 127.0.0.1 and add"
    assert [a.isEnabled() for a in menu.actions() if a.text()] == [False, False, False, True]
    assert server.asked == []
    assert panel.public.toolTip()


def test_a_set_is_installed_added_and_the_second_time_only_added(panel, qtbot, server) -> None:
    session = panel.session
    for _ in range(2):
        made_menu(panel).actions()[-1].trigger()
        qtbot.waitUntil(lambda: session.references.added is not None, timeout=PATIENCE)
        idle(qtbot, session)
        assert len(session.references.added.parts) == 1
        assert [s.licence for s in session.references.added.joined.sources] == ["CC0"]
        assert made_menu(panel).actions()[-1].text() == "Add to this session"
    assert installed_references() == ["made"]
    assert len(server.asked) == 2
    assert panel.messages == []
    assert panel.sources.item(0, 4).text() == "CC0"


def test_menus_that_were_offered_before_are_gone(panel, qtbot) -> None:
    """They piled up with each opening, and PySide6 crashed over them later."""
    for _ in range(3):
        panel.public.sets.aboutToShow.emit()
    qtbot.waitUntil(lambda: len(panel.public.sets.findChildren(QMenu)) == len(public_sets.PUBLIC_SETS))


def test_what_cannot_be_fetched_is_one_sentence_and_can_be_tried_again(panel, qtbot, server) -> None:
    notes = server.content.pop("/more.tsv")
    made_menu(panel).actions()[-1].trigger()
    qtbot.waitUntil(lambda: bool(panel.messages), timeout=PATIENCE)
    idle(qtbot, panel.session)
    assert "404" in panel.messages[0]
    assert panel.public.text() == "Public sets"
    server.content["/more.tsv"] = notes
    made_menu(panel).actions()[-1].trigger()
    qtbot.waitUntil(lambda: panel.session.references.added is not None, timeout=PATIENCE)
    idle(qtbot, panel.session)
    assert [path for path, _ in server.asked] == ["/P1.csv", "/more.tsv", "/more.tsv"]


def test_the_button_cancels_while_it_works(panel, qtbot) -> None:
    requested = []
    panel.session.requested.connect(requested.append)
    made_menu(panel).actions()[-1].trigger()
    qtbot.waitUntil(lambda: panel.public.text().startswith("Cancel"), timeout=PATIENCE)
    qtbot.mouseClick(panel.public, Qt.MouseButton.LeftButton)
    assert requested[-1] == CancelRequest(Task.INSTALL)
    qtbot.waitUntil(lambda: panel.public.text() == "Public sets", timeout=PATIENCE)
    assert panel.session.references.added is None
