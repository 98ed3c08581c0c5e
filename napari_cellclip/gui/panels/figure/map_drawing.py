"""The map on paper: all its points, as large and as far apart as the window draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from napari_cellclip.explore.maps.label_placement import place_labels
from napari_cellclip.explore.maps.spread import remove_overlaps
from napari_cellclip.gui.panels.drawing.dense_picture import dense_picture
from napari_cellclip.gui.panels.drawing.map_names import FONT, LEAST_LEADER, MARGIN, REACH
from napari_cellclip.gui.panels.wells.map_view import (
    AVOIDED,
    MARK_ABOVE,
    MARKED_AT_MOST,
    POINTS_AT_MOST,
    SPREAD_AT_MOST,
    distance_apart,
    dot_size,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellclip.gui.palette import WellColours
    from napari_cellclip.gui.panels.drawing.map_names import Name
    from napari_cellclip.gui.panels.theme import Tones

EDGE = 0.05
"""Room around the points, as a share of the area's sides."""

DIAMOND = 8.5
"""From the middle of a reference's diamond to its corners."""


@dataclass(frozen=True)
class MapPoints:
    """Points of a map with their colours and names.

    Attributes
    ----------
    xy : ndarray (n, 2)
        Places, y upwards.
    colours : WellColours
        Of these n wells.
    marks : dict of str to list of int
        Rows of the references, by the name written beside the middle one.
    names : list of (float, float, str)
        Names of clusters, each with its place.
    """

    xy: NDArray[np.floating]
    colours: WellColours
    marks: dict[str, list[int]] = field(default_factory=dict)
    names: list[Name] = field(default_factory=list)


def paint_map(painter: QPainter, area: QRectF, points: MapPoints, tone: Tones) -> NDArray[np.float64]:
    """Paint a map, and return where its points were drawn, in the painter's units.

    Parameters
    ----------
    painter : QPainter
        With the font of the names.
    area : QRectF
        The frame; the map is stretched to it, as in the window.
    points : MapPoints
        What is drawn.
    tone : Tones
        Text and background.

    Returns
    -------
    ndarray of float64 (n, 2)
        x and y.
    """
    xy, colours = np.asarray(points.xy, np.float64), points.colours
    space = area.width() * area.height()
    size = dot_size(len(xy), space)
    inner = area.adjusted(*(np.array([1, 1, -1, -1]) * EDGE * min(area.width(), area.height())).tolist())
    at = _fitted(xy * (1, -1), inner)
    if len(at) <= SPREAD_AT_MOST:
        apart = remove_overlaps(at, distance_apart(at, space, size))
        at = _fitted(apart, inner)  # twice: those moved apart need more room
    rgb = np.where(colours.known[:, None], colours.rgb, np.uint8(tone.between(0.45).red()))
    order = np.argsort(colours.bright, kind="stable")  # what matches is drawn last, on top
    if len(at) > POINTS_AT_MOST:
        few = np.count_nonzero(colours.bright) <= MARKED_AT_MOST
        _paint_density(painter, area, at, rgb, colours.bright & (not few), tone)
        order = np.flatnonzero(colours.bright) if few else order[:0]
    for row in order.tolist():
        painter.setPen(QPen(tone.text, 1) if colours.outlined[row] else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*rgb[row].tolist()))
        radius = (size + 2 * bool(colours.bright[row])) / 2
        painter.drawEllipse(QPointF(*at[row]), radius, radius)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(tone.text, 1.5))
    for row in (row for rows in points.marks.values() for row in rows):
        x, y = at[row]
        corners = ((x - DIAMOND, y), (x, y - DIAMOND), (x + DIAMOND, y), (x, y + DIAMOND))
        painter.drawPolygon(QPolygonF([QPointF(*corner) for corner in corners]))
    painter.setPen(QPen(tone.between(0.4), 1))
    painter.drawRect(area)
    _paint_names(painter, area, _names(points, xy, at, inner), at, size, tone)
    return at


def _fitted(at: NDArray[np.float64], area: QRectF) -> NDArray[np.float64]:
    """Stretch points over an area; those on one line lie in its middle."""
    if not len(at):
        return at
    low, span = at.min(axis=0), np.ptp(at, axis=0)
    share = np.where(span > 0, (at - low) / np.where(span > 0, span, 1), 0.5)
    return np.asarray((area.left(), area.top()) + share * (area.width(), area.height()))


def _paint_density(
    painter: QPainter,
    area: QRectF,
    at: NDArray[np.float64],
    rgb: NDArray[np.uint8],
    bright: NDArray[np.bool_],
    tone: Tones,
) -> None:
    grey = np.array([tone.between(0.75 * s).getRgb()[:3] for s in np.linspace(0, 1, 256)], np.uint8)
    sides = max(1, round(area.width())), max(1, round(area.height()))
    picture = dense_picture(
        at,
        (area.left(), area.top(), area.width(), area.height()),
        sides,
        grey=grey,
        rgb=rgb,
        bright=bright,
        selected=np.zeros(0, np.intp),
        ring=(0, 0, 0),
    )
    picture = np.ascontiguousarray(picture)
    image = QImage(picture.data, *sides, 4 * sides[0], QImage.Format.Format_RGBA8888)
    painter.drawImage(area, image)


def _names(
    points: MapPoints, xy: NDArray[np.float64], at: NDArray[np.float64], inner: QRectF
) -> list[tuple[float, float, str]]:
    """Names of clusters and of references, with their places on the paper."""
    names = []
    if points.names:
        places = np.array([(x, -y) for x, y, _ in points.names])
        everything = _fitted(np.concatenate([xy * (1, -1), places]), inner)
        names = [
            (*place, text) for place, (_, _, text) in zip(everything[len(xy) :], points.names, strict=True)
        ]
    for name, rows in points.marks.items():
        if rows:
            of_it = at[rows]
            x, y = of_it[np.argmin(((of_it - of_it.mean(axis=0)) ** 2).sum(axis=1))]
            names.append((x, y - MARK_ABOVE, name))
    return names


def _paint_names(
    painter: QPainter,
    area: QRectF,
    names: list[tuple[float, float, str]],
    at: NDArray[np.float64],
    dot: float,
    tone: Tones,
) -> None:
    """Write the names that find room beside the points, each joined to its place where it is not near."""
    if not names:
        return
    font = QFont(painter.font())
    font.setPixelSize(round(FONT * font.pixelSize()))
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    sizes = np.array([(metrics.horizontalAdvance(text), metrics.height()) for _, _, text in names]) + MARGIN
    anchors = np.array([(x, y) for x, y, _ in names])
    places = place_labels(
        anchors,
        sizes + dot,
        bounds=(area.left(), area.top(), area.right(), area.bottom()),
        avoid=at[:: max(1, len(at) // AVOIDED)],
        reach=REACH,
    )
    veil = QColor(tone.background)
    veil.setAlphaF(0.85)
    for (_, _, text), place, anchor, size in zip(names, places, anchors, sizes, strict=True):
        if not np.isfinite(place[0]):
            continue
        edge = place + np.clip(anchor - place, -size / 2, size / 2)
        if np.hypot(*(edge - anchor)) >= LEAST_LEADER:
            painter.setPen(QPen(tone.between(0.55), 1))
            painter.drawLine(QPointF(*edge), QPointF(*anchor))
        box = QRectF(*(place - size / 2), *size)
        painter.fillRect(box, veil)
        painter.setPen(tone.text)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
