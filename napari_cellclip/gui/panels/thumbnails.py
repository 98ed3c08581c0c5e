"""Small pictures of wells for tables and tooltips, by well id."""

from __future__ import annotations

from base64 import b64encode
from html import escape

import numpy as np
import pandas as pd
from cachetools import LRUCache
from qtpy.QtCore import QBuffer, QIODevice, QRect, Qt
from qtpy.QtGui import QGuiApplication, QImage, QPixmap

from napari_cellclip.gui.state.session import Session
from napari_cellclip.vocabulary import CellClipError

CACHED = 8000
SMALL = 34
"""Side of a picture in a line of the hits, in pixels."""

WHOLE_FROM = 72
"""Side in pixels from which a picture shows the whole field; smaller ones show its middle, or no cell would
be seen."""
MIDDLE = 0.5
"""Share of the field's sides that is its middle."""
TRIED = 3
"""Encoded wells that are tried for a picture."""


def look_alike_lines(row: pd.Series) -> list[str]:
    """Say what a row of the well table tells about look-alikes, a sentence for each."""
    lines = [f"looks like {row['nearest']}"]
    if np.isfinite(row["precision"]):
        share = f"{100 * row['precision']:.0f} %"
        lines.append(f"of labelled treatments that looked this alike, {share} shared the mechanism")
        lines.append(
            f"(95 % interval {100 * row['precision_low']:.0f}-{100 * row['precision_high']:.0f} %,"
            f" n = {row['precision_n']:.0f}; estimated probability {100 * row['probability']:.0f} %)"
        )
    if row["rivals"]:
        lines.append(f"rival explanations: {row['rivals']}")
    return lines


class Thumbnails:
    """Previews of the session's screen as pixmaps, cached by id.

    Parameters
    ----------
    session : Session
        Its screen is asked; pictures of another screen are forgotten.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pixmaps: LRUCache[tuple[str, int], QPixmap | None] = LRUCache(CACHED)
        session.screen_changed.connect(self.forget)
        session.screen_grew.connect(self.forget)

    def forget(self) -> None:
        """Drop all pictures."""
        self._pixmaps.clear()

    def pixmap(self, identifier: str, side: int) -> QPixmap | None:
        """Picture of a well with the longer side given in pixels; ``None`` if there is none.

        On a screen that is scaled it has as many more of them as make it sharp there.
        """
        key = identifier, side
        if key not in self._pixmaps:
            self._pixmaps[key] = self._render(identifier, side)
        return self._pixmaps[key]

    def is_known(self, identifier: str, side: int) -> bool:
        """Tell whether :meth:`pixmap` answers at once."""
        return (identifier, side) in self._pixmaps

    def has_picture(self, identifier: str) -> bool:
        """Tell whether the screen has a picture of a well."""
        return self.pixmap(identifier, SMALL) is not None

    def any(self) -> bool:
        """Tell whether wells of this screen have pictures; the first ones that are encoded tell."""
        table = self._session.wells
        encoded = table.index[table["encoded"].to_numpy(bool)][:TRIED]
        return any(self.has_picture(str(well)) for well in encoded)

    def _render(self, identifier: str, side: int) -> QPixmap | None:
        screen = self._session.screen
        if screen is None or identifier not in screen.wells.index:
            return None
        try:
            rgb = np.ascontiguousarray(screen.preview(identifier))
        except (CellClipError, OSError):  # a run that was cut off before this preview
            return None
        height, width = rgb.shape[:2]
        image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        if side < WHOLE_FROM:
            cut = QRect(0, 0, max(1, round(MIDDLE * width)), max(1, round(MIDDLE * height)))
            cut.moveCenter(image.rect().center())
            image = image.copy(cut)
        ratio = QGuiApplication.primaryScreen().devicePixelRatio()
        wanted = round(side * ratio)
        picture = QPixmap.fromImage(image).scaled(
            wanted, wanted, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        picture.setDevicePixelRatio(ratio)
        return picture

    def tooltip(self, identifier: str, side: int = 160) -> str:
        """Treatment, score and picture of a well as rich text."""
        table = self._session.wells
        if identifier not in table.index:
            return ""
        row = table.loc[identifier]
        lines = [f"<b>{escape(row['well'])}</b> · {escape(row['treatment'] or 'no treatment known')}"]
        if row["control"]:
            lines.append(
                {"negcon": "negative control", "poscon": "positive control"}.get(
                    row["control"], escape(row["control"])
                )
            )
        elif row["mechanism"]:
            lines.append(escape(row["mechanism"]))
        if np.isfinite(row["score"]):
            lines.append(f"score {row['score']:.2f} · cosine {row['cosine']:.3f} · rank {int(row['rank'])}")
        elif not row["encoded"]:
            lines.append("not encoded yet")
        if row["nearest"]:
            lines += [escape(text) for text in look_alike_lines(row)]
        picture = self.pixmap(identifier, side)
        if picture is not None:
            buffer = QBuffer()
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            picture.save(buffer, "PNG")
            data = b64encode(bytes(buffer.data())).decode()
            wide = round(picture.deviceIndependentSize().width())
            lines.append(f'<img width="{wide}" src="data:image/png;base64,{data}">')
        return "<div style='white-space:pre'>" + "<br>".join(lines) + "</div>"
