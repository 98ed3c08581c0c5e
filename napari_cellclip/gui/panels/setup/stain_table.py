"""Which channel of the files shows which stain: a picture of each channel, and what it is taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QImage, QPixmap
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QFlowLayout

from napari_cellclip.gui.panels.theme import smaller
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.plates import Plate
from napari_cellclip.vocabulary import STAINS, Stain

IGNORE = "Ignore"
NO_STAIN = "#ffffff"
"""Colour of a channel whose stain is not chosen: it has to be told by its picture."""
SIDE, WIDE = 84, 100
"""Pixels of a picture and of a tile: five stand side by side in a window of 1280 pixels."""


class ChannelTile(QWidget):
    """A picture of a channel, its name in the files, and the stain it shows."""

    chosen = Signal()

    def __init__(self, channel: str, source: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.channel = channel
        self._pixels: NDArray[np.uint8] | None = None
        self.picture = PlainLabel()
        self.picture.setFixedSize(SIDE, SIDE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setToolTip(plain(f"A field of channel {channel}, scaled by its own brightness"))
        name = PlainElidingLabel(channel)
        name.setFixedWidth(WIDE)
        name.setFont(smaller(name.font()))
        name.setToolTip(plain(f"{channel}: {source}"))
        self.combo = QComboBox()
        self.combo.setFixedWidth(WIDE)
        self.combo.setAccessibleName(f"Stain of channel {channel}")
        self.combo.setToolTip(plain(f"Stain that channel {channel} shows. {source}"))
        self.combo.addItem(IGNORE, None)
        for stain in STAINS:
            self.combo.addItem(str(stain), stain)
        self.combo.currentIndexChanged.connect(self._changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (self.picture, name, self.combo):
            layout.addWidget(widget)
        self._draw()

    def value(self) -> Stain | None:
        """Return the stain, ``None`` where the channel is ignored."""
        stain = self.combo.currentData()
        return Stain(stain) if stain else None

    def setValue(self, stain: Stain | None) -> None:
        """Choose a stain."""
        self.combo.setCurrentIndex(0 if stain is None else 1 + STAINS.index(stain))

    def show_picture(self, pixels: NDArray[np.uint8] | None) -> None:
        """Show a field of the channel, uint8 (y, x)."""
        self._pixels = pixels
        self._draw()

    def _changed(self) -> None:
        self._draw()
        self.chosen.emit()

    def _draw(self) -> None:
        if self._pixels is None:
            self.picture.setText("no picture")
            return
        stain = self.value()
        colour = QColor(stain.colour if stain is not None else NO_STAIN)
        share = self._pixels[..., None] / 255.0
        rgb = np.ascontiguousarray(share * np.array(colour.getRgb()[:3]), np.uint8)
        image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], 3 * rgb.shape[1], QImage.Format.Format_RGB888)
        pixmap = QPixmap.fromImage(image.copy())
        aspect, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        sharp = round(SIDE * self.devicePixelRatioF())
        pixmap = pixmap.scaled(sharp, sharp, aspect, smooth)
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        self.picture.setPixmap(pixmap)


class StainTable(QWidget):
    """A tile for each channel of the files; channels may be ignored.

    The value is a mapping from stain to the name of a channel in the files.
    """

    valueChanged = Signal(object)
    applied = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles: dict[str, ChannelTile] = {}
        self.row = QWidget()
        self.flow = QFlowLayout(self.row)
        self.flow.setContentsMargins(0, 0, 0, 0)
        self.reason = PlainLabel()
        self.reason.setWordWrap(True)
        self.offers = QWidget()
        self.proposals = QFlowLayout(self.offers)
        self.proposals.setContentsMargins(0, 0, 0, 0)
        self.button = QPushButton("Use these stains")
        self.button.setToolTip("Open the plate with these stains; they are remembered for others of its kind")
        self.button.setEnabled(False)
        self.button.clicked.connect(self._apply)
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        first = QHBoxLayout()  # above the pictures, so that it is in sight in a low window too
        first.addWidget(self.reason, 1)
        first.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(first)
        layout.addWidget(self.offers)
        layout.addWidget(self.row)
        layout.addWidget(self.state)
        self._mapped: dict[Stain, str] = {}

    def value(self) -> dict[Stain, str]:
        """Return the mapping as chosen; of a stain chosen twice the first channel counts."""
        found: dict[Stain, str] = {}
        for tile in self.tiles.values():
            if (stain := tile.value()) is not None:
                found.setdefault(stain, tile.channel)
        return {stain: found[stain] for stain in STAINS if stain in found}

    def setValue(self, mapping: Mapping[Stain, str]) -> None:
        """Choose a mapping among the channels there are; the others are ignored."""
        stains = {channel: stain for stain, channel in mapping.items()}
        for channel, tile in self.tiles.items():
            tile.combo.blockSignals(True)
            tile.setValue(stains.get(channel))
            tile.combo.blockSignals(False)
            tile.show_picture(tile._pixels)
        self._changed()

    def set_plate(self, plate: Plate, remembered: tuple[Mapping[Stain, str], str] | None = None) -> None:
        """Show the channels of a plate, with its own mapping chosen.

        Parameters
        ----------
        plate : Plate
            The plate.
        remembered : (mapping, str) or None
            Stains confirmed for another plate of this kind, and its name: chosen where the files say nothing.
        """
        mapping = plate.stains
        self._mapped = {stain: str(channel) for stain, channel in mapping.channels.items()}
        for tile in self.tiles.values():
            self.flow.removeWidget(tile)
            tile.deleteLater()
        self.tiles = {}
        stain_of = {channel: stain for stain, channel in self._mapped.items()}
        for channel in mapping.available:
            told = mapping.sources.get(stain_of[channel]) if channel in stain_of else None
            source = told or mapping.ignored.get(channel) or "The files do not say what it shows."
            tile = ChannelTile(channel, source)
            tile.chosen.connect(self._changed)
            self.tiles[channel] = tile
            self.flow.addWidget(tile)
        self._offer(plate, remembered)
        self._put_in_order()
        start = dict(self._mapped)
        if remembered is not None and not mapping.complete:
            start = {**remembered[0]}
        self.setValue(start)

    def show_pictures(self, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Show a field of each channel."""
        for channel, tile in self.tiles.items():
            tile.show_picture(pictures.get(channel))

    def _offer(self, plate: Plate, remembered: tuple[Mapping[Stain, str], str] | None) -> None:
        """Say how each stain is known, and offer what the channels probably are, with the reason."""
        while (item := self.proposals.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        mapping = plate.stains
        if mapping.complete:
            self.reason.setText("All five stains are known; point at a channel to read from what.")
        elif remembered is not None:
            self.reason.setText(
                f"As confirmed for {remembered[1]}, a plate of this kind: check the pictures."
            )
        else:
            self.reason.setText("Choose the stain that each channel shows, or ignore it.")
        for proposal in mapping.proposals if not mapping.complete else ():
            self._offer_one(proposal.channels, proposal.reason)
        self.offers.setVisible(self.proposals.count() > 0)

    def _offer_one(self, channels: Mapping[Stain, str], reason: str) -> None:
        text = ", ".join(f"{stain}={channel}" for stain, channel in channels.items())
        stain_of = {channel: stain for stain, channel in channels.items()}
        in_order = " ".join(str(stain_of.get(channel, "–")) for channel in self.tiles)
        offer = QPushButton(f"Proposed: {in_order}"[:48])
        offer.setToolTip(plain(f"{text}, {reason}"))
        offer.clicked.connect(lambda: self.setValue({**self._mapped, **channels}))
        self.proposals.addWidget(offer)

    def _put_in_order(self) -> None:
        """Let Tab go as the eye does: what is proposed, the channels, the button."""
        offers = [self.proposals.itemAt(i).widget() for i in range(self.proposals.count())]
        stops = [*offers, *(tile.combo for tile in self.tiles.values()), self.button]
        for one, following in pairwise(stops):
            QWidget.setTabOrder(one, following)

    def _changed(self) -> None:
        chosen = [tile.value() for tile in self.tiles.values() if tile.value() is not None]
        twice = sorted({str(stain) for stain in chosen if chosen.count(stain) > 1})
        missing = [str(stain) for stain in STAINS if stain not in chosen]
        ignored = [tile.channel for tile in self.tiles.values() if tile.value() is None]
        self.button.setEnabled(bool(chosen) and not twice and self.value() != self._mapped)
        self.state.setText(_state(twice, missing, ignored))
        self.valueChanged.emit(self.value())

    def _apply(self) -> None:
        self.button.setEnabled(False)
        self.applied.emit(self.value())


def _state(twice: Sequence[str], missing: Sequence[str], ignored: Sequence[str]) -> str:
    if twice:
        return f"{', '.join(twice)} is chosen for two channels."
    parts = [f"Not chosen: {', '.join(missing)}."] if missing else []
    return " ".join([*parts, *([f"Ignored: {', '.join(ignored)}."] if ignored else [])])
