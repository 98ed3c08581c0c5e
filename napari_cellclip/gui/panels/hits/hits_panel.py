"""The Hits tab: one line a treatment, best first, with its wells as chips; or single wells, or a gallery."""

from __future__ import annotations

from typing import Any

import pandas as pd
from qtpy.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.hits.gallery import GalleryModel, GalleryView
from napari_cellclip.gui.panels.hits.hit_columns import COLUMNS, FIXED, KEYS, filled, shown_columns
from napari_cellclip.gui.panels.hits.hit_groups import best_first
from napari_cellclip.gui.panels.hits.hits_model import ID_ROLE, WELLS_ROLE, HitsModel
from napari_cellclip.gui.panels.hits.hits_table import HitsTable, runs
from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.theme import tones
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.recent import hit_columns_chosen, remember_hit_columns
from napari_cellclip.gui.state.requests import VersusRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.view import View
from napari_cellclip.gui.state.well_filter import read_conditions
from napari_cellclip.vocabulary import CellClipError

FILTER_TIP = (
    "Show only some lines: words, or conditions joined by commas, such as  q < 0.05, dose >= 1,\n"
    "mechanism: tubulin. Columns: score, q, n, dose, probability, treatment, mechanism, plate, well.\n"
    "A treatment stays if any of its wells meets them; on plate and map the other wells are grey."
)
NO_WELLS = "Wells are listed here once a plate or a screen is open."
NO_LINE = "No well meets the filter: change it, or clear it."
VIEWS = {
    "treatments": ("Treatments", "One line a treatment and dose; a line unfolds into its replicate wells"),
    "wells": ("Wells", "One line a well"),
    "gallery": ("Gallery", "A picture of each well, best first"),
}


class HitsPanel(QWidget):
    """Wells in the order of the answer; its selection is the session's, both ways, by id.

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
        self._echo, self._answer = False, session.answer
        self._chosen_columns = hit_columns_chosen()
        self.model = HitsModel(session, thumbnails, self)
        self.table = HitsTable(session, thumbnails, self.model)
        self.chips = self.table.chips
        self.pictures = GalleryModel(session, thumbnails, self.model, self)
        self.gallery = GalleryView(session, thumbnails, self.pictures)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter: words, q < 0.05, dose >= 1, mechanism: …")
        self.filter.setToolTip(FILTER_TIP)
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter of the hits")
        self.views = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        above = QHBoxLayout()
        above.setContentsMargins(0, 0, 0, 0)
        above.addWidget(self.filter, 1)
        for key, (title, tip) in VIEWS.items():
            button = QToolButton()
            button.setText(title)
            button.setToolTip(plain(tip))
            button.setCheckable(True)
            self.views.addButton(button)
            self.buttons[key] = button
            above.addWidget(button)
        self.columns = QToolButton()
        self.columns.setText("Columns")
        self.columns.setToolTip("Choose the columns; the choice is remembered")
        self.columns.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.column_menu = QMenu(self.columns)
        self.column_menu.aboutToShow.connect(self._fill_columns)
        self.columns.setMenu(self.column_menu)
        above.addWidget(self.columns)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.table)
        self.stack.addWidget(self.gallery)
        self.empty = PlainLabel()
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setWordWrap(True)
        self.stack.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(above)
        layout.addWidget(self.stack, 1)

        self.filter.textChanged.connect(self._filter_changed)
        self.views.buttonClicked.connect(self._view_chosen)
        self.table.selectionModel().selectionChanged.connect(self._table_selected)
        self.gallery.selectionModel().selectionChanged.connect(self._gallery_selected)
        self.table.doubleClicked.connect(self._opened)
        self.gallery.activated.connect(self._show_well)
        self.gallery.doubleClicked.connect(self._show_well)
        header = self.table.header()
        header.sectionClicked.connect(self._header_clicked)
        header.customContextMenuRequested.connect(self._header_menu)
        self.table.customContextMenuRequested.connect(self._row_menu)
        listen(self, session.wells_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.explanations.contributions_changed, self._explained)
        listen(self, session.selection.changed, self._selection_changed)
        listen(self, session.shown_changed, self._shown_changed)
        self._listed = "", ""
        self._view_changed(session.view)

    def value(self) -> pd.DataFrame:
        """Return the wells in the order shown."""
        return self.session.wells.loc[self.model.ids]

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Reload the wells: best first if there is an answer, else plate order; a new answer from the top."""
        new = self.session.answer is not self._answer
        self._answer = self.session.answer
        self._reload_in_place()
        if new:
            self.table.scrollToTop()
            self.gallery.scrollToTop()

    def _best_first(self) -> tuple[int, Qt.SortOrder]:
        """Column and direction in which the best come first; -1 for the order of the plate."""
        if self.session.answer is None:
            return -1, Qt.SortOrder.AscendingOrder
        key, falling = best_first(self.session.wells, self.model.by_treatment)
        order = Qt.SortOrder.DescendingOrder if falling else Qt.SortOrder.AscendingOrder
        return KEYS.index(key), order

    def _show_columns(self) -> None:
        session, table = self.session, self.session.wells
        self.chips.has_pictures = self.model.has_pictures
        there = filled(
            table,
            answered=session.answer is not None,
            explained=session.explanations.contributions is not None,
            doses=bool(self.model.curves),
            references=self.model.has_reference_pictures,
        )
        scored = bool(table["score"].notna().any()) if len(table) else False
        shown = shown_columns(there, self._chosen_columns, scored)
        for number, key in enumerate(KEYS):
            self.table.setColumnHidden(number, not shown[key])
        self.table.fit()

    def _show_lines(self) -> None:
        """Show the lines as chosen; where there are none, say why."""
        self.empty.setText(NO_LINE if len(self.session.wells) else NO_WELLS)
        lines = self.gallery if self.buttons["gallery"].isChecked() else self.table
        self.stack.setCurrentWidget(lines if self.model.ids else self.empty)

    def _filter_changed(self, text: str) -> None:
        self.session.look(filter=text)

    def _view_chosen(self, button: QToolButton) -> None:
        self.session.look(hits=next(key for key, b in self.buttons.items() if b is button))

    def _list(self, text: str, hits: str) -> None:
        """List the hits that a filter lets through, in one of the three ways.

        A text that is none lets all through, and the tooltip says why.
        """
        if self.filter.text() != text:
            self.filter.blockSignals(True)
            self.filter.setText(text)
            self.filter.blockSignals(False)
        wrong = ""
        try:
            read_conditions(text)
        except CellClipError as error:
            wrong = f"{error}."
        self.filter.setToolTip(plain(wrong) if wrong else FILTER_TIP)
        style = f"border: 1px solid {tones(self).wrong.name()};" if wrong else ""
        if self.filter.styleSheet() != style:
            self.filter.setStyleSheet(style)
        self.buttons[hits].setChecked(True)
        self.columns.setEnabled(hits != "gallery")
        self.model.by_treatment = hits == "treatments"
        self._reload_in_place()

    def _reload_in_place(self) -> None:
        self._echo = True
        try:
            best = self._best_first()
            self.model.reload(*best)
            self.table.header().setSortIndicator(*best)
            self._show_columns()
            self._show_lines()
            self._fill_gallery()
        finally:
            self._echo = False
        self._mark(self.session.selection.ids)

    def _fill_gallery(self) -> None:
        """Bring the gallery up to date, if it is looked at."""
        if self.stack.currentWidget() is self.gallery:
            self.pictures.show(self.model.ids)

    def _header_clicked(self, column: int) -> None:
        """Sort by a column: numbers from the large end first, q and texts from the small one; again turns."""
        header = self.table.header()
        self._echo = True
        try:
            self.model.sort(column, header.sortIndicatorOrder())
            self._fill_gallery()
        finally:
            self._echo = False
        self._mark(self.session.selection.ids)

    # ------------------------------------------------------------------ columns

    def _fill_columns(self) -> None:
        self.column_menu.clear()
        for number, column in enumerate(COLUMNS):
            if column.key in FIXED:
                continue
            action = self.column_menu.addAction(column.title)
            action.setCheckable(True)
            action.setChecked(not self.table.isColumnHidden(number))
            action.setToolTip(plain(column.tip))
            action.setData(column.key)
            action.toggled.connect(self._column_toggled)

    def _column_toggled(self, on: bool) -> None:
        action: Any = self.sender()
        self._chosen_columns = {**self._chosen_columns, action.data(): on}
        remember_hit_columns(self._chosen_columns)
        self._show_columns()

    def _header_menu(self, place: QPoint) -> None:
        self.column_menu.popup(self.table.header().mapToGlobal(place))

    # ------------------------------------------------------------------ wells

    def _view_changed(self, view: View, before: View | None = None) -> None:
        if (view.filter, view.hits) != self._listed:
            self._listed = view.filter, view.hits
            self._list(*self._listed)
        elif before is None or not view.colours_like(before):
            self.model.recolour()

    def _explained(self) -> None:
        self._show_columns()
        self.model.recolour()

    def _shown_changed(self, _site: object) -> None:
        self.table.viewport().update()
        self.gallery.viewport().update()

    def _opened(self, index: QModelIndex) -> None:
        """Show the well of the chip that was double-clicked, or the best one of the line."""
        self.session.show(self.table.well_at(index))

    def _show_well(self, index: QModelIndex) -> None:
        self.session.show(index.data(ID_ROLE))

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.table.currentIndex().isValid():
            self._show_well(self.table.currentIndex())
            return
        super().keyPressEvent(event)

    def _row_menu(self, place: QPoint) -> None:
        index = self.table.indexAt(place)
        if not index.isValid():
            return
        well, wells = index.data(ID_ROLE), index.data(WELLS_ROLE)
        menu = QMenu(self)
        menu.addAction("Show on the canvas").setData(("show", (well,)))
        menu.addAction("Show beside the nearest negative control").setData(("versus", (well,)))
        if len(wells) > 1:
            menu.addAction("Show replicates beside each other").setData(("versus", tuple(wells[:4])))
        menu.triggered.connect(self._chosen_in_menu)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.table.viewport().mapToGlobal(place))

    def _chosen_in_menu(self, action: Any) -> None:
        what, wells = action.data()
        if what == "show":
            self.session.show(wells[0])
        else:
            self.session.request(VersusRequest(wells))

    # ------------------------------------------------------------------ selection

    def _table_selected(self, *_: object) -> None:
        if self._echo:
            return
        ids = {
            well for index in self.table.selectionModel().selectedRows() for well in index.data(WELLS_ROLE)
        }
        self._select(ids, self.gallery)

    def _gallery_selected(self, *_: object) -> None:
        if self._echo:
            return
        ids = {index.data(ID_ROLE) for index in self.gallery.selectionModel().selectedIndexes()}
        self._select(ids, self.table)

    def _select(self, ids: set[str], other: QAbstractItemView) -> None:
        self._echo = True
        try:
            self.session.selection.replace(ids)
            self._mark(self.session.selection.ids, only=other)
        finally:
            self._echo = False

    def _selection_changed(self, ids: frozenset[str]) -> None:
        if self._echo:
            return
        first = self._mark(ids)
        if first is not None:
            self.table.scrollTo(first)
            if (row := self.pictures.row_of.get(first.data(ID_ROLE))) is not None:
                self.gallery.scrollTo(self.pictures.index(row))

    def _mark(self, ids: frozenset[str], only: QAbstractItemView | None = None) -> QModelIndex | None:
        """Select lines of which all wells are selected, and single wells of others; returns the first."""
        before, self._echo = self._echo, True
        try:
            first = None
            if only is not self.gallery:
                first = self.table.mark(ids)
            if only is not self.table and self.stack.currentWidget() is self.gallery:
                rows = sorted(self.pictures.row_of[i] for i in ids if i in self.pictures.row_of)
                chosen = QItemSelection()
                for start, stop in runs(rows):
                    chosen.select(self.pictures.index(start), self.pictures.index(stop))
                flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
                self.gallery.selectionModel().select(chosen, flag)
        finally:
            self._echo = before
        return first
