"""Which channel of the files is which stain, shown and corrected."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QPushButton, QVBoxLayout, QWidget

from napari_cellclip.gui.plain_text import PlainLabel, RichLabel, plain
from napari_cellclip.plates import Plate
from napari_cellclip.vocabulary import STAINS, Stain

NONE = "— none —"


class StainTable(QWidget):
    """One combo per stain.

    The value is a mapping from stain to the name of a channel in the files.
    """

    valueChanged = Signal(object)
    applied = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combos: dict[Stain, QComboBox] = {}
        self.sources: dict[Stain, PlainLabel] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(2, 1)
        for row, stain in enumerate(STAINS):
            name = RichLabel(f"<span style='color:{stain.colour}'>●</span> {stain.value}")
            name.setToolTip(plain(stain.target))
            combo = QComboBox()
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
            combo.setToolTip(plain(f"Channel of the files that shows {stain.target}"))
            combo.currentIndexChanged.connect(self._changed)
            source = PlainLabel()
            source.setWordWrap(True)
            self.combos[stain], self.sources[stain] = combo, source
            grid.addWidget(name, row, 0)
            grid.addWidget(combo, row, 1)
            grid.addWidget(source, row, 2)
        self.button = QPushButton("Use this mapping")
        self.button.setEnabled(False)
        self.button.clicked.connect(self._apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addWidget(self.button)

    def value(self) -> dict[Stain, str]:
        """The mapping as chosen; stains that are not there are left out."""
        return {s: c.currentData() for s, c in self.combos.items() if c.currentData()}

    def setValue(self, mapping: dict[Stain, str]) -> None:
        """Choose a mapping among the channels on offer."""
        for stain, combo in self.combos.items():
            combo.setCurrentIndex(max(0, combo.findData(mapping.get(stain, ""))))

    def set_plate(self, plate: Plate) -> None:
        """Offer the channels of a plate, with its own mapping chosen."""
        mapping = plate.stains
        for stain, combo in self.combos.items():
            combo.blockSignals(True)
            combo.clear()
            combo.addItem(NONE, "")
            for channel in mapping.available:
                combo.addItem(channel, channel)
            combo.setCurrentIndex(max(0, combo.findData(str(mapping.channels.get(stain, "")))))
            combo.blockSignals(False)
            self.sources[stain].setText(mapping.sources.get(stain, "Not found in the files"))
        self.button.setEnabled(False)

    def _changed(self) -> None:
        chosen = list(self.value().values())
        twice = len(set(chosen)) < len(chosen)
        self.button.setEnabled(bool(chosen) and not twice)
        self.button.setText("One channel is chosen twice" if twice else "Use this mapping")
        self.valueChanged.emit(self.value())

    def _apply(self) -> None:
        self.button.setEnabled(False)
        self.applied.emit(self.value())
