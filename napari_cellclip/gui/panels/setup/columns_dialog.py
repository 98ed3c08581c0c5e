"""The dialog that says which columns of a table hold what, with a preview of what comes of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.list_table import QUIET, QuietItems
from napari_cellclip.gui.panels.manners import mind_manners
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.requests import PlateMapRequest
from napari_cellclip.gui.state.wells import counted
from napari_cellclip.plates import PlateMap
from napari_cellclip.plates.platemaps.columns import CHOICES, Columns
from napari_cellclip.plates.platemaps.platemap import has_heading
from napari_cellclip.plates.platemaps.tables import read_lines, read_sheets
from napari_cellclip.vocabulary import CellClipError

LINES = 12
NONE = "(none)"
NO_WELLS = "Choose the column that holds the wells, or the two that hold row and column; then the treatment."


class ColumnsDialog(QDialog):
    """Choose sheet, heading and columns of a plate map. The value is the request as chosen.

    Parameters
    ----------
    request : PlateMapRequest
        The table, and how it is read now.
    plate : str or None
        Name of the plate, for tables that list several.
    """

    valueChanged = Signal(object)
    chosen = Signal(object)

    def __init__(
        self, request: PlateMapRequest, plate: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Columns of the plate map")
        self._request, self._plate = request, plate
        self._lines: list[list[str]] = []
        self._filling = True
        self.sheet = QComboBox()
        self.sheet.setToolTip("Sheet of the workbook")
        self.sheet_label = PlainLabel("Sheet")
        self.heading = QSpinBox()
        self.heading.setRange(1, 10_000)
        self.heading.setToolTip("Line with the names of the columns")
        self.preview = QTableWidget()
        self.preview.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.preview.setItemDelegate(QuietItems(self.preview))
        self.preview.setTabKeyNavigation(False)
        self.preview.setAccessibleName("First lines of the table")
        self.preview.setToolTip("First lines of the table; the heading is in bold")
        self.combos: dict[str, QComboBox] = {}
        self.result_text = PlainLabel()
        self.result_text.setWordWrap(True)
        self.result_text.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.result_text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons = QDialogButtonBox()
        self.read = self.buttons.addButton("Read the plate map", QDialogButtonBox.ButtonRole.AcceptRole)
        self.read.setToolTip("Read the plate map with these columns")
        self.cancel = self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.cancel.setToolTip("Leave the plate map as it is")
        self._lay_out()
        mind_manners(self)
        self._fill_sheets()
        self._load(request.heading)
        self._choose(dict(request.columns))
        self._filling = False
        self._changed()
        self.sheet.currentIndexChanged.connect(self._sheet_chosen)
        self.heading.valueChanged.connect(self._heading_chosen)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        for place, (holds, title) in enumerate(CHOICES.items()):
            combo = QComboBox()
            combo.setToolTip(plain(f"Column that holds: {title}"))
            combo.setAccessibleName(title)
            combo.currentIndexChanged.connect(self._changed)
            self.combos[holds] = combo
            row, column = divmod(place, 2)
            grid.addWidget(PlainLabel(title), row, 2 * column)
            grid.addWidget(combo, row, 2 * column + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        first = QHBoxLayout()
        for label, widget in ((self.sheet_label, self.sheet), (PlainLabel("Heading in line"), self.heading)):
            first.addWidget(label)
            first.addWidget(widget)
        first.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addLayout(first)
        layout.addWidget(self.preview, 1)
        layout.addLayout(grid)
        layout.addWidget(self.result_text)
        layout.addWidget(self.buttons)
        self.resize(110 * self.fontMetrics().averageCharWidth(), 36 * self.fontMetrics().lineSpacing())

    def value(self) -> PlateMapRequest:
        """Return the request as chosen."""
        found = Columns.find(self._names())
        columns = {holds: combo.currentData() for holds, combo in self.combos.items()}
        return replace(
            self._request,
            sheet=self.sheet.currentText() if self.sheet.count() else None,
            heading=self.heading.value(),
            columns=tuple((h, column) for h, column in columns.items() if column != found.column_of(h)),
        )

    def _fill_sheets(self) -> None:
        path = self._request.path
        try:
            sheets = read_sheets(path)
        except CellClipError:
            sheets = ()
        self.sheet.addItems(list(sheets))
        for widget in (self.sheet_label, self.sheet):
            widget.setVisible(len(sheets) > 1)
        if sheets:
            with_wells = (s for s in sheets if any(has_heading(cells) for cells in read_lines(path, s)))
            self.sheet.setCurrentText(self._request.sheet or next(with_wells, sheets[0]))

    def _load(self, heading: int | None) -> None:
        """Read the first lines, and find the heading among them unless it is given."""
        self._lines = read_lines(self._request.path, self.sheet.currentText() or None)
        if heading is None:
            likely = (i for i, cells in enumerate(self._lines) if has_heading(cells))
            filled = [sum(bool(cell.strip()) for cell in cells) for cells in self._lines]
            fullest = filled.index(max(filled)) if filled else 0  # above it stand titles, of a cell or two
            heading = next(likely, fullest) + 1
        self.heading.setMaximum(max(1, len(self._lines)))
        self.heading.setValue(heading)
        self._draw()
        self._fill_columns()

    def _names(self) -> list[str]:
        place = self.heading.value() - 1
        return [n.strip() for n in self._lines[place] if n.strip()] if place < len(self._lines) else []

    def _draw(self) -> None:
        """Draw the first lines, the heading in bold."""
        place = self.heading.value() - 1
        first = max(0, min(place, len(self._lines) - LINES))
        shown = list(islice(self._lines, first, first + LINES))
        self.preview.clear()
        self.preview.setRowCount(len(shown))
        self.preview.setColumnCount(max((len(row) for row in shown), default=0))
        self.preview.setVerticalHeaderLabels([str(first + i + 1) for i in range(len(shown))])
        for i, row in enumerate(shown):
            for j, cell in enumerate(row):
                item = QTableWidgetItem(cell)
                if first + i == place:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                item.setData(QUIET, first + i < place)
                self.preview.setItem(i, j, item)

    def _fill_columns(self) -> None:
        names = self._names()
        found = Columns.find(names)
        for holds, combo in self.combos.items():
            combo.blockSignals(True)
            combo.clear()
            combo.addItem(NONE, None)
            for name in names:
                combo.addItem(name, name)
            combo.setCurrentIndex(max(0, combo.findData(found.column_of(holds))))
            combo.blockSignals(False)

    def _choose(self, columns: dict[str, str | None]) -> None:
        for holds, column in columns.items():
            self.combos[holds].setCurrentIndex(max(0, self.combos[holds].findData(column)))

    def _sheet_chosen(self) -> None:
        self._filling = True
        self._load(None)
        self._filling = False
        self._changed()

    def _heading_chosen(self) -> None:
        if not self._filling:
            self._draw()
            self._fill_columns()
            self._changed()

    def _changed(self) -> None:
        """Read the table as chosen, and say what comes of it."""
        if self._filling:
            return
        request = self.value()
        self.valueChanged.emit(request)
        columns = {holds: combo.currentData() for holds, combo in self.combos.items()}
        if not columns["well"] and not (columns["row"] and columns["column"]):
            self.result_text.setText(NO_WELLS)
            self.read.setEnabled(False)
            return
        try:
            platemap = PlateMap.read(
                request.path,
                request.metadata,
                plate=self._plate,
                decimal=request.decimal,
                sheet=request.sheet,
                heading=request.heading,
                columns=dict(request.columns),
            )
        except CellClipError as error:
            self.result_text.setText(str(error))
            self.read.setEnabled(False)
        else:
            self.result_text.setText(described(platemap))
            self.read.setEnabled(True)

    def _accept(self) -> None:
        self.chosen.emit(self.value())
        self.accept()


def described(platemap: PlateMap) -> str:
    """Say what was read: wells, controls, the first treatments, and rows that were left out."""
    controls = sum(p.is_negative_control for p in platemap.wells.values())
    names = list(dict.fromkeys(p.treatment for p in platemap.wells.values() if p.name))
    counts = f"{counted(len(platemap), 'well')}, {counted(controls, 'negative control')}"
    text = f"{counts}: {', '.join(names[:5])}"
    text += ", …" if len(names) > 5 else ""
    if platemap.problems:
        first = platemap.problems[0]
        text += f"\n{counted(len(platemap.problems), 'row')} with problems; {first.subject}: {first.what}"
    return text
