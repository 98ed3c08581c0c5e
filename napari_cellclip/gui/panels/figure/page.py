"""The page of a figure: question and verdict, plates, map and first hits, and where they came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
from qtpy.QtCore import QPointF, QRectF, QSizeF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QStyleOptionGraphicsItem

from napari_cellclip import __version__
from napari_cellclip.gui.palette import WellColours, well_colours
from napari_cellclip.gui.panels.drawing.drawn_plates import drawn_plates, plate_names
from napari_cellclip.gui.panels.drawing.plate_drawing import Placed, WellsItem, arrange
from napari_cellclip.gui.panels.figure.first_hits import WIDTHS, first_hits, table_columns
from napari_cellclip.gui.panels.figure.map_drawing import MapPoints, paint_map
from napari_cellclip.gui.panels.header import simulation_sentence
from napari_cellclip.gui.panels.hits.hit_columns import cell_text
from napari_cellclip.gui.panels.theme import Tones
from napari_cellclip.gui.panels.wells.legend import paint_legend
from napari_cellclip.gui.panels.wells.map_panel import name_of_map
from napari_cellclip.gui.panels.wells.plate_panel import MARKS
from napari_cellclip.gui.state.references import reference_wells
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted

PER_INCH = 144
"""Units of a page in an inch: what is drawn is as large in these as it is in pixels of the window."""

PAGE = QSizeF(1684, 1190)
"""A4, landscape."""

EDGE, GAP = 56.0, 18.0
TITLE, BODY, SMALL = 34, 21, 18
"""Heights of letters: 17, 10.5 and 9 points."""

MAP_SHARE = 0.4
"""Share of the width that the map has."""

LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
MIDDLE = Qt.AlignmentFlag.AlignVCenter


def paper() -> Tones:
    """Return white and nearly black."""
    return Tones(QColor(255, 255, 255), QColor(24, 24, 24))


@dataclass
class PlatesOnPaper:
    """Plates to draw, for :class:`~napari_cellclip.gui.panels.drawing.plate_drawing.WellsItem`."""

    placed: list[Placed]
    area: QRectF
    tone: Tones
    pictures: Callable[[str, int], QPixmap | None] | None = None


@dataclass
class Painted:
    """Places of wells on a page, in its units.

    Attributes
    ----------
    on_plate, on_map : dict of str to (float, float)
        Middle of each well by id.
    """

    on_plate: dict[str, tuple[float, float]] = field(default_factory=dict)
    on_map: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class PageProgress:
    """Parts of a page that are painted."""

    done: int
    total: int = 4


Report = Callable[[PageProgress], object]


def unheard(_progress: PageProgress) -> None:
    """Hear of progress, and do nothing."""


def paint_page(painter: QPainter, session: Session, report: Report = unheard) -> Painted:
    """Paint the figure of a session onto a page of the size of :data:`PAGE`.

    Parameters
    ----------
    painter : QPainter
        Of a picture, a PDF or a drawing, scaled to the units of a page.
    session : Session
        What is open, asked and looked at.
    report : callable, optional
        Told of each part that is painted.

    Returns
    -------
    Painted
        Where each well is.
    """
    tone, painted = paper(), Painted()
    font = QFont()
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)  # the same widths at any resolution
    painter.setFont(font)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRectF(QPointF(0, 0), PAGE), tone.background)
    page = QRectF(QPointF(0, 0), PAGE).adjusted(EDGE, EDGE, -EDGE, -EDGE)
    top = _paint_title(painter, page, session, tone)
    bottom = _paint_origin(painter, page, session, tone) - GAP
    report(PageProgress(1))
    bottom = _paint_hits(painter, QRectF(page.left(), top, page.width(), bottom - top), session, tone)
    report(PageProgress(2))
    area = QRectF(page.left(), top + GAP, page.width(), bottom - top - 2 * GAP)
    if session.map is not None:
        width = MAP_SHARE * area.width()
        on_right = QRectF(area.right() - width, area.top(), width, area.height())
        _paint_map(painter, on_right, session, tone, painted)
        area.setWidth(area.width() - width - 2 * GAP)
    report(PageProgress(3))
    _paint_plates(painter, area, session, tone, painted)
    report(PageProgress(4))
    return painted


def _paint_title(painter: QPainter, page: QRectF, session: Session, tone: Tones) -> float:
    """Write question and verdict, or the names of the plates; returns where they end."""
    answer = session.answer
    title = answer.query if answer is not None else ", ".join(plate_names(session))
    _sized(painter, TITLE, bold=True)
    if QFontMetricsF(painter.font()).horizontalAdvance(title) > page.width():
        _sized(painter, BODY, bold=True)
    painter.setPen(tone.text)
    top = page.top() + _wrapped(painter, page, title) + 0.3 * BODY
    if answer is None:
        return top
    _sized(painter, BODY)
    return top + _wrapped(painter, page.adjusted(0, top - page.top(), 0, 0), answer.verdict)


def _wrapped(painter: QPainter, area: QRectF, text: str) -> float:
    """Write words into up to three lines at the top of an area; returns their height."""
    box = QRectF(area.left(), area.top(), area.width(), 3.2 * painter.fontMetrics().lineSpacing())
    flags = Qt.TextFlag.TextWordWrap.value | LEFT.value
    used = painter.boundingRect(box, flags, text)
    painter.save()
    painter.setClipRect(box)
    painter.drawText(box, flags, text)
    painter.restore()
    return min(used.height(), box.height())


def _paint_origin(painter: QPainter, page: QRectF, session: Session, tone: Tones) -> float:
    """Write where it all came from into the last lines; returns where they begin."""
    screen, answer = session.screen, session.answer
    parts = [f"napari-cellclip {__version__}"]
    if screen is not None:
        parts = [f"Screen {screen.name}", f"model {screen.card.name}", *parts]
    if answer is not None:
        parts[-1:-1] = [f"evidence: {answer.evidence}", f"FDR {100 * answer.fdr:g} %"]
    if session.view.filter:
        parts.insert(-1, f"filter: {session.view.filter}")
    top = page.bottom() - 1.4 * SMALL
    _write(
        painter, QRectF(page.left(), top, page.width(), 1.4 * SMALL), " · ".join(parts), SMALL, tone.quiet()
    )
    simulated = simulation_sentence(session)
    if simulated:
        top -= 1.5 * SMALL
        box = QRectF(page.left(), top, page.width(), 1.4 * SMALL)
        _write(painter, box, f"Simulated. {simulated}", SMALL, tone.shown, bold=True)
    return top


def _paint_hits(painter: QPainter, area: QRectF, session: Session, tone: Tones) -> float:
    """Write the first hits at the bottom of an area; returns where the table begins."""
    lines = first_hits(session)
    if lines is None or not len(lines):
        return area.bottom()
    columns = table_columns(lines)
    row = 1.45 * SMALL
    top = area.bottom() - row * (len(lines) + 2)
    caption = f"Treatments, best first: {len(lines)} of {lines.attrs['of']}"
    if not lines["highlighted"].all():
        caption += "; grey: not highlighted"
    _write(painter, QRectF(area.left(), top, area.width(), row), caption, SMALL, tone.text, bold=True)
    painter.setPen(QPen(tone.between(0.5), 1))
    for y in (top + row, top + 2 * row, area.bottom()):
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
    x = area.left()
    for column in columns:
        width = WIDTHS.get(column.key, 0.0) * area.width() or area.right() - x
        align = RIGHT if column.number else LEFT
        texts = [(column.title, tone.quiet())]
        for values, highlighted in zip(lines.to_dict("records"), lines["highlighted"], strict=True):
            texts.append((cell_text(column, values), tone.text if highlighted else tone.quiet()))
        for number, (text, colour) in enumerate(texts, 1):
            box = QRectF(x, top + number * row, width - GAP, row)
            _write(painter, box, text, SMALL, colour, align=align)
        x += width
    return top


def _paint_plates(painter: QPainter, area: QRectF, session: Session, tone: Tones, painted: Painted) -> None:
    """Draw the plates looked at, with their legend below."""
    drawings, colours = drawn_plates(session, tone.rgb)
    caption = f"Plate {drawings[0].name}" if len(drawings) == 1 else counted(len(drawings), "plate")
    if len(drawings) > 1 and len(drawings) < (there := len(plate_names(session))):
        caption = f"{len(drawings)} of {there} plates"
    if colours.categories:  # a ramp has its title in the legend
        caption += f" · {colours.title}"
    area = _captioned(painter, area, caption, MARKS, tone)
    area = _with_legend(painter, area, colours, tone)
    placed = arrange(drawings, area.size())
    whole = QRectF()
    for one in placed:
        whole = whole.united(one.area)
    scale = min(area.width() / whole.width(), area.height() / whole.height())
    x = area.left() + (area.width() - scale * whole.width()) / 2
    y = area.top() + (area.height() - scale * whole.height()) / 2
    painter.save()
    _sized(painter, SMALL)
    painter.translate(x, y)
    painter.scale(scale, scale)
    painter.translate(-whole.topLeft())
    option = QStyleOptionGraphicsItem()
    option.exposedRect = whole
    WellsItem(PlatesOnPaper(placed, whole, tone)).paint(painter, option)
    painter.restore()
    for one in placed:
        for mark in one.drawing.marks:
            at = one.box(mark.row, mark.column).center() - whole.topLeft()
            painted.on_plate[mark.id] = x + scale * at.x(), y + scale * at.y()


def _paint_map(painter: QPainter, area: QRectF, session: Session, tone: Tones, painted: Painted) -> None:
    """Draw all of the map looked at, with its name above."""
    drawn = session.map
    assert drawn is not None
    ids = [str(i) for i in drawn.ids]
    row_of = {identifier: row for row, identifier in enumerate(ids)}
    references = reference_wells(session.screen, session.answer)
    area = _captioned(painter, area, name_of_map(drawn), "◇ references" if references else "", tone)
    points = MapPoints(
        drawn.xy,
        well_colours(session, pd.Index(ids), tone.rgb),
        {name: [row_of[i] for i in wells if i in row_of] for name, wells in references.items()},
        [(*cluster.centre, cluster.name) for cluster in session.clusters if cluster.name],
    )
    _sized(painter, BODY)
    at = paint_map(painter, area, points, tone)
    painted.on_map.update(zip(ids, map(tuple, at.tolist()), strict=True))


def _captioned(painter: QPainter, area: QRectF, caption: str, aside: str, tone: Tones) -> QRectF:
    """Write a caption over an area, what is said aside at its right; returns what is left of the area."""
    box = QRectF(area.left(), area.top(), area.width(), 1.5 * SMALL)
    _write(painter, box, aside, SMALL, tone.quiet(), align=RIGHT)
    beside = painter.fontMetrics().horizontalAdvance(aside) + GAP if aside else 0.0
    _write(painter, box.adjusted(0, 0, -beside, 0), caption, SMALL, tone.text, bold=True)
    return area.adjusted(0, 1.8 * SMALL, 0, 0)


def _with_legend(painter: QPainter, area: QRectF, colours: WellColours, tone: Tones) -> QRectF:
    """Paint the legend at the bottom of an area; returns what is left of the area."""
    if not colours.known.any():
        return area
    height = 3 * SMALL
    painter.save()
    _sized(painter, SMALL)
    painter.translate(area.left(), area.bottom() - height)
    paint_legend(painter, QSizeF(area.width(), height), colours, tone)
    painter.restore()
    return area.adjusted(0, 0, 0, -height - GAP / 2)


def _write(
    painter: QPainter,
    box: QRectF,
    text: str,
    size: int,
    colour: QColor,
    *,
    bold: bool = False,
    align: Qt.AlignmentFlag = LEFT,
) -> None:
    """Write a line into a box, shortened to its width."""
    _sized(painter, size, bold)
    painter.setPen(colour)
    shown = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, align | MIDDLE | Qt.TextFlag.TextSingleLine, shown)


def _sized(painter: QPainter, size: int, bold: bool = False) -> None:
    font = painter.font()
    font.setPixelSize(size)
    font.setBold(bold)
    painter.setFont(font)
