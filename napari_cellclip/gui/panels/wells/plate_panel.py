"""The plates: wells in their places, in colours or as pictures, one plate or all side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QTabBar, QToolButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.drawing.drawn_plates import drawn_plates, plate_names
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.menu_button import literal
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.colour_box import ColourBox
from napari_cellclip.gui.panels.wells.plate_view import PlateView
from napari_cellclip.gui.plain_text import PlainElidingLabel, plain
from napari_cellclip.gui.state.requests import MapPictureRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.state.wells import counted

MARKS_IN_NAMES = "-_ ."
"""What parts of a plate's name are divided by."""
KEPT_OF_A_NAME = 4
"""Letters that are kept of a name that has no such parts."""
MARKS = "− + controls  ▨ no image  ✕ failed"
HELP = (
    "Highlighted wells are in colour, the others grey; an outline stands in where a colour is hard to see.\n"
    "− marks negative, + positive controls; hatched: no image; ✕: no site could be used.\n"
    "The squares along the edges are row and column medians.\n"
    "Click a letter or number to select its row or column, the corner for all.\n"
    "Drag selects (Shift adds, Alt takes away, Ctrl intersects); double-click opens a well.\n"
    "The wheel zooms, the middle button moves the plate, Home shows all of it."
)


class PlatePanel(QWidget):
    """Plate view linked to the session: colours, selection, tooltips, opening of wells.

    Parameters
    ----------
    session : Session
        Read and written.
    thumbnails : Thumbnails
        Pictures of the wells.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._thumbnails = thumbnails
        self.view = PlateView(thumbnails.tooltip)
        self.plates = QTabBar()
        self.plates.setAccessibleName("Plates")
        self.plates.setToolTip("Plates of the screen, with how many of their wells are highlighted")
        self.plates.setExpanding(False)
        self.plates.setDrawBase(False)
        self.plates.setUsesScrollButtons(True)
        self.plates.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.side_by_side = _toggle("Side by side", "Draw all plates of the screen beside each other")
        self.pictures = _toggle(
            "Thumbnails",
            "Show the middle of each well's field in place of its colour; the wheel zooms in.\n"
            "The arrow draws the plate on the canvas, in whole fields.",
        )
        menu = QMenu(self.pictures)
        menu.addAction("Show plate on canvas").triggered.connect(self._show_on_canvas)
        self.pictures.setMenu(menu)
        self.pictures.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.colours = ColourBox(session)
        self.marks = PlainElidingLabel(MARKS)
        self.marks.setToolTip(HELP)
        self.marks.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.colours.choices.addWidget(self.marks, 6)
        strip = QHBoxLayout()
        strip.setContentsMargins(2, 0, 2, 0)
        strip.addWidget(self.plates, 1)
        strip.addWidget(self.pictures)
        strip.addWidget(self.side_by_side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(strip)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.colours)

        self.view.picked.connect(session.selection.apply)
        self.view.opened.connect(session.show)
        self.plates.currentChanged.connect(self._plate_chosen)
        self.side_by_side.toggled.connect(self._side_by_side_toggled)
        self.pictures.toggled.connect(self._pictures_toggled)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.clusters_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.selection.changed, self._rings)
        listen(self, session.shown_changed, self._rings)
        self.refresh()

    def value(self) -> frozenset[str]:
        """Ids of the wells selected."""
        return self.session.selection.ids

    def refresh(self) -> None:
        """Draw the wells as the session knows them now."""
        drawings, colours = drawn_plates(self.session, tones(self).rgb)
        self._offer_plates(plate_names(self.session))
        self.pictures.setEnabled(self.session.screen is None or self._thumbnails.any())
        self.view.pictures = self._thumbnails.pixmap if self.session.view.thumbnails else None
        self.view.set_plates(drawings)
        self.colours.legend.set_colours(colours)
        self._rings()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "marks"):
            self.refresh()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.refresh()

    def _offer_plates(self, names: list[str]) -> None:
        """Bring the strip of plates up to date: names, and how many wells of each are highlighted."""
        session, bar = self.session, self.plates
        self.side_by_side.setVisible(len(names) > 1)  # of one plate, its name takes the room
        bar.blockSignals(True)
        while bar.count() > len(names):
            bar.removeTab(bar.count() - 1)
        while bar.count() < len(names):
            bar.addTab("")
        hits: dict[str, int] = {}
        if session.answer is not None and session.highlight != "all":
            table = session.wells
            hits = table["plate"][session.highlighted(table)].value_counts().to_dict()
        for number, (name, short) in enumerate(zip(names, short_names(names), strict=True)):
            count = f" · {hits.get(name, 0)}" if session.answer is not None else ""
            if bar.tabText(number) != (text := literal(short + count)):
                bar.setTabText(number, text)
            bar.setTabData(number, name)
            bar.setTabToolTip(number, plain(f"{name}: {counted(hits.get(name, 0), 'well')} highlighted"))
        if session.view.plate in names:
            bar.setCurrentIndex(names.index(session.view.plate))
        bar.setEnabled(not session.view.side_by_side)
        bar.blockSignals(False)

    def _plate_chosen(self, number: int) -> None:
        self.session.look(plate=self.plates.tabData(number))

    def _side_by_side_toggled(self, on: bool) -> None:
        self.session.look(side_by_side=on)

    def _show_on_canvas(self) -> None:
        self.session.request(MapPictureRequest("plate"))

    def _pictures_toggled(self, on: bool) -> None:
        self.session.look(thumbnails=on)

    def _view_changed(self, view: View, before: View) -> None:
        if view.colours_like(before):
            return
        for button, on in ((self.side_by_side, view.side_by_side), (self.pictures, view.thumbnails)):
            button.blockSignals(True)
            button.setChecked(on)
            button.blockSignals(False)
        self.refresh()

    def _rings(self, _: object = None) -> None:
        self.view.set_rings(self.session.selection.ids, self.session.shown_well)


def short_names(names: Sequence[str]) -> list[str]:
    """Leave out the start that names of plates share, up to a mark, or else all but the last four letters.

    Examples
    --------
    >>> short_names(["BR00117010", "BR00117011"])
    ['…7010', '…7011']
    >>> short_names(["screen-A", "screen-B"])
    ['…A', '…B']
    >>> short_names(["P1", "P2"])
    ['P1', 'P2']
    """
    shortest = min(map(len, names), default=0)
    shared = names[0] if len(names) > 1 else ""
    while not all(name.startswith(shared) for name in names):
        shared = shared[:-1]
    after_mark = 1 + max(shared.rfind(mark) for mark in MARKS_IN_NAMES)
    left = min(after_mark or min(len(shared), shortest - KEPT_OF_A_NAME), shortest - 1)
    return [f"…{name[left:]}" for name in names] if left > 2 else list(names)


def _toggle(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(plain(tip))
    button.setCheckable(True)
    return button
