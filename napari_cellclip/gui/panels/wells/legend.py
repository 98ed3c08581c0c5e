"""The legend of a colouring: a ramp with its ends, or the names of categories, in two lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QRectF, QSize, QSizeF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellclip.gui.palette import Category, ColourScale, WellColours
from napari_cellclip.gui.panels.theme import SMALLER, Tones, smaller, tones
from napari_cellclip.gui.plain_text import plain


class Legend(QWidget):
    """Legend of the colours of wells, in two lines whose height never changes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: WellColours | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Legend")
        self.setToolTip("What the colours mean")

    def sizeHint(self) -> QSize:
        return QSize(160, 2 * round(SMALLER * self.fontMetrics().lineSpacing()) + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def value(self) -> WellColours | None:
        """Return the colours it explains."""
        return self._colours

    def set_colours(self, colours: WellColours | None) -> None:
        """Explain these colours, or nothing."""
        self._colours = colours if colours is not None and colours.known.any() else None
        self.setAccessibleDescription(self.text())
        self.setToolTip(plain(self.text()))
        self.update()

    def text(self) -> str:
        """Put the legend in words, a line for each entry."""
        colours = self._colours
        if colours is None:
            return "No well has a value"
        if colours.scale is not None:
            grey = "; grey: the others" if _some_grey(colours) else ""
            return f"{colours.title}: {_number(colours.scale.low)} to {_number(colours.scale.high)}{grey}"
        names = [f"{category.name}: {category.count}" for category in colours.categories]
        return "\n".join([f"{colours.title} (wells)", *names])

    def paintEvent(self, _event: object) -> None:
        if self._colours is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(smaller(self.font()))
        paint_legend(painter, QSizeF(self.size()), self._colours, tones(self))


def paint_legend(painter: QPainter, size: QSizeF, colours: WellColours, tone: Tones) -> None:
    """Paint a legend in two lines, with the painter's font, from its origin on.

    Parameters
    ----------
    painter : QPainter
        Of a widget, or of a page.
    size : QSizeF
        Room there is.
    colours : WellColours
        What is explained.
    tone : Tones
        Text and background.
    """
    painter.setPen(tone.text)
    if colours.scale is not None:
        _paint_ramp(painter, size, colours, colours.scale, tone)
    else:
        _paint_categories(painter, size, colours.categories, tone)


def _paint_ramp(
    painter: QPainter, size: QSizeF, colours: WellColours, scale: ColourScale, tone: Tones
) -> None:
    """Write what is shown above the ramp, and its ends beside it."""
    metrics, half = painter.fontMetrics(), size.height() / 2
    above, below = QRectF(0, 0, size.width(), half), QRectF(0, half, size.width(), half)
    left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
    middle = Qt.AlignmentFlag.AlignVCenter
    painter.drawText(above, middle | left, colours.title)
    if _some_grey(colours):
        painter.setPen(tone.quiet())
        painter.drawText(above, middle | right, "grey: the others")
        painter.setPen(tone.text)
    low, high = _number(scale.low), _number(scale.high)
    painter.drawText(below, middle | left, low)
    painter.drawText(below, middle | right, high)
    start, stop = (metrics.horizontalAdvance(text) + 6 for text in (low, high))
    bar = below.adjusted(start, 0.2 * half, -stop, -0.2 * half)
    if bar.width() <= 0:
        return
    rgb = np.ascontiguousarray(scale.colours(np.linspace(scale.low, scale.high, 256)))
    image = QImage(rgb.data, 256, 1, 768, QImage.Format.Format_RGB888)
    painter.drawImage(bar, image)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(tone.between(0.5), 1))  # where the ramp is as dark as the background
    painter.drawRect(bar)


def _paint_categories(painter: QPainter, size: QSizeF, categories: tuple[Category, ...], tone: Tones) -> None:
    """Write the names in columns of two, each column as wide as it needs where it fits."""
    metrics = painter.fontMetrics()
    half = size.height() / 2
    dot = 0.62 * half
    around = dot + 4 + 12
    columns = [categories[i : i + 2] for i in range(0, len(categories), 2)]
    wanted = [max(metrics.horizontalAdvance(c.name) for c in column) + around for column in columns]
    x = 1.0
    for column, width in zip(columns, shared(wanted, size.width()), strict=True):
        for line, category in enumerate(column):
            top = line * half
            painter.setBrush(QColor(*category.rgb))
            painter.setPen(QPen(tone.between(0.6), 1))
            painter.drawEllipse(QRectF(x, top + (half - dot) / 2, dot, dot))
            painter.setPen(tone.text)
            space = width - around
            name = metrics.elidedText(category.name, Qt.TextElideMode.ElideRight, int(space) + 1)
            place = QRectF(x + dot + 4, top, space + 4, half)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        x += width


def _some_grey(colours: WellColours) -> bool:
    """Tell whether some of the wells that have a value are grey."""
    return bool((colours.known & ~colours.bright).any())


def shared(wanted: Sequence[float], width: float) -> list[float]:
    """Share a width among columns: each gets what it wants, or the widest ones are cut to the same width.

    Examples
    --------
    >>> shared([50, 200, 300], 400)
    [50.0, 175.0, 175.0]
    """
    if sum(wanted) <= width:
        return [float(w) for w in wanted]
    left, cut = float(width), 0.0
    for place, one in enumerate(sorted(wanted)):
        cut = left / (len(wanted) - place)
        if one > cut:
            break
        left -= one
    return [min(float(w), cut) for w in wanted]


def _number(value: float) -> str:
    return f"{value:.3g}"
