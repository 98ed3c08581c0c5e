"""The dialog of the Cell Painting Gallery, with a stand-in for the gallery on loopback."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_cellclip.gui.panels.setup.gallery_dialog import GalleryDialog
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import Controller
from tests.plates.remote.conftest import gallery, moto_url, phenix_folder, s3  # noqa: F401
from tests.plates.remote.made_gallery import PLATE, PROJECT


@pytest.fixture
def dialog(session, qtbot):
    controller = Controller(session)
    dialog = GalleryDialog(session)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # qtbot does it
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    controller.close()


def test_project_compound_and_part_of_a_plate(dialog, session, gallery, qtbot, monkeypatch, tmp_path):  # noqa: F811
    assert not dialog.open_button.isEnabled()
    qtbot.mouseClick(dialog.search_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 1, timeout=20_000)
    assert dialog.table.item(0, 0).text() == PROJECT
    assert not dialog.open_button.isEnabled()  # a project is no plate
    qtbot.keyClicks(dialog.fields["project"], PROJECT)
    qtbot.keyClicks(dialog.fields["compound"], "nocodazole")
    qtbot.keyClick(dialog.fields["compound"], Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: session.work(Task.GALLERY) is None and dialog.table.item(0, 3).text() == PLATE, timeout=20_000
    )
    assert dialog.value() == {"project": PROJECT, "compound": "nocodazole"}
    rectangle = dialog.table.visualItemRect(dialog.table.item(0, 3))
    qtbot.mouseClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=rectangle.center())
    wells = dialog.wells.text().split(",")
    assert len(wells) == 2  # those that got it
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "mine"))
    qtbot.keyClicks(dialog.sites, "1")
    qtbot.mouseClick(dialog.fetch_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.plate is not None, timeout=30_000)
    assert session.plate.path.parent == tmp_path / "mine" / PLATE
    assert [site.well for site in session.plate.sites] == wells
    assert session.platemap.get(wells[0]).name == "nocodazole"


def test_plate_is_opened_where_it_is(dialog, session, gallery, qtbot):  # noqa: F811
    dialog.setValue({"project": PROJECT})
    dialog.search()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 1, timeout=20_000)
    dialog.table.selectRow(0)
    qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.plate is not None, timeout=30_000)
    assert session.plate.address.startswith("cpg://")
    assert len(session.platemap.wells) == 6


def test_refusals_are_sentences(dialog, session, gallery, qtbot, monkeypatch):  # noqa: F811
    dialog.setValue({"gene": "TP53"})
    qtbot.mouseClick(dialog.search_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "name a project" in dialog.status.text(), timeout=20_000)
    assert dialog.search_button.text() == "Search"
    dialog.wells.setText("Z99Z")
    dialog.fetch_button.setEnabled(True)
    qtbot.mouseClick(dialog.fetch_button, Qt.MouseButton.LeftButton)
    assert "Z99Z" in dialog.status.text()


def test_every_control_has_a_tooltip(dialog):
    controls = [*dialog.fields.values(), dialog.wells, dialog.sites]
    controls += [dialog.search_button, dialog.open_button, dialog.fetch_button, dialog.table]
    assert all(control.toolTip() for control in controls)
