"""The prompts of a query: shown with where they came from, ticked off, reworded, weighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_cellclip.gui.plain_text import plain

if TYPE_CHECKING:
    from napari_cellclip.explore.wording.wording import Prompt

PROMPT, WEIGHT, SOURCE = range(3)
OWN = "typed"
"""Source of a prompt that the user has written or changed."""


class PromptTable(QTableWidget):
    """One row a prompt: whether it is sent, its words, its weight and its source.

    The last row is empty; what is typed there becomes a prompt of its own.
    """

    valueChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self._prompts: list[Prompt] = []
        self._filling = False
        self.setHorizontalHeaderLabels(["Prompt", "Weight", "Source"])
        self.setAccessibleName("Prompts")
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.horizontalHeader()
        header.setSectionResizeMode(PROMPT, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(WEIGHT, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(SOURCE, QHeaderView.ResizeMode.ResizeToContents)
        self.setToolTip(
            "Untick a prompt to leave it out, double-click to edit it, type your own in the last row.\n"
            "The embeddings are averaged by weight; a negative weight subtracts."
        )
        self.itemChanged.connect(self._changed)

    def value(self) -> tuple[Prompt, ...]:
        """All prompts, sent or not."""
        return tuple(self._prompts)

    def setValue(self, prompts: Sequence[Prompt]) -> None:
        """Show these prompts."""
        self._prompts = list(prompts)
        self._fill()

    def _fill(self) -> None:
        self._filling = True
        try:
            self.setRowCount(len(self._prompts) + 1)
            for row, prompt in enumerate(self._prompts):
                words = QTableWidgetItem(prompt.text)
                words.setToolTip(plain(prompt.text))
                words.setFlags(words.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                words.setCheckState(Qt.CheckState.Checked if prompt.on else Qt.CheckState.Unchecked)
                self.setItem(row, PROMPT, words)
                self.setItem(row, WEIGHT, QTableWidgetItem(f"{prompt.weight:.2g}"))
                source = QTableWidgetItem(prompt.source)
                source.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.setItem(row, SOURCE, source)
            last = len(self._prompts)
            self.setItem(last, PROMPT, QTableWidgetItem(""))
            for column in (WEIGHT, SOURCE):
                blank = QTableWidgetItem("")
                blank.setFlags(Qt.ItemFlag.NoItemFlags)
                self.setItem(last, column, blank)
        finally:
            self._filling = False

    def _changed(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        row = item.row()
        if row == len(self._prompts):
            if text := " ".join(item.text().split()):
                self._prompts.append(self._own(text))
        elif item.column() == WEIGHT:
            self._prompts[row] = self._weighted(self._prompts[row], item.text())
        else:
            self._prompts[row] = self._edited(self._prompts[row], item)
        self._fill()
        self.valueChanged.emit(self.value())

    def _own(self, text: str) -> Prompt:
        from napari_cellclip.explore.wording.wording import Prompt

        return Prompt(text, source=OWN)

    def _weighted(self, prompt: Prompt, text: str) -> Prompt:
        try:
            return replace(prompt, weight=float(text.replace(",", ".")))
        except ValueError:  # the old weight is shown again
            return prompt

    def _edited(self, prompt: Prompt, item: QTableWidgetItem) -> Prompt:
        text = " ".join(item.text().split())
        on = item.checkState() == Qt.CheckState.Checked
        if text and text != prompt.text:
            return replace(prompt, text=text, source=OWN, on=on)
        return replace(prompt, on=on and bool(text))
