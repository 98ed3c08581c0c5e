"""Stain contributions of wells: exact Shapley values as bars and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.stain_bars import BARS_ROLE, StainBarDelegate
from napari_cellclip.gui.plain_text import PlainLabel, RichLabel, plain
from napari_cellclip.gui.state.explanations import ASK_FIRST, NO_DIRECTION
from napari_cellclip.gui.state.requests import CancelRequest, ExplainRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.vocabulary import STAINS

if TYPE_CHECKING:
    from napari_cellclip.explore.explanation.stain_contributions import StainContributions

MOST_WELLS = 24
"""Wells explained at once: as many as fit a table, and the published head needs seconds for each."""

NARROW_LETTERS = 66
"""Below this width, in letters of the font, the treatment is in the tooltip of its well alone."""

WELL, TREATMENT, BARS, FIRST_STAIN = range(4)
HELP = (
    "What each stain adds to the score: the loss, averaged over all orders, when the stain is replaced by\n"
    "the mean of the plate's negative controls (exact Shapley values).\n"
    "The five numbers add up to the well's score minus that of an average control."
)


class ContributionsPanel(QWidget):
    """Asks for explanations of the selected wells and shows them.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.heading = RichLabel("<b>Stain contributions</b>")
        self.heading.setToolTip(HELP)
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        self.button = QPushButton("Explain")
        self.button.setToolTip("Compute what each stain adds to the scores of the selected wells")
        self.table = QTableWidget(0, FIRST_STAIN + len(STAINS))
        self.table.setHorizontalHeaderLabels(["Well", "Treatment", "Stains", *(str(s) for s in STAINS)])
        self.table.setItemDelegateForColumn(BARS, StainBarDelegate(self.table))
        self.table.setAccessibleName("Stain contributions")
        self.table.setToolTip(HELP)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        metrics = self.fontMetrics()
        for column in range(FIRST_STAIN, FIRST_STAIN + len(STAINS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.setStyleSheet("QTableView::item { padding: 0px 1px; }")
        header.setSectionResizeMode(BARS, QHeaderView.ResizeMode.Fixed)
        self.table.setColumnWidth(BARS, 7 * metrics.averageCharWidth())
        header.setSectionResizeMode(TREATMENT, QHeaderView.ResizeMode.Interactive)
        self.table.setColumnWidth(TREATMENT, 18 * metrics.averageCharWidth())
        header.setMinimumSectionSize(4 * self.fontMetrics().averageCharWidth())
        header.setHighlightSections(False)

        first = QHBoxLayout()
        first.addWidget(self.heading, 1)
        first.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(first)
        layout.addWidget(self.state)
        layout.addWidget(self.table, 1)

        self.button.clicked.connect(self._clicked)
        self.table.cellDoubleClicked.connect(self._opened)
        listen(self, session.explanations.contributions_changed, self.refresh)
        listen(self, session.answer_changed, self._show_state)
        listen(self, session.selection.changed, self._selected)
        listen(self, session.work_changed, self._work_changed)
        self.refresh()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        narrow = self.width() < NARROW_LETTERS * self.fontMetrics().averageCharWidth()
        self.table.setColumnHidden(TREATMENT, narrow)

    def value(self) -> StainContributions | None:
        """Return the contributions that are shown."""
        return self.session.explanations.contributions

    def wells_to_explain(self) -> list[str]:
        """List the wells the button would explain: those selected, else the best; at most `MOST_WELLS`."""
        session = self.session
        ids = session.selection.ids or set(session.highlighted_wells[:8])
        scores = session.wells["score"].reindex(sorted(ids)).sort_values(ascending=False)
        return [str(i) for i in scores.index[:MOST_WELLS]]

    def refresh(self) -> None:
        """Fill the table."""
        found = self.session.explanations.contributions
        self.table.setRowCount(0)
        if found is not None:
            parts, digits = found.cosine, 3
            if (answer := self.session.answer) is not None:
                in_score = found.in_units_of(answer.scores)
                if in_score.notna().all(axis=None):
                    parts, digits = in_score, 2
            full = float(np.nanmax(np.abs(parts.to_numpy()), initial=0.0))
            treatments = self.session.wells["treatment"].reindex(parts.index).fillna("")
            self.table.setRowCount(len(parts))
            for row, (well, values) in enumerate(zip(parts.index, parts.to_numpy(float), strict=True)):
                name = QTableWidgetItem(str(well).split("/")[-1])
                name.setData(Qt.ItemDataRole.UserRole, str(well))
                name.setToolTip(plain(f"{well}: {treatments[well]}"))
                self.table.setItem(row, WELL, name)
                treatment = QTableWidgetItem(str(treatments[well]))
                treatment.setToolTip(plain(str(treatments[well])))
                self.table.setItem(row, TREATMENT, treatment)
                bars = QTableWidgetItem()
                bars.setData(BARS_ROLE, (values.tolist(), full))
                self.table.setItem(row, BARS, bars)
                for column, value in enumerate(values, FIRST_STAIN):
                    number = QTableWidgetItem(f"{value:+.{digits}f}")
                    number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    self.table.setItem(row, column, number)
        self._show_state()
        self.valueChanged.emit(found)

    def _show_state(self) -> None:
        session, found = self.session, self.session.explanations.contributions
        working = session.work(Task.EXPLAIN) is not None
        self.button.setText("Cancel" if working else "Explain")
        self.button.setEnabled(
            working or (session.answer is not None and session.answer.direction is not None)
        )
        if session.answer is None:
            self.state.setText(ASK_FIRST)
        elif session.answer.direction is None:
            self.state.setText(NO_DIRECTION)
        elif found is None and not working:
            self.state.setText(self._what_explain_does())
        elif found is not None:
            self.state.setText(" ".join([counted(len(found.cosine), "well"), *found.notes]))

    def _what_explain_does(self) -> str:
        count = len(self.wells_to_explain())
        wells = "well" if count == 1 else f"{count} wells"
        if self.session.selection.ids:
            return f"Press Explain for the selected {wells}."
        if self.session.highlighted_wells:
            return f"Press Explain for the best {wells}, or select others first."
        return "Select wells, then press Explain."

    def _selected(self, _ids: object) -> None:
        self._show_state()

    def _clicked(self) -> None:
        if self.session.work(Task.EXPLAIN) is not None:
            self.session.request(CancelRequest(Task.EXPLAIN))
        else:
            self.session.request(ExplainRequest(tuple(self.wells_to_explain())))

    def _opened(self, row: int, _column: int) -> None:
        self.session.show(self.table.item(row, WELL).data(Qt.ItemDataRole.UserRole))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.EXPLAIN:
            self._show_state()
            if work is not None:
                self.state.setText(f"{work.message} … {work.done} of {work.total}" if work.total else "…")
