"""Write the figure of a session as PNG, PDF or SVG: one painting, three kinds of paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QBuffer, QIODevice, QMarginsF, QRectF, QSize
from qtpy.QtGui import QImage, QPageLayout, QPageSize, QPainter, QPdfWriter
from qtpy.QtSvg import QSvgGenerator

from napari_cellclip import __version__
from napari_cellclip.gui.panels.figure.page import PAGE, PER_INCH, Report, paint_page, unheard
from napari_cellclip.screen.storage.files import write_whole
from napari_cellclip.vocabulary import ScreenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QPaintDevice

    from napari_cellclip.gui.state.session import Session

DOTS_PER_INCH = 300
"""Resolution of pictures, as journals ask for."""


def _paint(device: QPaintDevice, session: Session, report: Report, scale: float = 1.0) -> None:
    painter = QPainter(device)
    try:
        painter.scale(scale, scale)
        paint_page(painter, session, report)
    finally:
        painter.end()


def _png(buffer: QBuffer, session: Session, report: Report) -> None:
    scale = DOTS_PER_INCH / PER_INCH
    image = QImage((PAGE * scale).toSize(), QImage.Format.Format_RGB32)
    per_metre = round(DOTS_PER_INCH / 0.0254)
    image.setDotsPerMeterX(per_metre)
    image.setDotsPerMeterY(per_metre)
    _paint(image, session, report, scale)
    image.save(buffer, "PNG")


def _pdf(buffer: QBuffer, session: Session, report: Report) -> None:
    writer = QPdfWriter(buffer)
    writer.setResolution(PER_INCH)
    size = QPageSize(QPageSize.PageSizeId.A4)
    writer.setPageLayout(QPageLayout(size, QPageLayout.Orientation.Landscape, QMarginsF()))
    writer.setTitle(_title(session))
    writer.setCreator(f"napari-cellclip {__version__}")
    _paint(writer, session, report)


def _svg(buffer: QBuffer, session: Session, report: Report) -> None:
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setResolution(PER_INCH)
    generator.setSize(QSize(PAGE.toSize()))
    generator.setViewBox(QRectF(0, 0, PAGE.width(), PAGE.height()))
    generator.setTitle(_title(session))
    _paint(generator, session, report)


FIGURES: dict[str, tuple[str, Callable[[QBuffer, Session, Report], None]]] = {
    ".pdf": ("PDF", _pdf),
    ".png": ("PNG", _png),
    ".svg": ("SVG", _svg),
}
"""Title and painting of each suffix."""


def write_figure(path: Path, session: Session, report: Report = unheard) -> None:
    """Write the figure of a session, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in one of the suffixes of :data:`FIGURES`.
    session : Session
        What is open, asked and looked at.
    report : callable, optional
        Told of each part of the page that is painted; what it raises ends the work before a file is written.

    Raises
    ------
    ScreenError
        If no kind of figure has that suffix, or the disk is full.
    OSError
        If the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in FIGURES:
        *others, last = FIGURES
        raise ScreenError(f"{path.name}: choose a name ending in {', '.join(others)} or {last}.")
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    FIGURES[suffix][1](buffer, session, report)
    buffer.close()
    write_whole(path, bytes(buffer.data().data()))


def figure_filter() -> str:
    """Return the kinds of figures as file dialogs of Qt want them: ``PDF (*.pdf);;PNG (*.png)``."""
    return ";;".join(f"{title} (*{suffix})" for suffix, (title, _) in FIGURES.items())


def _title(session: Session) -> str:
    return session.answer.query if session.answer is not None else session.view.plate or ""
