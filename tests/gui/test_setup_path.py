"""From files that say little to an encoded, saved session: in a real window, with real events, on the real core."""

from __future__ import annotations

import shutil
from pathlib import Path

import openpyxl
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.files.session_file import read_session_file
from napari_cellclip.vocabulary import STAINS, Stain

LEFT = Qt.MouseButton.LeftButton
PATIENT = 60_000


@pytest.fixture
def odd_plate(plate_folder: Path, tmp_path: Path) -> Path:
    """The toy plate with channels ch1 … ch5, and a sixth one that is none of the stains."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for file in plate_folder.glob("*.tif"):
        well, site, stain = file.stem.split("_")
        shutil.copy(file, folder / f"{well}_{site}_ch{STAINS.index(Stain(stain)) + 1}.tif")
        if stain == "DNA":
            shutil.copy(file, folder / f"{well}_{site}_ch6.tif")
    return folder


@pytest.fixture
def odd_map(tmp_path: Path) -> Path:
    """A workbook with a sheet of notes, a title, and names of columns that nobody else has."""
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["Plated by", "J. Doe"])
    sheet = book.create_sheet("Layout")
    heading = ["Pos.", "Cpd code", "Remark"]
    for row in (["Screen of May"], [], heading, ["C04", "DMSO", "x"], ["C06", "X-17", "y"]):
        sheet.append(row)
    path = tmp_path / "layout of May.xlsx"
    book.save(path)
    return path


@pytest.fixture
def explorer(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 800)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitExposed(explorer)
    return explorer


def idle(qtbot, session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=PATIENT)


def drop(widget, *paths: Path) -> None:
    """Send a drop as the window system does: enter, then drop, to the widget under the pointer."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, none, place = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier, QPointF(4, 4)
    entering = QDragEnterEvent(place.toPoint(), action, data, LEFT, none)
    QApplication.sendEvent(widget, entering)
    assert entering.isAccepted()
    dropping = QDropEvent(place, action, data, LEFT, none)
    QApplication.sendEvent(widget, dropping)
    assert dropping.isAccepted()


@pytest.mark.slow
def test_drop_stains_columns_encode_cancel_resume_save_reopen(
    explorer, odd_plate, odd_map, qtbot, tmp_path, monkeypatch
):
    session, setup, messages = explorer.session, explorer.setup, []
    session.message.connect(lambda task, text: messages.append(text))

    # a folder dropped on the query line, where nobody would think of plates
    drop(explorer.query.line, odd_plate)
    qtbot.waitUntil(lambda: session.plate is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert explorer.tabs.currentWidget() is setup
    assert setup.value() == 1
    tiles = setup.stains.table.tiles
    assert len(tiles) == 6
    assert all(not tile.picture.pixmap().isNull() for tile in tiles.values())

    # stains: five chosen by key, the sixth ignored
    for stain, tile in zip(STAINS, tiles.values(), strict=False):
        tile.combo.setFocus()
        qtbot.keyClicks(tile.combo, str(stain)[:1])
    qtbot.mouseClick(setup.stains.table.button, LEFT)
    qtbot.waitUntil(lambda: session.plate.stains.complete, timeout=PATIENT)
    idle(qtbot, session)
    assert session.shown is not None, "a field is shown at once"
    assert setup.value() == 2

    # plate map: its columns are asked for, with a preview
    drop(explorer.plate.view.viewport(), odd_map)
    qtbot.waitUntil(lambda: setup.platemap.dialog is not None, timeout=PATIENT)
    dialog = setup.platemap.dialog
    qtbot.waitExposed(dialog)
    assert not dialog.read.isEnabled()
    dialog.sheet.setFocus()
    qtbot.keyClick(dialog.sheet, Qt.Key.Key_Down)
    assert dialog.sheet.currentText() == "Layout"
    assert dialog.heading.value() == 3
    assert dialog.preview.item(2, 1).text() == "Cpd code"
    for holds, key in (("well", "P"), ("treatment", "C")):
        dialog.combos[holds].setFocus()
        qtbot.keyClicks(dialog.combos[holds], key)
    assert "2 wells, 1 negative control: DMSO" in dialog.result_text.text()
    qtbot.mouseClick(dialog.read, LEFT)
    idle(qtbot, session)
    assert session.platemap.get("C06").name == "X-17"
    assert session.setup.platemap.sheet == "Layout"

    # encode, stopped from the header, resumed from the tab
    def stop_early(task, work) -> None:
        if (
            task == Task.ENCODE
            and work is not None
            and work.stage == "fields"
            and work.done > 0
            and not stopped
        ):
            stopped.append(work.done)
            qtbot.mouseClick(explorer.header.status.cancel, LEFT)

    stopped: list[int] = []
    messages.clear()
    setup.go_to(3)
    session.work_changed.connect(stop_early)
    qtbot.mouseClick(setup.encode.encode_button, LEFT)
    assert "Loading the model" in explorer.header.status.job.text()
    qtbot.waitUntil(lambda: bool(messages), timeout=PATIENT)
    assert messages[-1].startswith(f"Stopped after {stopped[0]} of")
    assert setup.encode.encode_button.text() == "Resume"
    qtbot.mouseClick(setup.encode.encode_button, LEFT)
    qtbot.waitUntil(lambda: session.screen is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert session.wells["encoded"].all()
    assert len(messages) == 1, messages

    # saved by the menu, and opened by a drop
    file = tmp_path / "may.cellclip"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(file), ""))
    explorer.footer.session_menu.fill()
    explorer.footer.session_menu.menu().actions()[0].trigger()
    idle(qtbot, session)
    assert read_session_file(file).platemap.columns == {"well": "Pos.", "treatment": "Cpd code"}
    session.set_screen(None)
    session.set_plate(None)
    drop(explorer.hits.table.viewport(), file)
    qtbot.waitUntil(lambda: session.screen is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert session.plate.stains.channels[Stain.MITO] == "ch5"
    assert session.platemap.get("C06").name == "X-17"

    # the plate alone finds its screen, which the menu of the top line offers
    session.set_screen(None)
    session.set_plate(None)
    drop(explorer, odd_plate)
    qtbot.waitUntil(lambda: session.plate is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert explorer.header.screen_button.name() == "1 screen found"
    setup.go_to(0)
    qtbot.mouseClick(setup.plate.found, LEFT)
    qtbot.waitUntil(lambda: session.screen is not None, timeout=PATIENT)
    idle(qtbot, session)

    # and the screen alone opens its plate
    path = session.screen.path
    session.set_screen(None)
    session.set_plate(None)
    drop(explorer, path)
    qtbot.waitUntil(lambda: session.screen is not None, timeout=PATIENT)
    assert session.plate is not None
    idle(qtbot, session)
