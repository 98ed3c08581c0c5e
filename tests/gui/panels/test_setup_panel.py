"""The Set-up tab: stains shown and corrected, problems listed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.manners import mind_manners
from napari_cellclip.gui.panels.setup.columns_dialog import NO_WELLS, ColumnsDialog
from napari_cellclip.gui.panels.setup.encode_box import EncodeBox
from napari_cellclip.gui.panels.setup.plate_step import PlateStep
from napari_cellclip.gui.panels.setup.problem_list import ProblemList
from napari_cellclip.gui.panels.setup.setup_panel import SetupPanel
from napari_cellclip.gui.panels.setup.stain_table import StainTable
from napari_cellclip.gui.state.requests import EncodeRequest, OpenRequest, PlateMapRequest, PlateOptions
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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """What the program remembers, and its screens, in a folder of the test's own."""
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))


def brightest(tile):
    image = tile.picture.pixmap().toImage()
    return max(
        image.pixelColor(x, y).lightness() for x in range(image.width()) for y in range(image.height())
    )


def next_stop(widget):
    """The widget that Tab goes to from this one."""
    following = widget.nextInFocusChain()
    while not (following.focusPolicy() & Qt.FocusPolicy.TabFocus and following.isEnabled()):
        following = following.nextInFocusChain()
    return following


def idle(qtbot, session):
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=60_000)


def test_a_path_that_begins_with_a_tilde_and_names_no_user_is_taken_as_typed(session, qtbot):
    """There is no such user: that raised an error where the path was read."""
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    qtbot.keyClicks(panel.plate.path, "~$plate")
    assert panel.plate.value().path.name == "~$plate"


def test_steps_of_a_plate_that_is_set_up_are_checked(full_session, qtbot):
    panel = SetupPanel(full_session)
    qtbot.addWidget(panel)
    panel.show()
    texts = [panel.buttons.button(i).text() for i in range(4)]
    assert [text.split("\n")[0] for text in texts] == [
        "✓ 1 Plate",
        "✓ 2 Stains",
        "✓ 3 Plate map",
        "✓ 4 Encode",
    ]
    assert "all five" in texts[1]
    assert "2 negative controls" in panel.platemap.summary.text()
    assert panel.value() == 3
    assert panel.stains.table.value() == full_session.plate.stains.channels
    assert not panel.stains.table.button.isEnabled()


def test_unmapped_plate_asks_and_takes_the_answer(session, unnamed_folder, qtbot, cache):
    controller = Controller(session)
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.resize(620, 300)
    panel.show()
    session.request(OpenRequest(unnamed_folder))
    idle(qtbot, session)
    table = panel.stains.table
    assert panel.value() == 1, "the first step that is not done"
    assert panel.buttons.button(1).text().startswith("○ 2 Stains")
    assert list(table.tiles) == ["ch1", "ch2", "ch3", "ch4", "ch5"]
    assert all(tile.picture.pixmap().width() > 20 for tile in table.tiles.values()), "a field of each channel"
    assert all(brightest(tile) > 240 for tile in table.tiles.values()), (
        "they were drawn at half their brightness"
    )
    assert "CPJUMP1" in table.proposals.itemAt(0).widget().toolTip()
    for number, stain in enumerate(STAINS, start=1):
        combo = table.tiles[f"ch{number}"].combo
        combo.setFocus()
        qtbot.keyClicks(combo, str(stain)[0])  # as a user picks with the keyboard
        assert table.tiles[f"ch{number}"].value() == stain
    assert table.button.isEnabled()
    qtbot.mouseClick(table.button, Qt.MouseButton.LeftButton)
    idle(qtbot, session)
    assert session.plate.stains.complete
    assert session.plate.stains.channels[Stain.MITO] == "ch5"
    assert panel.buttons.button(1).text().startswith("✓")
    controller.close()


def test_the_keyboard_stays_on_the_set_up(session, unnamed_folder, qtbot, cache):
    """Tab went from the channels back to what is proposed; confirmed stains left the focus on the plate above."""
    controller = Controller(session)
    above, panel, window = QLineEdit(), SetupPanel(session), QWidget()
    layout = QVBoxLayout(window)
    layout.addWidget(above)
    layout.addWidget(panel)
    qtbot.addWidget(window)
    window.resize(620, 400)
    window.show()
    qtbot.waitExposed(window)
    session.request(OpenRequest(unnamed_folder))
    idle(qtbot, session)
    table = panel.stains.table
    offers = [table.proposals.itemAt(i).widget() for i in range(table.proposals.count())]
    stops = [*offers, *(tile.combo for tile in table.tiles.values()), table.button]
    qtbot.keyClick(offers[0], Qt.Key.Key_Space)
    for one, following in pairwise(stops):
        assert next_stop(one) is following
    table.button.setFocus()
    qtbot.keyClick(table.button, Qt.Key.Key_Space)
    idle(qtbot, session)
    assert panel.value() == 2
    assert window.focusWidget() is panel.buttons.button(2)
    controller.close()


def test_a_proposal_is_shown_with_its_reason_and_only_fills_in(session, unnamed_folder, qtbot, cache):
    session.set_plate(open_plate(unnamed_folder))
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    table = panel.stains.table
    assert table.value() == {}
    offer = table.proposals.itemAt(0).widget()
    assert offer.text() == "Proposed: Mito AGP RNA ER DNA", "in the order of the pictures"
    assert "DNA=ch5" in offer.toolTip()
    qtbot.mouseClick(offer, Qt.MouseButton.LeftButton)
    assert table.value()[Stain.DNA] == "ch5"
    assert not session.plate.stains.complete, "confirmed by the user alone"


def test_a_sixth_channel_is_ignored_and_the_plate_is_encoded(session, unnamed_folder, qtbot, tmp_path, cache):
    folder = tmp_path / "six"
    shutil.copytree(unnamed_folder, folder)
    for file in folder.glob("*_ch1.tif"):
        shutil.copy(file, file.with_name(file.name.replace("_ch1", "_ch6")))
    controller, messages = Controller(session), []
    session.set_plate(open_plate(folder))
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    table = panel.stains.table
    table.setValue({stain: f"ch{n}" for n, stain in enumerate(STAINS, start=1)})
    assert "Ignored: ch6." in table.state.text()
    table.button.click()
    idle(qtbot, session)
    assert session.plate.stains.complete
    assert session.plate.stains.unmapped == ("ch6",)
    assert "1 channel ignored" in panel.stains.done()
    session.message.connect(lambda task, message: messages.append(message))
    panel.encode.out_path.setValue(tmp_path / "out")
    panel.encode.encode()
    idle(qtbot, session)
    assert messages == []
    assert session.screen is not None
    controller.close()


def test_a_confirmed_mapping_is_remembered_for_its_kind(session, unnamed_folder, qtbot, tmp_path, cache):
    neighbour, elsewhere = unnamed_folder.parent / "neighbour", tmp_path / "elsewhere"
    for folder in (neighbour, elsewhere):
        if not folder.exists():
            shutil.copytree(unnamed_folder, folder)
    mapping = {stain: f"ch{5 - n}" for n, stain in enumerate(STAINS)}
    controller = Controller(session)
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    session.request(OpenRequest(unnamed_folder, mapping))
    idle(qtbot, session)
    session.request(OpenRequest(neighbour))
    idle(qtbot, session)
    assert session.plate.stains.channels == mapping, "beside the plate it was confirmed for"
    session.request(OpenRequest(elsewhere))
    idle(qtbot, session)
    assert not session.plate.stains.complete, "elsewhere it is chosen, and has to be confirmed"
    assert panel.stains.table.value() == mapping
    assert "As confirmed for" in panel.stains.table.reason.text()
    assert panel.stains.table.button.isEnabled()
    controller.close()


def test_encoding_an_unmapped_plate_is_refused_in_words(session, unnamed_folder, qtbot):
    controller, messages = Controller(session), []
    session.message.connect(lambda task, message: messages.append(message))
    session.set_plate(open_plate(unnamed_folder))
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.encode.encode()
    qtbot.waitUntil(lambda: session.work(Task.ENCODE) is None)
    assert "ch1" in messages[-1]
    assert "under Set-up" in messages[-1]
    assert "channels=" not in messages[-1], "the window has no such option"
    assert panel.encode.encode_button.isEnabled()
    controller.close()


def test_mapping_round_trip_and_a_stain_twice(plate, qtbot):
    table = StainTable()
    qtbot.addWidget(table)
    table.set_plate(plate)
    swapped = {**plate.stains.channels, Stain.DNA: "ER", Stain.ER: "DNA"}
    with qtbot.waitSignal(table.valueChanged):
        table.setValue(swapped)
    assert table.value() == swapped
    assert table.button.isEnabled()
    table.tiles["RNA"].setValue(Stain.DNA)
    assert not table.button.isEnabled()
    assert "DNA is chosen for two channels" in table.state.text()


def test_options_of_reading_go_with_the_plate(session, qtbot, tmp_path):
    step, asked = PlateStep(session), []
    qtbot.addWidget(step)
    session.requested.connect(asked.append)
    options = PlateOptions("{well}_{channel}.tif", tmp_path / "images", "P7", 3, "dna-focus")
    request = OpenRequest(tmp_path, options=options)
    step.setValue(request)
    assert step.value() == request
    qtbot.mouseClick(step.open_button, Qt.MouseButton.LeftButton)
    assert asked == [request]


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
    panel = SetupPanel(session)
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


def test_options_of_the_run_go_with_the_request(session, qtbot, tmp_path):
    box = EncodeBox(session)
    qtbot.addWidget(box)
    (tmp_path / "model").mkdir()
    request = EncodeRequest(
        str(tmp_path / "model"),
        tmp_path / "out",
        encoder=tmp_path / "encoder",
        tokenizer=tmp_path / "tokenizer",
        retry_failed=True,
        illumination=str(tmp_path / "functions"),
        precision="float32",
        device="mps",
    )
    box.setValue(request)
    assert box.value() == request
    box.device.setCurrentIndex(0)
    assert box.value().device == "auto", "as in the settings"
    assert session.setup.model == str(tmp_path / "model")
    assert box.functions.isEnabled()
    box.setValue(replace(request, illumination="estimate"))
    assert box.value().illumination == "estimate"
    assert not box.functions.isEnabled()


def test_a_run_does_not_start_uncorrected_where_a_folder_of_functions_is_missing(session, qtbot):
    box, requests = EncodeBox(session), []
    qtbot.addWidget(box)
    session.requested.connect(requests.append)
    box.illumination.setCurrentIndex(box.illumination.findData("folder"))
    box.encode()
    assert requests == []
    assert "folder of illumination functions" in box.state.text()
    box.illumination.setCurrentIndex(0)
    box.encode()
    assert [request.illumination for request in requests] == ["none"]


def test_a_licence_accepted_before_is_not_asked_again(session, qtbot, tmp_path, monkeypatch):
    from napari_cellclip.model import known_cards
    from napari_cellclip.model.weights.hub_notes import accept

    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path))
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("cellclip"))
    assert not panel.encode.accept.isHidden()
    accept(known_cards()["cellclip"])
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("demo"))
    panel.encode.model.setCurrentIndex(panel.encode.model.findData("cellclip"))
    assert panel.encode.accept.isHidden()


@pytest.mark.parametrize("step", range(4))
def test_nothing_is_cut_off_at_the_smallest_width(full_session, qtbot, step):
    panel = SetupPanel(full_session)
    qtbot.addWidget(panel)
    panel.resize(76 * panel.fontMetrics().averageCharWidth(), 300)
    panel.show()
    panel.go_to(step)
    area = panel.stack.currentWidget()
    assert area.horizontalScrollBar().maximum() == 0


def test_the_wheel_changes_no_choice(session, qtbot):
    panel = SetupPanel(session)
    qtbot.addWidget(panel)
    mind_manners(panel)
    panel.show()
    model, time = panel.encode.model, panel.plate.time
    panel.plate.more.button.click()
    for step, widget, value in ((3, model, model.currentIndex), (0, time, time.value)):
        panel.go_to(step)
        before = value()
        for delta in (-120, 120, 120):
            QApplication.sendEvent(widget, wheel(widget, delta))
        assert value() == before


def wheel(widget, delta):
    middle = QPointF(widget.rect().center())
    where = QPointF(widget.mapToGlobal(widget.rect().center()))
    none, buttons = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.NoButton
    phase = Qt.ScrollPhase.NoScrollPhase
    return QWheelEvent(middle, where, QPoint(), QPoint(0, delta), buttons, none, phase, False)


def test_the_heading_of_a_table_with_titles_above_it_is_the_fullest_line(qtbot, tmp_path):
    """Where no name was known, the title was taken for the heading."""
    table = tmp_path / "layout.csv"
    table.write_text("Plate 7, by hand;;;\n;;;\nPlace;Given;Strength;Class\nA01;DMSO;;\n", encoding="utf-8")
    dialog = ColumnsDialog(PlateMapRequest(table))
    qtbot.addWidget(dialog)
    assert dialog.heading.value() == 3
    assert [dialog.combos["well"].itemText(i) for i in range(1, 5)] == ["Place", "Given", "Strength", "Class"]
    assert not dialog.read.isEnabled()
    assert dialog.result_text.text() == NO_WELLS, "what to do here, not how to rename columns in the file"
    assert dialog.sheet.isHidden(), "a text table has no sheets"
    assert dialog.sheet_label.isHidden()
    dialog.combos["well"].setCurrentText("Place")
    assert dialog.read.isEnabled()
    assert dialog.result_text.text().startswith("1 well, ")
