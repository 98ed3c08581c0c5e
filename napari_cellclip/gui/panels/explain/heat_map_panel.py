"""The match heat map of a field: its legend, its tiles, and control and reference tiles beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.explain.heat_legend import HeatLegend
from napari_cellclip.gui.panels.explain.tile_strip import StripTile, TileStrip, tile_pixmap
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.popup import Popup
from napari_cellclip.gui.plain_text import PlainElidingLabel, RichLabel, plain
from napari_cellclip.gui.state.explanations import ASK_FIRST, NO_DIRECTION
from napari_cellclip.gui.state.requests import CancelRequest, HeatMapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.vocabulary import split_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellclip.gui.state.explanations import FieldMatch
    from napari_cellclip.screen.tiles.tiles import FieldTiles

HELP = (
    "Each tile of the field on the canvas is scored as if it were a whole well, and compared with tiles of\n"
    "negative controls. Bright on the heat map: a closer match to the query."
)
NO_REFERENCE = "This answer has no reference wells on this plate."


class HeatMapPanel(QWidget):
    """Asks for the heat map of the field on the canvas and shows its tiles.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        heading = RichLabel("<b>Match heat map</b>")
        heading.setToolTip(HELP)
        self.state = PlainElidingLabel()
        self.button = QPushButton("Show")
        self.button.setToolTip(HELP)
        self.legend = HeatLegend()
        self.most = TileStrip("Most matching", "Press Show.", True)
        self.least = TileStrip("Least matching", "", True)
        self.controls = TileStrip("Nearest control tiles", "There are no negative controls.", False)
        self.references = TileStrip("Nearest reference tiles", NO_REFERENCE, False)
        for strip in (self.controls, self.references):
            strip.setToolTip("Tiles most like the chosen one, or the best, at the same contrast")
        self.attention = RichLabel()
        self.weights = QToolButton()
        self.weights.setText("Field weights")
        self.weights.setToolTip("How much each field of the well weighs in its embedding, by stain")
        self._popup = Popup(self.attention, self)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(heading)
        first.addWidget(self.legend, 1)
        first.addWidget(self.button)
        second.addWidget(self.state, 1)
        second.addWidget(self.weights)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(first)
        layout.addLayout(second)
        self.found = QWidget()
        grid = QGridLayout(self.found)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        for place, strip in enumerate((self.most, self.controls, self.least, self.references)):
            grid.addWidget(strip, place // 2, place % 2)
        grid.setRowStretch(2, 1)  # larger windows have larger tiles, up to a size
        layout.addWidget(self.found, 1)
        layout.addStretch(0)

        self.button.clicked.connect(self._clicked)
        self.weights.clicked.connect(self._show_weights)
        self.most.valueChanged.connect(self._compare)
        self.least.valueChanged.connect(self._compare)
        listen(self, session.explanations.heat_map_changed, self.refresh)
        listen(self, session.shown_changed, self._shown_changed)
        listen(self, session.answer_changed, self._show_state)
        listen(self, session.work_changed, self._work_changed)
        self.refresh()

    def value(self) -> FieldMatch | None:
        """Return the match of the field that is shown."""
        return self.session.explanations.heat_map

    def refresh(self) -> None:
        """Show the tiles of the field that was explained last."""
        found = self.session.explanations.heat_map
        self.found.setVisible(found is not None)
        self.legend.setValue(None)
        self.weights.setVisible(False)
        if found is not None:
            scores = found.field.scores
            values = found.field.heat_map.values
            if np.isfinite(values).any():
                self.legend.setValue((float(np.nanmin(values)), float(np.nanmax(values))))
            for strip, tiles in ((self.most, scores.most()), (self.least, scores.least())):
                strip.setValue([self._tile(tile) for tile in tiles])
            self._compare(scores.most(1)[0])
            self.attention.setText(attention_table(found))
            self.weights.setVisible(bool(self.attention.text()))
        self._show_state()
        self.valueChanged.emit(found)

    def _tile(self, tile: int) -> StripTile:
        assert self.session.explanations.heat_map is not None
        scores = self.session.explanations.heat_map.field.scores
        row, column, _ = scores.tiles.positions[tile].tolist()
        what = f"score {scores.shown[tile]:.2f} at row {row}, column {column}"
        return StripTile(tile_pixmap(scores.tiles.crop(tile)), f"{scores.shown[tile]:.1f}", what, tile)

    def _compare(self, tile: int) -> None:
        """Show the control tiles and the reference tiles that look most like a tile."""
        found = self.session.explanations.heat_map
        if found is None:
            return
        self.controls.setValue(self._like(tile, found.field.controls))
        self.references.setValue(self._like(tile, found.field.references))

    def _like(self, tile: int, fields: Sequence[FieldTiles]) -> list[StripTile]:
        from napari_cellclip.explore.explanation.tile_scores import nearest_control_tiles

        assert self.session.explanations.heat_map is not None
        table = self.session.wells
        shown = []
        for other in nearest_control_tiles(
            self.session.explanations.heat_map.field.scores.tiles, tile, fields, n=6
        ):
            plate, well, site = split_id(other.site)
            name = f"{plate}/{well}"
            treatment = f"{table.at[name, 'treatment']}, " if name in table.index else ""
            what = f"{treatment}{well} site {site}: cosine of the features {other.similarity:.3f}"
            shown.append(StripTile(tile_pixmap(other.crop), f"{well}·{site}", what))
        return shown

    def _show_weights(self) -> None:
        self._popup.open_below(self.weights, 50 * self.fontMetrics().averageCharWidth())

    def _show_state(self) -> None:
        session = self.session
        working = session.work(Task.TILES) is not None
        self.button.setText("Cancel" if working else "Show")
        explained = session.answer is not None and session.answer.direction is not None
        self.button.setEnabled(working or (explained and session.shown is not None))
        if working:
            return
        if session.answer is None:
            text = ASK_FIRST
        elif not explained:
            text = NO_DIRECTION
        elif session.shown is None:
            text = "Double-click a well, then press Show."
        elif (found := session.explanations.heat_map) is None:
            text = f"Press Show for the heat map of {self._place(session.shown)}."
        else:
            text = " ".join([f"{self._place(found.site)}.", *found.field.scores.notes])
        self.state.setText(text)
        self.state.setToolTip(plain(text))

    @staticmethod
    def _place(site: str) -> str:
        _, well, number = split_id(site)
        return f"{well}, site {number}"

    def _clicked(self) -> None:
        if self.session.work(Task.TILES) is not None:
            self.session.request(CancelRequest(Task.TILES))
        elif self.session.shown is not None:
            self.session.request(HeatMapRequest(self.session.shown))

    def _shown_changed(self, _site: str) -> None:
        self._show_state()

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.TILES:
            self._show_state()
            if work is not None:
                count = f" {work.done} of {work.total}" if work.total else ""
                self.state.setText(f"{work.message} …{count}")


def attention_table(heat_map: FieldMatch) -> str:
    """Weights of the well's fields as a small table, the field on the canvas in bold; empty for one field."""
    weights = heat_map.attention
    if weights is None or len(weights) < 2:
        return ""
    head = "".join(f"<th align='right'>&nbsp;{stain}</th>" for stain in weights.columns)
    rows = []
    for site, values in zip(weights.index, weights.to_numpy(float), strict=True):
        name = f"site {split_id(str(site))[2]}"
        name = f"<b>{name}</b>" if site == heat_map.site else name
        cells = "".join(f"<td align='right'>&nbsp;{value:.0%}</td>" for value in values)
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")
    return f"<table><tr><th align='left'>Field weights</th>{head}</tr>{''.join(rows)}</table>"
