"""Terms for wells: the Describe tab, and names of clusters on the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument

from napari_cellclip.explore import Description, Verdict
from napari_cellclip.explore.maps.cluster_names import NamedCluster
from napari_cellclip.gui.panels.explain.describe_panel import OWN, DescribePanel
from napari_cellclip.gui.panels.explain.terms_file import read_terms
from napari_cellclip.gui.panels.list_table import QUIET
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.map_panel import MapPanel
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.vocabulary import CellClipError


def description(fdr=0.05):
    table = pd.DataFrame(
        {
            "term": ["HDAC inhibitor", "BET inhibitor", "kinase inhibitor"],
            "score": [7.5, 3.0, 1.0],
            "cosine": [0.9, 0.5, 0.1],
            "p": [0.001, 0.2, np.nan],
            "q": [0.002, 0.2, np.nan],
            "in_vocabulary": [True, True, False],
        }
    )
    return Description(table, Verdict.SIGNIFICANT, fdr, {}, ("A note.",))


def annotations():
    return pd.DataFrame(
        {
            "treatment": ["compound-3", "compound-4"],
            "dose": [3.0, np.nan],
            "n_wells": [2, 1],
            "n_plates": [1, 1],
            "term": ["", "HDAC inhibitor"],
            "best": ["BET inhibitor", "HDAC inhibitor"],
            "score": [1.0, 6.0],
            "q": [0.4, 0.01],
        },
        index=["toy/C04|toy/C05", "toy/C06"],
    )


@pytest.fixture
def panel(qtbot, full_session):
    panel = DescribePanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(600, 400)
    panel.show()
    return panel


def seen(label):
    """Words of a label as they are drawn: what looks like a tag is not."""
    assert label.textFormat() == Qt.TextFormat.RichText
    document = QTextDocument()
    document.setHtml(label.text())
    return document.toPlainText()


def cells(panel, column):
    return [panel.table.item(row, column).text() for row in range(panel.table.rowCount())]


def test_terms_best_first_with_what_stands_out_bright(panel):
    panel.session.described.emit(description())
    assert seen(panel.state) == f"{panel.value().verdict} A note."
    assert cells(panel, 0) == ["HDAC inhibitor", "BET inhibitor", "kinase inhibitor"]
    assert cells(panel, 2) == ["0.002", "0.2", ""]
    quiet = [panel.table.item(row, 0).data(QUIET) for row in range(3)]
    assert quiet == [False, True, True]


def test_all_treatments_lead_to_their_wells(panel, qtbot):
    panel.session.described.emit(annotations())
    assert cells(panel, 0) == ["compound-4", "compound-3"], "the surest first"
    assert "1 of 2 treatments" in panel.state.text()
    place = panel.table.visualItemRect(panel.table.item(1, 0)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert panel.session.selection.ids == {"toy/C04", "toy/C05"}


def test_a_word_is_asked_by_a_double_click(panel):
    asked = []
    panel.session.requested.connect(lambda request: asked.append(request.text))
    panel.session.described.emit(description())
    panel.table.cellDoubleClicked.emit(1, 0)
    assert asked == ["BET inhibitor"]


def test_buttons_ask_about_the_selection_and_all(panel, qtbot, monkeypatch):
    calls = []

    def describe(screen, wells, vocabulary, fdr):
        calls.append((wells, vocabulary, fdr))
        return description(fdr)

    monkeypatch.setattr("napari_cellclip.explore.describe", describe)
    monkeypatch.setattr("napari_cellclip.explore.annotate_all", lambda screen, vocabulary, fdr: annotations())
    controller = Controller(panel.session)
    panel.session.selection.replace([])
    assert not panel.button.isEnabled()
    panel.session.selection.replace(["toy/D04", "toy/C06"])
    panel.session.look(fdr=0.2)
    panel.terms.setCurrentIndex(panel.terms.findData("compounds"))
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.value() is not None)
    assert calls == [(("toy/C06", "toy/D04"), "compounds", 0.2)]
    qtbot.waitUntil(lambda: panel.session.work(Task.DESCRIBE) is None)
    assert "HDAC inhibitor" in panel.state.text(), "what was found is not wiped by the end of the work"
    qtbot.mouseClick(panel.all_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: isinstance(panel.value(), pd.DataFrame))
    controller.close()


def test_failure_is_one_sentence_and_buttons_come_back(panel, qtbot, monkeypatch):
    def describe(screen, wells, vocabulary, fdr):
        raise CellClipError("none of the selected wells has an embedding: select others")

    monkeypatch.setattr("napari_cellclip.explore.describe", describe)
    controller, messages = Controller(panel.session), []
    panel.session.message.connect(lambda task, message: messages.append(message))
    panel.session.selection.replace(["toy/C06"])
    qtbot.mouseClick(panel.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(messages))
    assert messages == ["none of the selected wells has an embedding: select others"]
    qtbot.waitUntil(panel.button.isEnabled)
    controller.close()


def test_own_list_of_terms(panel, tmp_path):
    path = tmp_path / "terms.txt"
    path.write_text("# mine\nHDAC   inhibitor\n\nBET inhibitor\nHDAC inhibitor\n", encoding="utf-8")
    assert read_terms(path) == ("HDAC inhibitor", "BET inhibitor")
    panel.terms.setCurrentIndex(panel.terms.findData(OWN))
    panel.load(path)
    assert panel.chosen_terms() == ("HDAC inhibitor", "BET inhibitor")
    assert "2 terms of terms.txt" in panel.state.text()
    messages = []
    panel.session.message.connect(lambda task, message: messages.append(message))
    (tmp_path / "noise.txt").write_bytes(b"\xff\xfe\x00\x81")
    panel.load(tmp_path / "noise.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    panel.load(tmp_path / "empty.txt")
    assert "noise.txt cannot be read" in messages[0]
    assert "0 terms" in messages[1]
    assert panel.chosen_terms() == "mechanisms"


def test_table_is_written_and_a_failure_told(panel, qtbot, tmp_path):
    messages = []
    panel.session.message.connect(lambda task, message: messages.append(message))
    panel.session.described.emit(annotations())
    controller = Controller(panel.session)
    panel.write(tmp_path / "words.csv")
    assert messages == [], "written in the main thread"
    qtbot.waitUntil(lambda: len(messages) == 1)
    assert pd.read_csv(tmp_path / "words.csv")["best"].tolist() == ["BET inhibitor", "HDAC inhibitor"]
    panel.write(tmp_path / "nowhere" / "words.csv")
    qtbot.waitUntil(lambda: len(messages) == 2)
    controller.close()
    assert messages[0].startswith("Written: ")
    assert "nowhere" in messages[1]


def test_names_of_clusters_lie_on_the_map_without_covering_each_other(panel, qtbot, monkeypatch):
    session = panel.session
    clusters = [
        NamedCluster(("toy/C06",), (0.0, 0.0), "tubulin polymerisation inhibitor", 0.01),
        NamedCluster(("toy/D04",), (0.02, 0.01), "proteasome inhibitor", 0.01),
        NamedCluster(("toy/E07",), (0.5, 0.5), "", 0.7),
    ]
    monkeypatch.setattr("napari_cellclip.explore.maps.cluster_names.name_clusters", lambda *a, **k: clusters)
    controller = Controller(session)
    view = MapPanel(session, Thumbnails(session))
    qtbot.addWidget(view)
    view.resize(500, 400)
    view.show()
    qtbot.waitExposed(view)
    qtbot.mouseClick(panel.name, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(session.clusters))
    qtbot.waitUntil(lambda: session.work(Task.DESCRIBE) is None)
    assert panel.name.isChecked()
    qtbot.wait(50)
    labels = view.view.names.labels
    assert [label.toPlainText() for label in labels] == [c.name for c in clusters[:2]], (
        "silent ones are not written"
    )
    boxes = [label.sceneBoundingRect().adjusted(1, 1, -1, -1) for label in labels]
    assert all(label.isVisible() for label in labels)
    assert not boxes[0].intersects(boxes[1])
    qtbot.mouseClick(panel.name, Qt.MouseButton.LeftButton)
    assert session.clusters == ()
    assert view.view.names.labels == []
    controller.close()
