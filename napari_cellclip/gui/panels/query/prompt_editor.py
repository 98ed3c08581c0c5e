"""The prompts of a query: what was sent, edited and sent again, and how they are combined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.query.prompt_table import PromptTable

if TYPE_CHECKING:
    from napari_cellclip.explore.wording.wording import Prompt

LINES = 9


class PromptEditor(QWidget):
    """A table of prompts with the options of a query below it.

    The value is the tuple of prompts, sent or not; :attr:`submitted` is emitted when they shall be asked.
    """

    submitted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = PromptTable()
        self.table.setFixedHeight(self.fontMetrics().lineSpacing() * LINES)
        self.combine = QComboBox()
        self.combine.setAccessibleName("How prompts are combined")
        self.combine.addItem("Mean of prompts", "mean")
        self.combine.addItem("Best prompt", "max")
        self.combine.setToolTip("How several prompts become one score")
        self.button = QPushButton("Ask with these prompts")
        self.button.setToolTip("Ask with the prompts as ticked and edited")
        self.button.clicked.connect(self.submitted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.combine)
        row.addWidget(self.button)
        layout.addLayout(row)

    def value(self) -> tuple[Prompt, ...]:
        """All prompts, ticked or not."""
        return self.table.value()

    def setValue(self, prompts: Sequence[Prompt]) -> None:
        """Show these prompts."""
        self.table.setValue(prompts)

    def set_options(self, combine: str) -> None:
        """Choose how prompts are combined."""
        self.combine.setCurrentIndex(self.combine.findData(combine))

    def options(self) -> dict[str, Any]:
        """``combine`` as chosen: a field of an ``AskRequest``."""
        return {"combine": self.combine.currentData()}
