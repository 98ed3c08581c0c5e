"""The Hits tab: wells as a table, best first, with their pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
)
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.stain_bars import BARS_ROLE, StainBarDelegate
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.references import beside, nearest_names, reference_wells
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import share_text

COLUMNS = (
    ("", "id"),
    ("≈", "reference"),
    ("Well", "well"),
    ("Treatment", "treatment"),
    ("Probability", "probability"),
    ("Score", "score"),
    ("q", "q"),
    ("n", "replicates"),
    ("Stains", "stains"),
    ("Nearest references", "nearest"),
    ("Looks like", "looks_like"),
    ("Built like", "built_like"),
    ("Rivals", "rivals"),
    ("Mechanism", "mechanism"),
    ("Control", "control"),
    ("Cosine", "cosine"),
    ("Plate", "plate"),
)
NUMBERS = {
    "score": "{:.2f}",
    "q": "{:.2g}",
    "replicates": "{:.0f}",
    "cosine": "{:.3f}",
    "looks_like": "{:.1f}",
    "built_like": "{:.1f}",
}
PICTURES = ("id", "reference")
HEADER_TIPS = {
    "reference": "Nearest reference treatment, of the well's own plate where it is there: at equal contrast",
    "probability": "How often labelled treatments that looked so alike shared the mechanism (95 % interval)",
    "nearest": "Nearest reference treatments, with the cosine of their profiles",
    "looks_like": "Likeness by profile, as a standard score among references of other mechanisms",
    "built_like": "Likeness by chemical structure, as a standard score",
    "rivals": "References of other mechanisms that are about as near: rival explanations",
    "score": "Score against the plate's negative controls, in (robust) standard deviations",
    "q": "q-value: FDR at which the treatment at this dose is significant",
    "replicates": "Wells of the same treatment and dose, tested together",
    "stains": "What each stain adds to the score (Why tab)",
}
SORT_ROLE = Qt.ItemDataRole.UserRole
ID_ROLE = Qt.ItemDataRole.UserRole + 1
PICTURE = 44
TRIED = 3
"""Encoded wells that are tried for a picture."""


class WellModel(QAbstractTableModel):
    """The session's wells for Qt's tables; rows carry their id."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._widget = parent
        self._table = session.wells
        self._reference_wells: dict[str, tuple[str, ...]] = {}
        self._find_grey()

    @property
    def ids(self) -> list[str]:
        """Ids in row order."""
        return [str(i) for i in self._table.index]

    def reload(self) -> None:
        """Take the session's wells anew."""
        self.beginResetModel()
        self._table = self._session.wells
        self._reference_wells = reference_wells(self._session.screen, self._session.answer)
        self._find_grey()
        self.endResetModel()

    @property
    def has_reference_pictures(self) -> bool:
        """Whether any reference of the answer is a well of this screen that has a picture."""
        first = next(iter(self._reference_wells.values()), ())
        return any(self._thumbnails.pixmap(well, PICTURE) is not None for well in first)

    @property
    def has_pictures(self) -> bool:
        """Whether wells of this screen have pictures; the first ones that are encoded tell."""
        encoded = self._table.index[self._table["encoded"].to_numpy(bool)][:TRIED]
        return any(self._thumbnails.pixmap(str(well), PICTURE) is not None for well in encoded)

    def reference_of(self, identifier: str) -> str | None:
        """Well of the nearest reference that is on this screen, shown beside a well; ``None`` without one."""
        for name in nearest_names(self._table.at[identifier, "nearest"]):
            if (well := beside(identifier, self._reference_wells.get(name, ()))) is not None:
                return well
        return None

    def recolour(self) -> None:
        """Say that colours have changed, and nothing else."""
        self._find_grey()
        if len(self._table):
            last = self.index(len(self._table) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.ForegroundRole, BARS_ROLE])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._table)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section][0]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return HEADER_TIPS.get(COLUMNS[section][1])
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        key = COLUMNS[index.column()][1]
        identifier = str(self._table.index[index.row()])
        if role == ID_ROLE:
            return identifier
        if key == "reference":
            if role not in (Qt.ItemDataRole.DecorationRole, Qt.ItemDataRole.ToolTipRole):
                return None
            if (other := self.reference_of(identifier)) is None:
                return None
            tooltip = role == Qt.ItemDataRole.ToolTipRole
            return self._thumbnails.tooltip(other) if tooltip else self._thumbnails.pixmap(other, PICTURE)
        if role == Qt.ItemDataRole.DecorationRole and key == "id":
            return self._thumbnails.pixmap(identifier, PICTURE)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._thumbnails.tooltip(identifier)
        if key == "stains":
            return self._bars(identifier) if role == BARS_ROLE else None
        value = self._table[key].iat[index.row()] if key != "id" else identifier
        if role == SORT_ROLE:
            number = isinstance(value, (float, np.floating))
            return -np.inf if number and np.isnan(value) else (float(value) if number else value)
        if role == Qt.ItemDataRole.DisplayRole and key == "probability":
            row = self._table.iloc[index.row()]
            return share_text(*(row[f"precision{part}"] for part in ("", "_low", "_high", "_n")))
        if role == Qt.ItemDataRole.DisplayRole and key != "id":
            if key in NUMBERS:
                return "" if np.isnan(value) else NUMBERS[key].format(value)
            return value
        if role == Qt.ItemDataRole.TextAlignmentRole and key in NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and self._grey[index.row()]:
            return tones(self._widget).between(0.55)
        return None

    def _bars(self, identifier: str) -> tuple[list[float], float] | None:
        found = self._session.contributions
        if found is None or identifier not in found.cosine.index:
            return None
        parts = found.cosine
        return parts.loc[identifier].tolist(), float(np.nanmax(np.abs(parts.to_numpy()), initial=0.0))

    def _find_grey(self) -> None:
        answered = np.isfinite(self._table["score"].to_numpy(float))
        self._grey = answered & ~self._session.highlighted(self._table)


class HitsPanel(QWidget):
    """Sortable table of all wells; its selection is the session's, both ways, by id.

    Parameters
    ----------
    session : Session
        Read and written.
    thumbnails : Thumbnails
        Pictures of the wells.
    """

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._echo = False
        self.model = WellModel(session, thumbnails, self)
        self.sorted = QSortFilterProxyModel(self)
        self.sorted.setSourceModel(self.model)
        self.sorted.setSortRole(SORT_ROLE)
        self.table = QTableView()
        self.table.setModel(self.sorted)
        self.table.setSortingEnabled(True)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setIconSize(QSize(PICTURE, PICTURE))
        self.table.setShowGrid(False)
        self.table.setItemDelegateForColumn(
            [key for _, key in COLUMNS].index("stains"), StainBarDelegate(self.table)
        )
        self.table.setWordWrap(False)
        self.table.setAccessibleName("Hits")
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(PICTURE + 4)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setHighlightSections(False)
        header.setStretchLastSection(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.table)

        self.table.selectionModel().selectionChanged.connect(self._table_selected)
        self.table.doubleClicked.connect(self._opened)
        self.table.activated.connect(self._opened)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.contributions_changed, self._explained)
        listen(self, session.selection.changed, self._selection_changed)
        self.refresh()

    def value(self) -> pd.DataFrame:
        """The wells in the order shown."""
        ids = [self.sorted.index(row, 0).data(ID_ROLE) for row in range(self.sorted.rowCount())]
        return self.session.wells.loc[ids]

    def refresh(self) -> None:
        """Reload the wells: best first when there is an answer, else plate order."""
        self._echo = True
        self.model.reload()
        self._echo = False
        answered = self.session.answer is not None
        if answered:
            keys = [key for _, key in COLUMNS]
            scored = bool(self.session.wells["score"].notna().any())
            if self.session.wells["probability"].notna().any():
                best = "probability"  # of the treatment: what one replicate scores alone comes second
            else:
                best = "score" if scored else "cosine"
            self.table.sortByColumn(keys.index(best), Qt.SortOrder.DescendingOrder)
        else:
            self.sorted.sort(-1)
        table = self.session.wells
        shown = {
            "id": self.model.has_pictures,
            "reference": self.model.has_reference_pictures,
            **{key: bool((table[key] != "").any()) for key in ("nearest", "rivals")},
            **{key: bool(table[key].notna().any()) for key in ("looks_like", "built_like", "probability")},
            "score": answered,
            "cosine": answered,
            "q": bool(table["q"].notna().any()) if len(table) else False,
            "replicates": bool(table["replicates"].notna().any()) if len(table) else False,
            "stains": self.session.contributions is not None,
            "mechanism": bool((table["mechanism"] != "").any()) if len(table) else False,
            "control": bool((table["control"] != "").any()) if len(table) else False,
            "plate": table["plate"].nunique() > 1,
        }
        metrics = self.fontMetrics()
        letters = {
            "well": 4,
            "score": 5,
            "cosine": 6,
            "q": 6,
            "replicates": 2,
            "stains": 9,
            "treatment": 18,
            "mechanism": 26,
            "control": 7,
            "plate": 12,
            "probability": 20,
            "nearest": 26,
            "looks_like": 9,
            "built_like": 9,
            "rivals": 30,
        }
        for column, (_, key) in enumerate(COLUMNS):
            self.table.setColumnHidden(column, not shown.get(key, True))
            width = PICTURE if key in PICTURES else letters[key] * metrics.averageCharWidth() + 12
            self.table.setColumnWidth(column, width + 4)
        rows = PICTURE + 4 if shown["id"] else metrics.height() + 8
        self.table.verticalHeader().setDefaultSectionSize(rows)
        self._selection_changed(self.session.selection.ids)

    def _view_changed(self, _view: object) -> None:
        self.model.recolour()

    def _explained(self) -> None:
        column = [key for _, key in COLUMNS].index("stains")
        self.table.setColumnHidden(column, self.session.contributions is None)
        self.model.recolour()

    def _opened(self, index: QModelIndex) -> None:
        self.session.show(index.data(ID_ROLE))

    def _table_selected(self, *_: object) -> None:
        if self._echo:
            return
        ids = {index.data(ID_ROLE) for index in self.table.selectionModel().selectedRows()}
        self._echo = True
        try:
            self.session.selection.replace(ids)
        finally:
            self._echo = False

    def _selection_changed(self, ids: frozenset[str]) -> None:
        if self._echo:
            return
        chosen, first = QItemSelection(), None
        for row in range(self.sorted.rowCount()):
            index = self.sorted.index(row, 0)
            if index.data(ID_ROLE) in ids:
                chosen.select(index, self.sorted.index(row, len(COLUMNS) - 1))
                first = index if first is None else first
        self._echo = True
        try:
            self.table.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        finally:
            self._echo = False
        if first is not None:
            self.table.scrollTo(first)
