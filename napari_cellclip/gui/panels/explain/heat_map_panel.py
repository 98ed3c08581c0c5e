"""The match heat map of a field: its best and worst matching tiles, and control tiles beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import PlainLabel, RichLabel, plain
from napari_cellclip.gui.state.field_match import NO_DIRECTION
from napari_cellclip.gui.state.requests import CancelRequest, HeatMapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.vocabulary import split_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.gui.state.field_match import FieldMatch

PICTURE = 56
TILE_ROLE = Qt.ItemDataRole.UserRole
HELP = (
    "Each tile of the field on the canvas is scored as if it were a whole well, and compared with tiles of\n"
    "negative controls. Bright on the heat map: a closer match to the query."
)


class TileStrip(QListWidget):
    """A row of small pictures of tiles, scrolled sideways."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(PICTURE, PICTURE))
        self.setSpacing(2)
        self.setFixedHeight(PICTURE + 2 * self.fontMetrics().lineSpacing() + 14)

    def put(self, picture: NDArray[np.uint8], caption: str, tooltip: str, tile: int | None = None) -> None:
        """Add a tile: uint8 (5, y, x) stains, what stands below it, and its number."""
        item = QListWidgetItem(QIcon(tile_pixmap(picture)), caption)
        item.setToolTip(plain(tooltip))
        item.setData(TILE_ROLE, tile)
        self.addItem(item)


def tile_pixmap(stains: NDArray[np.uint8]) -> QPixmap:
    """Composite of five stains, `PICTURE` pixels on its longer side."""
    from napari_cellclip.screen.storage.previews import composite

    rgb = np.ascontiguousarray(composite(stains))
    height, width = rgb.shape[:2]
    image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    return QPixmap.fromImage(image).scaled(
        PICTURE, PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


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
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        self.button = QPushButton("Show")
        self.button.setToolTip(HELP)
        self.most, self.least = TileStrip("Most matching tiles"), TileStrip("Least matching tiles")
        self.controls = TileStrip("Most similar control tiles")
        self.most_title, self.least_title = PlainLabel("Most matching"), PlainLabel("Least matching")
        self.controls_title = PlainLabel("Most similar in the negative controls (same contrast)")
        self.attention = RichLabel()
        self.attention.setToolTip("How much each field of the well weighs in its embedding, by stain")
        first = QHBoxLayout()
        first.addWidget(heading)
        first.addStretch(1)
        first.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(first)
        self.found = QWidget()
        inner = QVBoxLayout(self.found)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(1)
        for title, strip in (
            (self.most_title, self.most),
            (self.least_title, self.least),
            (self.controls_title, self.controls),
        ):
            title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            strip.setMinimumWidth(2 * PICTURE)
            inner.addWidget(title)
            inner.addWidget(strip)
        inner.addWidget(self.attention)
        layout.addWidget(self.found)
        layout.addWidget(self.state)
        layout.addStretch(1)

        self.button.clicked.connect(self._clicked)
        self.most.currentItemChanged.connect(self._chosen)
        self.least.currentItemChanged.connect(self._chosen)
        listen(self, session.heat_map_changed, self.refresh)
        listen(self, session.shown_changed, self._shown_changed)
        listen(self, session.answer_changed, self._show_state)
        listen(self, session.work_changed, self._work_changed)
        self.refresh()

    def value(self) -> FieldMatch | None:
        """What is shown."""
        return self.session.heat_map

    def refresh(self) -> None:
        """Show the tiles of the field that was explained last."""
        found = self.session.heat_map
        for strip in (self.most, self.least, self.controls):
            strip.blockSignals(True)
            strip.clear()
            strip.blockSignals(False)
        self.found.setVisible(found is not None)
        if found is not None:
            scores = found.field.scores
            for strip, tiles in ((self.most, scores.most()), (self.least, scores.least())):
                for tile in tiles:
                    row, column, _ = scores.tiles.positions[tile].tolist()
                    what = f"score {scores.shown[tile]:.2f} at row {row}, column {column}"
                    strip.put(scores.tiles.crop(tile), f"{scores.shown[tile]:.1f}", what, tile)
            self._compare(scores.most(1)[0])
            self.attention.setText(attention_table(found))
            self.attention.setVisible(bool(self.attention.text()))
        self._show_state()
        self.valueChanged.emit(found)

    def _compare(self, tile: int) -> None:
        """Show the control tiles that look most like a tile."""
        from napari_cellclip.explore.explanation.tile_scores import nearest_control_tiles

        found = self.session.heat_map
        self.controls.clear()
        if found is None:
            return
        scores = found.field.scores
        for control in nearest_control_tiles(scores.tiles, tile, found.field.controls):
            _, well, site = split_id(control.site)
            what = f"cosine of the features {control.similarity:.3f}"
            self.controls.put(control.crop, f"{well} · {site}", what)

    def _chosen(self, item: QListWidgetItem | None, _before: object = None) -> None:
        if item is not None and item.data(TILE_ROLE) is not None:
            self._compare(int(item.data(TILE_ROLE)))

    def _show_state(self) -> None:
        session = self.session
        working = session.work(Task.TILES) is not None
        self.button.setText("Cancel" if working else "Show")
        explained = session.answer is not None and session.answer.direction is not None
        self.button.setEnabled(working or (explained and session.shown is not None))
        if working:
            return
        if session.answer is None:
            text = "Run a query first."
        elif not explained:
            text = NO_DIRECTION
        elif session.shown is None:
            text = "Double-click a well, then press Show."
        elif session.heat_map is None:
            text = f"Press Show to mark the parts of {self._place(session.shown)} that match."
        else:
            text = " ".join([f"{self._place(session.heat_map.site)}.", *session.heat_map.field.scores.notes])
        self.state.setText(text)

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
