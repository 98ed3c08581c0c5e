"""The Run tab: stains shown and corrected, problems listed."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QScrollArea

from napari_cellclip.gui.panels.run_panel import RunPanel
from napari_cellclip.gui.panels.stain_table import StainTable
from napari_cellclip.gui.state.requests import RunPlan, Task
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
    assert not panel.stains.isVisible()
    assert "all five" in panel.unfold.text()
    assert "2 negative controls" in panel.map_path.text()
    assert panel.stains.value() == full_session.plate.stains.channels


def test_unmapped_plate_asks_and_takes_the_answer(session, unnamed_folder, qtbot):
    controller = Controller(session)
    session.set_plate(open_plate(unnamed_folder))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.stains.isVisible()
    assert "say which channel" in panel.unfold.text()
    for number, stain in enumerate(STAINS, start=1):
        panel.stains.combos[stain].setCurrentIndex(panel.stains.combos[stain].findData(f"ch{number}"))
    assert panel.stains.button.isEnabled()
    qtbot.mouseClick(panel.stains.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.work(Task.OPEN) is None)
    assert session.plate.stains.complete
    assert session.plate.stains.channels[Stain.MITO] == "ch5"
    assert not panel.stains.isVisible()
    controller.close()


def test_encoding_an_unmapped_plate_is_refused_in_words(session, unnamed_folder, qtbot):
    controller, said = Controller(session), []
    session.said.connect(lambda task, message: said.append(message))
    session.set_plate(open_plate(unnamed_folder))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.encode()
    qtbot.waitUntil(lambda: session.work(Task.ENCODE) is None)
    assert "ch1" in said[-1]
    assert "under Stains on the Run tab" in said[-1]
    assert "channels=" not in said[-1], "the window has no such option"
    assert panel.encode_button.isEnabled()
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
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.failures.isVisible()
    texts = [panel.failures.topLevelItem(i).text(1) for i in range(panel.failures.topLevelItemCount())]
    assert any("RNA" in t for t in texts)


def test_models_are_offered_with_their_licence(session, qtbot):
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    place = panel.model.findData("cellclip")
    assert place >= 0
    panel.model.setCurrentIndex(place)
    assert "CC-BY-NC-ND" in panel.card.text()
    assert panel.value().model == "cellclip"
    assert not panel.value().accept_licence
    panel.accept.click()
    assert panel.value().accept_licence
    panel.setValue(RunPlan("cellclip"))
    assert not panel.value().accept_licence


def test_a_licence_accepted_before_is_not_asked_again(session, qtbot, tmp_path, monkeypatch):
    from napari_cellclip.model import known_cards
    from napari_cellclip.model.weights.hub_notes import accept

    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    panel = RunPanel(session)
    qtbot.addWidget(panel)
    panel.model.setCurrentIndex(panel.model.findData("cellclip"))
    assert not panel.accept.isHidden()
    accept(known_cards()["cellclip"])
    panel.model.setCurrentIndex(panel.model.findData("demo"))
    panel.model.setCurrentIndex(panel.model.findData("cellclip"))
    assert panel.accept.isHidden()


def test_nothing_is_cut_off_beside_the_map(full_session, qtbot):
    """The Explorer gives the Run tab some 40 letters; every button has to be in sight."""
    panel = RunPanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(46 * panel.fontMetrics().averageCharWidth(), 600)
    panel.show()
    area = panel.findChild(QScrollArea)
    assert area.horizontalScrollBar().maximum() == 0
