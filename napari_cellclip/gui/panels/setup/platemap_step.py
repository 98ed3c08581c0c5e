"""Third step of the set-up: what was done to the wells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.setup.columns_dialog import ColumnsDialog
from napari_cellclip.gui.panels.setup.forms import TABLES, PathField, plain_form, side_by_side
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.requests import PlateMapRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted

DECIMALS = {"Detect": None, "1.5 (point)": ".", "1,5 (comma)": ","}
COMPOUNDS_TIP = "Table joined to the plate map, on broad_sample (JUMP) or another column that both have"
NO_MAP = "No plate map: wells are shown without treatments, and nothing is compared with controls."


class PlateMapStep(QWidget):
    """Choose a plate map and how its table is read.

    Parameters
    ----------
    session : Session
        Read, and sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.path = QLineEdit()
        self.path.setReadOnly(True)
        self.path.setAccessibleName("Plate map")
        self.path.setPlaceholderText("Drop a CSV, TSV or Excel file anywhere here, or browse")
        self.path.setToolTip("Table with a row for each well: what it was treated with")
        self.browse = QPushButton("Browse …")
        self.browse.setToolTip("Choose a plate map")
        self.columns = QPushButton("Columns …")
        self.columns.setToolTip("Choose sheet, heading and columns of the table, with a preview")
        self.compounds = PathField("Choose a compound table", COMPOUNDS_TIP, folder=False, empty="None")
        self.decimal = QComboBox()
        self.decimal.setAccessibleName("Decimal sign of doses")
        for title, sign in DECIMALS.items():
            self.decimal.addItem(title, sign)
        self.decimal.setToolTip("Decimal sign of the doses, where they do not tell it: is 1,000 one?")
        self.read_again = QPushButton("Read again")
        self.read_again.setToolTip("Read the plate map with this compound table and decimal sign")
        self.summary = PlainLabel()
        self.summary.setWordWrap(True)
        form = plain_form()
        form.addRow("Compounds", self.compounds)
        form.addRow("Decimal sign", side_by_side(self.decimal, self.read_again))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(side_by_side(self.path, self.browse, self.columns))
        layout.addWidget(self.summary)
        layout.addLayout(form)
        layout.addStretch(1)
        self._dialog: ColumnsDialog | None = None
        self.browse.clicked.connect(self._choose)
        self.columns.clicked.connect(self.choose_columns)
        self.read_again.clicked.connect(self._read_again)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.setup.unread_table, self._ask_columns)
        self.refresh()

    @property
    def dialog(self) -> ColumnsDialog | None:
        """The dialog that is open."""
        return self._dialog

    def value(self) -> PlateMapRequest | None:
        """Return the request as chosen, ``None`` without a table."""
        now = self.session.setup.platemap
        if now is None:
            return None
        return replace(now, metadata=self.compounds.value(), decimal=self.decimal.currentData())

    def done(self) -> str:
        """Say what this step has come to; empty while it is open."""
        platemap = self.session.platemap
        return counted(len(platemap), "well") if platemap is not None else ""

    def refresh(self) -> None:
        """Describe the plate map that is read."""
        plate, platemap, request = self.session.plate, self.session.platemap, self.session.setup.platemap
        self.browse.setEnabled(plate is not None)
        self.columns.setEnabled(request is not None)
        self.read_again.setEnabled(request is not None)
        self.path.setText(str(request.path) if request is not None else "")
        if request is not None:
            self.compounds.setValue(request.metadata)
            self.decimal.setCurrentIndex(max(0, self.decimal.findData(request.decimal)))
        if platemap is None:
            self.summary.setText(NO_MAP)
            return
        controls = sum(p.is_negative_control for p in platemap.wells.values())
        parts = [counted(len(platemap), "well"), counted(controls, "negative control")]
        problems = platemap.check(plate) if plate is not None else list(platemap.problems)
        if problems:
            parts.append(f"{problems[0].subject}: {problems[0].what}")
        self.summary.setText(" · ".join(parts))
        self.summary.setToolTip(plain("\n".join(f"{p.subject}: {p.what}" for p in problems[:12])))

    def choose_columns(self) -> None:
        """Open the dialog on the table that is read."""
        if (request := self.value()) is not None:
            self._open(request)

    def _ask_columns(self, path: Path, _why: str) -> None:
        self._open(PlateMapRequest(path))

    def _open(self, request: PlateMapRequest) -> None:
        plate = self.session.plate
        if self._dialog is not None:
            self._dialog.close()
        self._dialog = ColumnsDialog(request, plate.name if plate is not None else None, self)
        self._dialog.chosen.connect(self.session.request)
        self._dialog.finished.connect(self._closed)
        self._dialog.open()

    def _closed(self, _result: int) -> None:
        self._dialog = None

    def _read_again(self) -> None:
        if (request := self.value()) is not None:
            self.session.request(request)

    def _choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose a plate map", "", TABLES)
        if name:
            self.session.request(PlateMapRequest(Path(name)))
