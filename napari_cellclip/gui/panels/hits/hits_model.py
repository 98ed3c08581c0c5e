"""The lines of the hits and their wells, for Qt's views; sorted here, since Qt would ask cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractItemModel, QModelIndex, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QWidget

from napari_cellclip.gui.palette import WellColours, well_colours
from napari_cellclip.gui.panels.hits.hit_columns import COLUMNS, KEYS, cell_text
from napari_cellclip.gui.panels.hits.hit_groups import HitGroups, examples_of, grouped, meeting
from napari_cellclip.gui.panels.stain_bars import BARS_ROLE
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.references import beside, nearest_references, reference_wells
from napari_cellclip.gui.state.session import Session

ID_ROLE = Qt.ItemDataRole.UserRole + 1
"""Id of a well; of a line, that of its best one."""
WELLS_ROLE = Qt.ItemDataRole.UserRole + 2
"""Ids of all wells of a line."""
CURVE_ROLE = Qt.ItemDataRole.UserRole + 3
"""Doses and scores of a treatment, and the dose of the line."""

TEXTS = frozenset({"treatment", "mechanism", "plate", "well", "control"})
NUMBERS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
EXAMPLE = "example"
EXAMPLE_TIP = "An example of the question, or its replicate: not tested, since it would match itself."
REFERENCE = "reference"
REFERENCE_TIP = "A reference of the question: not tested, since it would match itself."
SWATCH = 10
"""Side of the square in the colour of a well, in pixels."""


class HitsModel(QAbstractItemModel):
    """Two levels: treatments, and the wells of those that have several."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._thumbnails, self._widget = session, thumbnails, parent
        self.by_treatment = True
        self.groups = HitGroups((), session.wells)
        self._reference_wells: dict[str, tuple[str, ...]] = {}
        self._columns: dict[str, list[Any]] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self._grey: frozenset[str] = frozenset()
        self._examples: frozenset[str] = frozenset()
        self._references: frozenset[str] = frozenset()
        self.order = np.zeros(0, np.intp)
        self.place_of: dict[str, tuple[int, int]] = {}
        self.curves: dict[int, list[tuple[float, float]]] = {}
        self._colours: WellColours | None = None
        self._swatches: dict[tuple[int, ...], QIcon] = {}

    # ------------------------------------------------------------------ what is shown

    def reload(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Take the session's wells anew, ordered by a column; -1 for the order of the plate."""
        session, table = self._session, self._session.wells
        self.beginResetModel()
        groups = grouped(table, self.by_treatment)
        passing = session.filter.passing(session.view.filter, table)
        if passing is not None:
            groups = meeting(groups, frozenset(table.index[passing].astype(str)))
        self.groups = groups
        self._reference_wells = reference_wells(session.screen, session.answer)
        self._references = frozenset(well for wells in self._reference_wells.values() for well in wells)
        self.curves = groups.dose_curves() if session.answer is not None else {}
        asked = session.asked
        self._examples = frozenset()
        if asked is not None and asked.like:
            self._examples = examples_of(table, (*asked.like, *asked.but_not))
        self._columns = {str(name): groups.table[name].tolist() for name in groups.table}
        self._texts = {}
        self._find_grey()
        self._put_in_order(column, order)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the lines; -1 for that of the plate."""
        self.beginResetModel()
        self._put_in_order(column, order)
        self.endResetModel()

    def _put_in_order(self, column: int, order: Qt.SortOrder) -> None:
        if column < 0:
            self.order = np.arange(len(self.groups))
        else:
            self.order = self.groups.order(KEYS[column], order == Qt.SortOrder.DescendingOrder)
        self.place_of = {
            well: (row, child)
            for row, line in enumerate(self.order.tolist())
            for child, well in enumerate(self.groups.wells[line])
        }

    @property
    def ids(self) -> list[str]:
        """Ids of the wells in the order shown."""
        return [well for line in self.order.tolist() for well in self.groups.wells[line]]

    def wells_at(self, row: int) -> tuple[str, ...]:
        """Ids of the wells of a line."""
        return self.groups.wells[int(self.order[row])]

    @property
    def has_pictures(self) -> bool:
        """Whether wells of this screen have pictures."""
        return self._thumbnails.any()

    @property
    def has_reference_pictures(self) -> bool:
        """Whether any reference of the answer is a well of this screen that has a picture."""
        first = next(iter(self._reference_wells.values()), ())
        return any(self._thumbnails.has_picture(well) for well in first)

    def reference_of(self, identifier: str) -> tuple[str, float] | None:
        """Find what is shown beside a well: a well of the nearest reference here, and its likeness."""
        table = self._session.wells
        for name, likeness in nearest_references(table.at[identifier, "nearest"]):
            if (well := beside(identifier, self._reference_wells.get(name, ()))) is not None:
                return well, likeness
        return None

    def recolour(self) -> None:
        """Say that colours have changed, and nothing else."""
        self._find_grey()
        if len(self.order):
            last = self.index(len(self.order) - 1, len(COLUMNS) - 1)
            roles = [Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.DecorationRole, BARS_ROLE]
            self.dataChanged.emit(self.index(0, 0), last, roles)

    def _find_grey(self) -> None:
        table, self._colours = self._session.wells, None
        if self._session.answer is None or not len(table):
            self._grey = frozenset()
            return
        answered = np.isfinite(table["score"].to_numpy(float))
        self._grey = frozenset(table.index[answered & ~self._session.highlighted(table)].astype(str))

    # ------------------------------------------------------------------ for Qt

    def index(self, row: int, column: int, parent: QModelIndex | None = None) -> QModelIndex:
        if parent is not None and parent.isValid():
            return self.createIndex(row, column, parent.row() + 1)
        return self.createIndex(row, column, 0) if 0 <= row < len(self.order) else QModelIndex()

    def parent(self, index: QModelIndex | None = None) -> Any:
        if index is None:
            return super().parent()
        line = index.internalId() if index.isValid() else 0
        return self.createIndex(line - 1, 0, 0) if line else QModelIndex()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        if parent is None or not parent.isValid():
            return len(self.order)
        if parent.internalId() or parent.column() > 0:
            return 0
        count = len(self.wells_at(parent.row()))
        return count if count > 1 else 0

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return plain(COLUMNS[section].tip)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        column, line = COLUMNS[index.column()], index.internalId()
        wells = self.wells_at(line - 1 if line else index.row())
        identifier = wells[index.row()] if line else wells[0]
        if role == ID_ROLE:
            return identifier
        if role == WELLS_ROLE:
            return (identifier,) if line else wells
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(index, column.key, identifier)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(index, column.key, identifier)
        if role == Qt.ItemDataRole.TextAlignmentRole and column.number:
            return NUMBERS
        if role == Qt.ItemDataRole.ForegroundRole and self._grey.issuperset((identifier,) if line else wells):
            return tones(self._widget).quiet()
        if role == Qt.ItemDataRole.DecorationRole and column.key == "treatment":
            return self._swatch(identifier)
        if role == BARS_ROLE and column.key == "stains":
            return self._bars(identifier)
        if role == CURVE_ROLE and column.key == "dose" and not line:
            at = int(self.order[index.row()])
            return (self.curves[at], self._columns["treatment"][at]) if at in self.curves else None
        return None

    def _text(self, index: QModelIndex, key: str, identifier: str) -> str | None:
        if key in ("stains", "reference", "dose"):
            return None
        line = index.internalId()
        wells = (identifier,) if line else self.wells_at(index.row())
        if key == "q" and self._examples.issuperset(wells):
            return EXAMPLE
        text = self._value_text(index, key, identifier)
        if key in ("q", "score") and not text and self._references.issuperset(wells):
            return REFERENCE
        return text

    def _value_text(self, index: QModelIndex, key: str, identifier: str) -> str:
        if index.internalId():
            row = self._session.wells.loc[identifier]
            if key in ("treatment", "id"):
                return str(row["well"])
            return "" if key in ("replicates", "q") else cell_text(COLUMNS[index.column()], row.to_dict())
        at = int(self.order[index.row()]), index.column()
        if at not in self._texts:
            row = {name: values[at[0]] for name, values in self._columns.items()}
            text = row["well"] if key == "id" else cell_text(COLUMNS[index.column()], row)
            if key == "treatment" and not text:
                text = row["well"]
            self._texts[at] = text
        return self._texts[at]

    def _tip(self, index: QModelIndex, key: str, identifier: str) -> str:
        if key in TEXTS:
            return plain(str(self._text(index, key, identifier)))
        if key == "q" and identifier in self._examples:
            return EXAMPLE_TIP
        if key in ("q", "score") and self._text(index, key, identifier) == REFERENCE:
            return REFERENCE_TIP
        if key == "reference":
            found = self.reference_of(identifier)
            return (
                f"cosine {found[1]:.2f}<br>{self._thumbnails.tooltip(found[0])}" if found is not None else ""
            )
        return self._thumbnails.tooltip(identifier)

    def _swatch(self, identifier: str) -> QIcon | None:
        """Draw a square in the colour that plate and map give the well; ``None`` where it has no value."""
        session, tone = self._session, tones(self._widget)
        if self._colours is None:
            self._colours = well_colours(session, session.wells.index, tone.rgb)
        row = int(session.wells.index.get_indexer([identifier])[0])
        if row < 0 or not self._colours.known[row]:  # another plate is open, and the lines follow soon
            return None
        rgb = tuple(int(v) for v in self._colours.rgb[row])
        edge = tone.text if self._colours.outlined[row] else QColor(*rgb)
        key = (*rgb, edge.rgb())
        if key not in self._swatches:
            square = QPixmap(SWATCH, SWATCH)
            square.fill(edge)
            painter = QPainter(square)
            painter.fillRect(square.rect().adjusted(1, 1, -1, -1), QColor(*rgb))
            painter.end()
            icon = self._swatches[key] = QIcon(square)
            icon.addPixmap(square, QIcon.Mode.Selected)  # or Qt tints it where the line is selected
        return self._swatches[key]

    def _bars(self, identifier: str) -> tuple[list[float], float] | None:
        found = self._session.explanations.contributions
        if found is None or identifier not in found.cosine.index:
            return None
        parts = found.cosine
        return parts.loc[identifier].tolist(), float(np.nanmax(np.abs(parts.to_numpy()), initial=0.0))
