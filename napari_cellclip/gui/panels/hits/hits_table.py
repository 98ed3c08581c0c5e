"""The table of the hits: lines that unfold, chips, and a selection by ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from napari_cellclip.gui.panels.hits.chips import (
    CHIP,
    GAP,
    ChipDelegate,
    DoseCurveDelegate,
    LazyPictures,
    ReferenceDelegate,
)
from napari_cellclip.gui.panels.hits.hit_columns import (
    CHIPS_AT_MOST,
    COLUMNS,
    KEYS,
    MECHANISM_LETTERS,
    TREATMENT_LETTERS,
)
from napari_cellclip.gui.panels.hits.hits_model import ID_ROLE, SWATCH, HitsModel
from napari_cellclip.gui.panels.stain_bars import StainBarDelegate
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.session import Session

MEASURED = 60
"""Lines at the top by which widths are chosen."""
USUAL = 80
"""Percentile of the lengths of names, and of the numbers of replicates, for which there is room."""


class TreatmentDelegate(QStyledItemDelegate):
    """Shortens a treatment in the middle: at its end stands the dose."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class HitsTable(QTreeView):
    """Shows the model of the hits.

    Parameters
    ----------
    session : Session
        Says which wells are selected and shown.
    thumbnails : Thumbnails
        Pictures of the wells.
    model : HitsModel
        What is shown.
    """

    def __init__(
        self, session: Session, thumbnails: Thumbnails, model: HitsModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._by_hand, self._fitting = False, False
        self.setModel(model)
        self.setIconSize(QSize(SWATCH, SWATCH))
        self.setUniformRowHeights(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setExpandsOnDoubleClick(False)
        self.setAccessibleName("Hits")
        self.setToolTip("Treatments, the best first; double-click shows a well on the canvas")
        lazy = LazyPictures(thumbnails, self.viewport())
        self.chips = ChipDelegate(session, lazy, self)
        for key, delegate in (
            ("treatment", TreatmentDelegate(self)),
            ("id", self.chips),
            ("reference", ReferenceDelegate(model, lazy, self)),
            ("dose", DoseCurveDelegate(self)),
            ("stains", StainBarDelegate(self)),
        ):
            self.setItemDelegateForColumn(KEYS.index(key), delegate)
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        width = self.fontMetrics().averageCharWidth()
        for number, column in enumerate(COLUMNS):
            self.setColumnWidth(number, column.letters * width + 12)
        header.sectionResized.connect(self._resized)

    def fit(self) -> None:
        """Make columns as wide as their texts need; the mechanism takes what is left of the table.

        Once the user has chosen a width, all stay as they are.
        """
        model = self._model
        if self._by_hand or not model.rowCount():
            return
        metrics, letter = self.fontMetrics(), self.fontMetrics().averageCharWidth()
        rows = range(min(MEASURED, model.rowCount()))
        names = [str(model.index(row, 0).data() or "") for row in rows]
        least, most = (letters * letter for letters in TREATMENT_LETTERS)
        wide = int(np.percentile([metrics.horizontalAdvance(name) for name in names], USUAL))
        widths = {"treatment": min(max(wide, least), most) + self.indentation() + SWATCH + 18}
        if self.chips.has_pictures:
            counts = [len(model.wells_at(row)) for row in rows]
            usual = min(int(np.percentile(counts, USUAL)), CHIPS_AT_MOST)  # not the many wells of a control
            usual = max(usual, min(2, max(counts)))  # a picture, and how many more there are
            widths["id"] = usual * (CHIP + GAP) + GAP + 4
        else:
            widths["id"] = COLUMNS[KEYS.index("id")].letters * letter
        for key in ("q", "probability", "score"):  # numbers, or a word where there is none
            at = KEYS.index(key)
            longest = (metrics.horizontalAdvance(str(model.index(row, at).data() or "")) for row in rows)
            widths[key] = max(COLUMNS[at].letters * letter, *longest) + 12
        self._fitting = True
        try:
            for key, width in widths.items():
                self.setColumnWidth(KEYS.index(key), width)
            mechanism = KEYS.index("mechanism")
            others = sum(self.columnWidth(i) for i in range(len(KEYS)) if i != mechanism)
            least, most = (letters * letter for letters in MECHANISM_LETTERS)
            self.setColumnWidth(mechanism, min(max(self.viewport().width() - others, least), most))
        finally:
            self._fitting = False

    def _resized(self, _column: int, before: int, now: int) -> None:
        self._by_hand |= not self._fitting and before > 0 and now > 0  # 0: a column is hidden or shown

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.fit()

    def well_at(self, index: QModelIndex) -> str:
        """Well whose chip is under the mouse, or the best one of a line."""
        well = None
        if index.column() == KEYS.index("id") and self.chips.has_pictures:
            x = self.viewport().mapFromGlobal(self.cursor().pos()).x()
            well = self.chips.well_at(self.visualRect(index), index, x)
        return str(well or index.data(ID_ROLE))

    def mark(self, ids: frozenset[str]) -> QModelIndex | None:
        """Select lines of which all wells are selected, and single wells of others; returns the first."""
        model = self._model
        by_row: dict[int, list[int]] = {}
        for well in ids:
            if (place := model.place_of.get(well)) is not None:
                by_row.setdefault(place[0], []).append(place[1])
        whole = sorted(row for row, children in by_row.items() if len(children) == len(model.wells_at(row)))
        last = len(COLUMNS) - 1
        chosen = QItemSelection()
        for start, stop in runs(whole):
            chosen.select(model.index(start, 0), model.index(stop, last))
        first = model.index(whole[0], 0) if whole else None
        for row in sorted(set(by_row) - set(whole)):
            line = model.index(row, 0)
            for start, stop in runs(sorted(by_row[row])):
                chosen.select(model.index(start, 0, line), model.index(stop, last, line))
            if first is None or row < first.row():
                first = model.index(min(by_row[row]), 0, line)
        flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().select(chosen, flag)
        return first


def runs(rows: list[int]) -> list[tuple[int, int]]:
    """Join ascending numbers that follow each other.

    Examples
    --------
    >>> runs([1, 2, 3, 7])
    [(1, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][1] == row - 1:
            found[-1] = found[-1][0], row
        else:
            found.append((row, row))
    return found
