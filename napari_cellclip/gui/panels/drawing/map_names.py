"""Names on a map: beside the points, none over another, each joined to its place by a line."""

from __future__ import annotations

import numpy as np
import qtpy.QtCore  # noqa: F401  pyqtgraph takes the binding that is loaded already
from pyqtgraph import PlotCurveItem, TextItem, ViewBox, mkBrush, mkPen
from qtpy.QtGui import QFont

from napari_cellclip.explore.maps.label_placement import place_labels
from napari_cellclip.gui.panels.theme import Tones

Name = tuple[float, float, str]

FONT, MARGIN = 0.85, 4
"""Size of names, as a share of the window's, and pixels between a name and a point."""

REACH = 110
"""Most pixels between a name and its place: a name further away says nothing, and is left out."""

LEAST_LEADER = 8
"""Pixels between a name and its place from which on a line joins them."""


class MapNames:
    """Writes names on a view box, and moves them as it is zoomed.

    Parameters
    ----------
    box : ViewBox
        The map.
    """

    def __init__(self, box: ViewBox) -> None:
        self._box = box
        self._names: list[Name] = []
        self.labels: list[TextItem] = []
        self.leaders = PlotCurveItem(connect="pairs")
        self.leaders.setZValue(8)
        box.addItem(self.leaders, ignoreBounds=True)

    def write(self, names: list[Name], tone: Tones) -> None:
        """Write these names at places of the map; the first ones if not all fit."""
        for label in self.labels:
            self._box.removeItem(label)
        fill = tone.background
        fill.setAlphaF(0.85)
        self._names = names
        self.labels = [
            TextItem(name, color=tone.text, anchor=(0.5, 0.5), fill=mkBrush(fill)) for _, _, name in names
        ]
        self.leaders.setPen(mkPen(tone.between(0.55), width=1))
        font = QFont()
        font.setPointSizeF(FONT * font.pointSizeF())
        for label in self.labels:
            label.setFont(font)
            label.setZValue(10)
            self._box.addItem(label, ignoreBounds=True)

    def place(self, points: np.ndarray) -> None:
        """Move the names so that none covers another or a point, as they are seen now; some may not fit."""
        if not self.labels:
            self.leaders.setData([], [])
            return
        width, height = self._box.viewPixelSize()
        (left, right), (bottom, top) = self._box.viewRange()
        pixel = np.array([width, height])
        anchors = np.array([(x, y) for x, y, _ in self._names]) / pixel
        boxes = [label.boundingRect() for label in self.labels]
        sizes = np.array([(box.width(), box.height()) for box in boxes]) + MARGIN
        seen = points[((points >= (left, bottom)) & (points <= (right, top))).all(axis=1)]
        placed = place_labels(
            anchors,
            sizes,
            bounds=(left / width, bottom / height, right / width, top / height),
            avoid=seen / pixel,
            reach=REACH,
        )
        lines = []
        for label, at, anchor, size in zip(self.labels, placed, anchors, sizes, strict=True):
            label.setVisible(bool(np.isfinite(at[0])))
            if not np.isfinite(at[0]):
                continue
            label.setPos(*(at * pixel).tolist())
            edge = at + np.clip(anchor - at, -size / 2, size / 2)
            if np.hypot(*(edge - anchor)) >= LEAST_LEADER:
                lines += [edge * pixel, anchor * pixel]
        xy = np.array(lines).reshape(-1, 2)
        self.leaders.setData(xy[:, 0], xy[:, 1])
