"""The Plate tab: the wells in their places, coloured by score."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_cellclip.gui.palette import ColourScale, well_colours
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.panels.wells.plate_view import PlateView, WellMark
from napari_cellclip.gui.plain_text import PlainLabel
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import edge_medians, grid_of, shape_of

COLOURINGS = {"score": "Score", "cosine": "Cosine"}
LEGEND = "− negative   + positive control   ▨ no image"


class ColourBar(QWidget):
    """The ramp in use with its ends, and the threshold as a tick."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale: ColourScale | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(160, self.fontMetrics().height() + 4)

    def set_scale(self, scale: ColourScale | None) -> None:
        """Show a scale, or nothing."""
        self._scale = scale
        self.update()

    def paintEvent(self, _event: object) -> None:
        if self._scale is None:
            return
        painter = QPainter(self)
        painter.setPen(tones(self).text)
        low, high = f"{self._scale.low:.2g}", f"{self._scale.high:.2g}"
        metrics, middle = self.fontMetrics(), Qt.AlignmentFlag.AlignVCenter
        left, right = metrics.horizontalAdvance(low) + 5, metrics.horizontalAdvance(high) + 5
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignLeft, low)
        painter.drawText(self.rect(), middle | Qt.AlignmentFlag.AlignRight, high)
        bar = QRectF(left, self.height() * 0.2, self.width() - left - right, self.height() * 0.6)
        rgb = np.ascontiguousarray(self._scale.colours(np.linspace(self._scale.low, self._scale.high, 256)))
        image = QImage(rgb.data, 256, 1, 768, QImage.Format.Format_RGB888)
        painter.drawImage(bar, image)


class PlatePanel(QWidget):
    """Plate view linked to the session: colours, selection, tooltips, opening of wells.

    Parameters
    ----------
    session : Session
        Read and written.
    thumbnails : Thumbnails
        Pictures for the tooltips.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.view = PlateView(thumbnails.tooltip)
        self.bar = ColourBar()
        self.plates = QComboBox()
        self.plates.setToolTip("Plate of the screen to show")
        self.colouring = QComboBox()
        self.colouring.setToolTip("What the colour of a well shows")
        for key, title in COLOURINGS.items():
            self.colouring.addItem(title, key)
        self.legend = PlainLabel(LEGEND)
        self.legend.setToolTip(
            "Highlighted wells are in colour, the others grey.\n"
            "The squares along the edges are row and column medians.\n"
            "Drag selects (Shift adds, Alt takes away, Ctrl intersects); double-click opens a well."
        )
        below = QHBoxLayout()
        below.setContentsMargins(2, 0, 2, 0)
        below.addWidget(self.plates)
        below.addWidget(self.colouring)
        below.addWidget(self.bar, 1)
        below.addWidget(self.legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addWidget(self.view, 1)
        layout.addLayout(below)

        self.view.picked.connect(self._picked)
        self.view.opened.connect(session.show)
        self.colouring.currentIndexChanged.connect(self._colouring_chosen)
        self.plates.currentTextChanged.connect(self._plate_chosen)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.selection.changed, self._selection_changed)
        listen(self, session.shown_changed, self._shown_changed)
        self.refresh()

    def value(self) -> frozenset[str]:
        """Ids of the wells selected."""
        return self.session.selection.ids

    def refresh(self) -> None:
        """Draw the wells as the session knows them now."""
        session, view = self.session, self.session.view
        table = session.wells
        names = list(dict.fromkeys(table["plate"])) if len(table) else []
        self._offer_plates(names)
        name = view.plate if view.plate in names else (names[0] if names else None)
        here = table[table["plate"] == name] if name is not None else table
        plate = session.plate if session.plate is not None and session.plate.name == name else None
        shape = shape_of(here, plate)
        column = session.colour_column
        colours = well_colours(session, here, tones(self).dark)
        scored, scale = colours.known, colours.scale
        marks = [
            WellMark(
                str(identifier),
                int(row),
                int(column),
                tuple(int(v) for v in rgb) if has else None,  # type: ignore[arg-type]
                control,
            )
            for identifier, row, column, control, rgb, has in zip(
                here.index, here["row"], here["column"], here["control"], colours.rgb, scored, strict=True
            )
        ]
        self.view.set_wells(marks, shape)
        if scored.any():
            rows, columns = edge_medians(grid_of(here, shape, column))
            median_scale = ColourScale.spanning(np.r_[rows, columns], None, scale.dark)
            self.view.set_medians(median_scale.colours(rows), median_scale.colours(columns))
        else:
            self.view.set_medians(None, None)
        self.bar.set_scale(scale if scored.any() else None)
        self.colouring.setVisible(bool(scored.any()))
        self._shown_changed(session.shown)
        self._selection_changed(session.selection.ids)

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "legend"):
            self.refresh()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self.refresh()

    def _offer_plates(self, names: list[str]) -> None:
        self.plates.setVisible(len(names) > 1)
        if [self.plates.itemText(i) for i in range(self.plates.count())] != names:
            self.plates.blockSignals(True)
            self.plates.clear()
            self.plates.addItems(names)
            if self.session.view.plate in names:
                self.plates.setCurrentText(self.session.view.plate)
            self.plates.blockSignals(False)

    def _plate_chosen(self, name: str) -> None:
        self.session.look(plate=name)

    def _colouring_chosen(self) -> None:
        self.session.look(colour_by=self.colouring.currentData())

    def _picked(self, ids: list[str], mode: str) -> None:
        self.session.selection.apply(ids, mode)

    def _view_changed(self, _view: object) -> None:
        self.refresh()

    def _selection_changed(self, ids: frozenset[str]) -> None:
        self.view.selected = ids
        self.view.viewport().update()

    def _shown_changed(self, _site: str | None) -> None:
        self.view.shown = self.session.shown_well
        self.view.viewport().update()
