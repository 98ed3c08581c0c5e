"""How plates are drawn: wells with their marks in one cached item, rings over them in another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from qtpy.QtCore import QPointF, QRectF, QSizeF, Qt
from qtpy.QtGui import QBrush, QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem

from napari_cellclip.gui.panels.theme import Tones
from napari_cellclip.vocabulary import row_letters

UNIT = 20.0
GAP = 1.2
ROUND = 3.0
LETTER = 0.55
"""Height of the letters along the edges, as a share of a row."""

TITLE = 0.65
"""The same of the names of plates."""

READABLE = 8.0
"""Least height of those letters on the screen in pixels; where rows are lower, several share one letter."""

MOST_SHARED = 4
"""Rows that share a letter at most."""

PICTURE, LARGER_PICTURE = 64, 160
"""Sides of the pictures of wells in pixels, and of those of wells that are drawn larger."""

FADED = 0.2
"""Opacity of the picture of a well that was filtered out."""

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class WellMark:
    """Marks of one well.

    Attributes
    ----------
    id : str
        Well id.
    row, column : int
        0-based place.
    rgb : tuple of int or None
        Fill; ``None`` draws the outline alone (imaged, no value yet).
    control : str
        ``"negcon"``, ``"poscon"``, ``"empty"`` or nothing.
    outlined : bool
        Whether the fill is too near to the background and needs an outline.
    failed : bool
        Whether no site of it could be used.
    faded : bool
        Whether its picture is drawn faintly, as that of a well that was filtered out.
    """

    id: str
    row: int
    column: int
    rgb: RGB | None = None
    control: str = ""
    outlined: bool = False
    failed: bool = False
    faded: bool = False


@dataclass(frozen=True)
class PlateDrawing:
    """One plate: its wells, and the medians along its edges.

    Attributes
    ----------
    name : str
        Written above it where several plates are drawn.
    shape : tuple of int
        Rows and columns.
    marks : tuple of WellMark
        Its wells; the other places are hatched.
    rows, columns : tuple
        Colours of the medians, ``None`` where there is none; empty to leave them out.
    """

    name: str
    shape: tuple[int, int]
    marks: tuple[WellMark, ...] = ()
    rows: tuple[RGB | None, ...] = ()
    columns: tuple[RGB | None, ...] = ()

    @property
    def wells(self) -> QRectF:
        """The places of the wells."""
        return QRectF(0, 0, self.shape[1] * UNIT, self.shape[0] * UNIT)

    def area(self, titled: bool, every: int = 1) -> QRectF:
        """Wells, letters as high as `every` so many rows, numbers, medians and, if wanted, the title."""
        left, top = 1.3 * UNIT * every, 1.05 * UNIT * every
        title = 1.1 * UNIT * every if titled else 0.0
        return self.wells.adjusted(-left, -top - title, UNIT, UNIT)


@dataclass(frozen=True)
class Placed:
    """A plate, where its first well lies on the scene, and how many rows share a letter."""

    drawing: PlateDrawing
    origin: QPointF
    titled: bool
    every: int = 1

    @property
    def area(self) -> QRectF:
        """Area of the scene that the plate takes."""
        return self.drawing.area(self.titled, self.every).translated(self.origin)

    def box(self, row: int, column: int) -> QRectF:
        """Return the place of a well."""
        return QRectF(self.origin.x() + column * UNIT, self.origin.y() + row * UNIT, UNIT, UNIT)

    def place(self, point: QPointF) -> tuple[int, int]:
        """Row and column at a point; -1 is the header, and numbers beyond the plate are beside it."""
        return (
            int((point.y() - self.origin.y()) // UNIT),
            int((point.x() - self.origin.x()) // UNIT),
        )


def arrange(drawings: list[PlateDrawing], size: QSizeF) -> list[Placed]:
    """Lay plates out in the grid that makes them largest, with letters that can be read.

    Parameters
    ----------
    drawings : list of PlateDrawing
        In reading order.
    size : QSizeF
        Size of the view in pixels.
    """
    every = 1
    while True:
        placed, scale = _grid(drawings, size, every)
        if LETTER * UNIT * every * scale >= READABLE or every == MOST_SHARED:
            return placed
        every *= 2


def _grid(drawings: list[PlateDrawing], size: QSizeF, every: int) -> tuple[list[Placed], float]:
    """Lay plates out in a grid whose letters are `every` so many rows high; returns pixels by unit too."""
    titled = len(drawings) > 1
    areas = [drawing.area(titled, every) for drawing in drawings]
    width = max((area.width() for area in areas), default=1.0) + UNIT * titled
    height = max((area.height() for area in areas), default=1.0) + UNIT * titled

    def scale(columns: int) -> float:
        rows = -(-len(drawings) // columns)
        return min(size.width() / (columns * width), size.height() / (rows * height))

    columns = max(range(1, len(drawings) + 1), key=scale, default=1)
    places = [QPointF(i % columns * width, i // columns * height) for i in range(len(drawings))]
    placed = [
        Placed(drawing, place - area.topLeft(), titled, every)
        for drawing, area, place in zip(drawings, areas, places, strict=True)
    ]
    return placed, scale(columns)


class Plates(Protocol):
    """Plates to draw."""

    placed: list[Placed]
    tone: Tones
    pictures: Callable[[str, int], QPixmap | None] | None
    area: QRectF


class Drawn(Plates, Protocol):
    """Plates to draw, and what is picked of them."""

    selected: frozenset[str]
    shown: str | None
    current: str | None

    def box_of(self, identifier: str | None) -> QRectF | None: ...

    def hasFocus(self) -> bool: ...


class _Item(QGraphicsItem):
    def __init__(self, view: Drawn) -> None:
        super().__init__()
        self._view = view

    def boundingRect(self) -> QRectF:
        return self._view.area


class WellsItem(_Item):
    """All wells with their letters and medians: painted once, and kept as a picture until they change."""

    def __init__(self, view: Drawn) -> None:
        super().__init__(view)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)  # says what is in sight
        self.keep_picture(True)

    def keep_picture(self, on: bool) -> None:
        """Keep the picture of all wells, or paint those in sight each time: few, where a plate is zoomed."""
        modes = QGraphicsItem.CacheMode
        self.setCacheMode(modes.DeviceCoordinateCache if on else modes.NoCache)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, _widget: object = None) -> None:
        side = PICTURE if UNIT * painter.worldTransform().m11() <= PICTURE else LARGER_PICTURE
        for placed in self._view.placed:
            self._paint_edges(painter, placed)
            at = {(mark.row, mark.column): mark for mark in placed.drawing.marks}
            rows, columns = placed.drawing.shape
            for row in range(rows):
                for column in range(columns):
                    box = placed.box(row, column)
                    if box.intersects(option.exposedRect):
                        inside = box.adjusted(GAP, GAP, -GAP, -GAP)
                        self._paint_well(painter, at.get((row, column)), inside, side)

    def _paint_well(self, painter: QPainter, mark: WellMark | None, box: QRectF, side: int) -> None:
        tone, pictures = self._view.tone, self._view.pictures
        painter.setPen(Qt.PenStyle.NoPen)
        if mark is None:
            painter.setBrush(QBrush(tone.between(0.22), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(box, ROUND, ROUND)
            return
        picture = pictures(mark.id, side) if pictures is not None else None
        if mark.rgb is None:
            fill = tone.between(0.13)
            painter.setPen(QPen(tone.between(0.4), 0.8))
            box = box.adjusted(0.4, 0.4, -0.4, -0.4)
        else:
            fill = QColor(*mark.rgb)
            if mark.outlined:
                painter.setPen(QPen(tone.text, 1.2))
                box = box.adjusted(0.6, 0.6, -0.6, -0.6)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, ROUND, ROUND)
        if picture is not None:
            painter.setOpacity(FADED if mark.faded else 1.0)
            draw_inside(painter, picture, box.adjusted(1.6, 1.6, -1.6, -1.6))
            painter.setOpacity(1.0)
        else:
            _paint_control(painter, mark.control, fill, box.center())
        if mark.failed:
            painter.setPen(QPen(tone.text, 1.4))
            painter.drawLine(box.topLeft() + QPointF(3, 3), box.bottomRight() - QPointF(3, 3))
            painter.drawLine(box.topRight() + QPointF(-3, 3), box.bottomLeft() + QPointF(3, -3))

    def _paint_edges(self, painter: QPainter, placed: Placed) -> None:
        """Write letters, numbers and title, and draw the medians of rows and columns."""
        drawing = placed.drawing
        rows, columns = drawing.shape
        every = placed.every
        font = painter.font()
        font.setPixelSize(round(UNIT * LETTER * every))
        painter.setFont(font)
        painter.setPen(self._view.tone.between(0.85))
        middle = Qt.AlignmentFlag.AlignCenter
        for box, text in _headers(placed, every):
            painter.drawText(box, middle, text)
        if placed.titled:
            font.setPixelSize(round(UNIT * TITLE * every))
            painter.setFont(font)
            box = QRectF(placed.area.topLeft(), QSizeF(placed.area.width(), UNIT * every))
            name = painter.fontMetrics().elidedText(
                drawing.name, Qt.TextElideMode.ElideMiddle, round(box.width())
            )
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(Qt.PenStyle.NoPen)
        for row, rgb in enumerate(drawing.rows):
            if rgb is not None:
                painter.setBrush(QColor(*rgb))
                box = placed.box(row, columns)
                painter.drawRect(QRectF(box.x() + 0.35 * UNIT, box.y() + GAP, 0.5 * UNIT, UNIT - 2 * GAP))
        for column, rgb in enumerate(drawing.columns):
            if rgb is not None:
                painter.setBrush(QColor(*rgb))
                box = placed.box(rows, column)
                painter.drawRect(QRectF(box.x() + GAP, box.y() + 0.35 * UNIT, UNIT - 2 * GAP, 0.5 * UNIT))


class RingsItem(_Item):
    """Rings around the wells that are selected, shown and under the keyboard."""

    def paint(self, painter: QPainter, *_: Any) -> None:
        view = self._view
        painter.setBrush(Qt.BrushStyle.NoBrush)
        boxes = [box for well in view.selected if (box := view.box_of(well)) is not None]
        # Text colour outside, background inside: one of the two is seen on any fill.
        for colour, width, inset in ((view.tone.background, 1.6, GAP + 1.8), (view.tone.text, 2.2, GAP)):
            painter.setPen(QPen(colour, width))
            for box in boxes:
                painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), ROUND, ROUND)
        shown = view.box_of(view.shown)
        if shown is not None:
            painter.setPen(QPen(view.tone.shown, 2.8))
            painter.drawRoundedRect(shown.adjusted(GAP, GAP, -GAP, -GAP), ROUND, ROUND)
        current = view.box_of(view.current)
        if current is not None and view.hasFocus():
            painter.setPen(QPen(view.tone.text, 1, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(current.adjusted(3.7, 3.7, -3.7, -3.7), 2, 2)


def _headers(placed: Placed, every: int) -> Iterator[tuple[QRectF, str]]:
    rows, columns = placed.drawing.shape
    for row in range(0, rows, every):
        box, wide = placed.box(row, 0), 1.3 * UNIT * every
        yield QRectF(box.x() - wide, box.y(), wide, UNIT * every), row_letters(row)
    for column in range(0, columns, every):
        box = placed.box(0, column)
        yield QRectF(box.x(), box.y() - UNIT * every, UNIT * every, UNIT * every), str(column + 1)


def _paint_control(painter: QPainter, control: str, fill: QColor, middle: QPointF) -> None:
    if not control:
        return
    painter.setPen(QPen(QColor("black") if fill.lightnessF() > 0.55 else QColor("white"), 1.6))
    arm = UNIT * 0.17
    across, down = QPointF(arm, 0), QPointF(0, arm)
    if control == "empty":
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(middle, arm, arm)
        return
    painter.drawLine(middle - across, middle + across)
    if control == "poscon":
        painter.drawLine(middle - down, middle + down)


def draw_inside(painter: QPainter, picture: QPixmap, box: QRectF) -> None:
    """Draw a picture as large as fits into a box, keeping its proportions."""
    scale = min(box.width() / picture.width(), box.height() / picture.height())
    width, height = picture.width() * scale, picture.height() * scale
    at = QRectF(box.center().x() - width / 2, box.center().y() - height / 2, width, height)
    painter.drawPixmap(at, picture, QRectF(picture.rect()))
