"""The Set-up tab: stains shown and corrected, problems listed."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea

from napari_cellclip.gui.panels.run.problem_list import ProblemList
from napari_cellclip.gui.panels.run.run_panel import RunPanel
from napari_cellclip.gui.panels.run.stain_table import StainTable
from napari_cellclip.gui.state.requests import EncodeRequest
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from napari_cellclip.plates import open_plate
from napari_cellclip.vocabulary import STAINS, Stain


@pytest.fixture(scope="module")
def unnamed_folder(plate_folder, tmp_path_factory):
    """The toy plate with channels called ch1 … ch5: the files do not say which stain is which."""
    folder = tmp_path_factory.mktemp("plates") / "unnamed"
    folder.mkdir()
    for file in plate_folder.glob("*.tif"):
        well, site, stain = file.stem.split("_")
        shutil.copy(file, folder / f"{well}_{site}_ch{STAINS.index(Stain(stain)) + 1}.tif")
    return folder


def test_complete_mapping_is_folded_away(full_session, qtbot):
    panel = RunPanel(full_session)
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.source.stains.isVisible()
    assert "All five" in panel.source.unfold.text()
    assert "2 negative controls" in panel.source.platemap.text()
    assert panel.source.stains.value() == full_session.plate.stains.channels


def test_unmapped_plate_asks_and_takes_the_answer(session, unnamed_folder, qtbot):
    controller = Controller(session)
    session.set_plate(open_plate(unnamed_folder))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.source.stains.isVisible()
    assert "Assign a channel" in panel.source.unfold.text()
    for number, stain in enumerate(STAINS, start=1):
        panel.source.stains.combos[stain].setCurrentIndex(
            panel.source.stains.combos[stain].findData(f"ch{number}")
        )
    assert panel.source.stains.button.isEnabled()
    qtbot.mouseClick(panel.source.stains.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.work(Task.OPEN) is None)
    assert session.plate.stains.complete
    assert session.plate.stains.channels[Stain.MITO] == "ch5"
    assert not panel.source.stains.isVisible()
    controller.close()


def test_encoding_an_unmapped_plate_is_refused_in_words(session, unnamed_folder, qtbot):
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.set_plate(open_plate(unnamed_folder))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.encode.encode()
    qtbot.waitUntil(lambda: session.work(Task.ENCODE) is None)
    assert "ch1" in messages[-1]
    assert "under Set-up" in messages[-1]
    assert "channels=" not in messages[-1], "the window has no such option"
    assert panel.encode.encode_button.isEnabled()
    controller.close()


def test_mapping_round_trip_and_a_channel_twice(plate, qtbot):
    table = StainTable()
    qtbot.addWidget(table)
    table.set_plate(plate)
    swapped = {**plate.stains.channels, Stain.DNA: "ER", Stain.ER: "DNA"}
    with qtbot.waitSignal(table.valueChanged):
        table.setValue(swapped)
    assert table.value() == swapped
    assert table.button.isEnabled()
    table.setValue({**swapped, Stain.RNA: "DNA"})
    assert not table.button.isEnabled()
    assert "twice" in table.button.text()


def test_problems_of_the_plate_are_listed(plate_folder, session, tmp_path, qtbot):
    folder = tmp_path / "holes"
    shutil.copytree(plate_folder, folder)
    (folder / "C04_s1_RNA.tif").unlink()
    session.set_plate(open_plate(folder))
    listed = ProblemList(session)
    qtbot.addWidget(listed)
    texts = [listed.topLevelItem(i).text(1) for i in range(listed.topLevelItemCount())]
    assert any("RNA" in t for t in texts)


def test_models_are_offered_with_their_licence(session, qtbot):
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    place = panel.encode.model.findData("cellclip")
    assert place >= 0
    panel.encode.model.setCurrentIndex(place)
    assert "CC-BY-NC-ND" in panel.encode.card.text()
    assert panel.encode.value().model == "cellclip"
    assert not panel.encode.value().accept_licence
    panel.encode.accept.click()
    assert panel.encode.value().accept_licence
    panel.encode.setValue(EncodeRequest("cellclip"))
    assert not panel.encode.value().accept_licence


def test_a_licence_accepted_before_is_not_asked_again(session, qtbot, tmp_path, monkeypatch):
    from napari_cellclip.model import known_cards
    from napari_cellclip.model.weights.hub_notes import accept

    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("cellclip"))
    assert not panel.encode.accept.isHidden()
    accept(known_cards()["cellclip"])
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("demo"))
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("cellclip"))
    assert panel.encode.accept.isHidden()


def test_nothing_is_cut_off_beside_the_map(full_session, qtbot):
    """The Explorer gives the Set-up tab some 40 letters; every button has to be in sight."""
    panel = RunPanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(46 * panel.fontMetrics().averageCharWidth(), 600)
    panel.show()
    area = panel.findChild(QScrollArea)
    assert area.horizontalScrollBar().maximum() == 0
