"""Menus, popups and dialogs over the window, and what it says where something is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QPoint, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QDialog, QWidget

from benchmarks.screenshots.window import Pictures
from napari_cellclip.gui.panels.setup.gallery_dialog import GalleryDialog
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.tasks import Task, Work

ODD_TABLE = """Layout of plate 7, written by hand;;;
;;;
Where on the plate;Given;Strength;Class
A01;DMSO;;
A02;nocodazole;1,5;tubulin
A03;vorinostat;3;HDAC
B01;DMSO;;
"""
NOT_A_SESSION = '{"version": 1, "plates": '


class _Spontaneous(QCloseEvent):
    """A close event as the window manager sends it."""

    def spontaneous(self) -> bool:
        return True


def take_dialogs(pictures: Pictures) -> None:
    """Take menus and popups, the dialogs, the Text query, a message, and the question whether to quit."""
    explorer, session = pictures.explorer, pictures.session
    pictures.tab("Hits")
    query = explorer.query
    for name, button in (("prompts", query.sent), ("notes", query.info)):
        button.click()
        pictures.take(f"popup-{name}", ("dark",))
        _close_popups()
    menus = {
        "plate": explorer.header.plate,
        "evidence": query.evidence,
        "columns": explorer.hits.columns,
        "selection": explorer.footer.selection,
        "export": explorer.footer.export_button,
        "map": explorer.map.tool,
    }
    for name, button in menus.items():
        button.menu().popup(button.mapToGlobal(QPoint(0, button.height())))
        pictures.take(f"menu-{name}", ("dark",))
        _close_popups()
    explorer.plate.colours.by.showPopup()
    pictures.take("menu-colour-by", ("dark",))
    explorer.plate.colours.by.hidePopup()
    with tempfile.TemporaryDirectory() as folder:
        _take_problems(pictures, Path(folder))
    dialog = GalleryDialog(session, explorer)
    dialog.show()
    pictures.take("gallery-dialog", ("dark",))
    dialog.close()
    _take_text_query(pictures)
    _take_question_whether_to_quit(pictures)


def _take_problems(pictures: Pictures, folder: Path) -> None:
    """Take the dialog on a table whose columns do not tell, and messages of what cannot be opened."""
    session = pictures.session
    table, broken = folder / "layout of plate 7.csv", folder / "monday.cellclip"
    table.write_text(ODD_TABLE, encoding="utf-8")
    broken.write_text(NOT_A_SESSION, encoding="utf-8")
    session.request(OpenRequest(table))
    pictures.ready(lambda: pictures.explorer.setup.platemap.dialog is not None)
    pictures.take("plate-map-dialog")
    pictures.explorer.setup.platemap.dialog.close()
    pictures.tab("Hits")
    session.request(OpenRequest(broken))
    pictures.ready()
    pictures.explorer.header.status.more.click()
    pictures.take("error")
    _close_popups()


def _take_text_query(pictures: Pictures) -> None:
    window = pictures.viewer.window
    dock, _ = window.add_plugin_dock_widget("napari-cellclip", "Text query")
    pictures.settle()
    pictures.take("text-query", ("dark",))
    window.remove_dock_widget(dock)
    pictures.settle()


def _take_question_whether_to_quit(pictures: Pictures) -> None:
    """Close the window by hand while a plate is being encoded, and say no."""
    jobs: list[bool] = []

    def wait_for_it() -> None:
        while not jobs:
            QApplication.instance().thread().msleep(50)  # type: ignore[union-attr]

    from napari_cellclip.gui.work.controller import controller_of

    controller = controller_of(pictures.viewer)
    controller.jobs.run(Task.ENCODE, wait_for_it, lambda _: None, "Encoding plate P7")
    pictures.session.set_work(Task.ENCODE, Work("Encoding plate P7", 144, 384, stage="fields"))
    pictures.settle()

    def take_and_leave() -> None:
        pictures.take("quit", ("dark",))
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, QDialog):
            dialog.reject()
        jobs.append(True)

    QTimer.singleShot(1500, take_and_leave)
    _window_of(pictures).closeEvent(_Spontaneous())
    jobs.append(True)
    pictures.ready()


def _window_of(pictures: Pictures) -> QWidget:
    window: QWidget = pictures.explorer.window()
    return window


def _close_popups(again: Callable[[], QWidget | None] = QApplication.activePopupWidget) -> None:
    while (popup := again()) is not None:
        popup.close()
        QApplication.processEvents()
