"""Which plate to encode: its folder, its stains and its plate map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.run.stain_table import StainTable
from napari_cellclip.gui.plain_text import PlainLabel
from napari_cellclip.gui.state.requests import OpenRequest, OpenSampleRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted


def side_by_side(first: QWidget, *others: QWidget) -> QHBoxLayout:
    """Lay out widgets in a row, the first one as wide as possible."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(first, 1)
    for widget in others:
        layout.addWidget(widget)
    return layout


def stacked_form(parent: QWidget) -> QFormLayout:
    """Make a form whose labels stand above their fields."""
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setVerticalSpacing(3)
    return form


class PlateSource(QWidget):
    """Choose plate, stains and plate map; each choice is sent as a request to open it.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.path = QLineEdit()
        self.path.setPlaceholderText("Drop a plate folder here, browse, or type an address (s3://, cpg://)")
        self.browse = QPushButton("Browse …")
        self.browse.setToolTip("Choose a plate folder")
        self.sample = QPushButton("Open sample")
        self.sample.setToolTip("Open the simulated 96-well plate")
        self.summary = PlainLabel("No plate is open.")
        self.summary.setWordWrap(True)
        self.unfold = QToolButton()
        self.unfold.setCheckable(True)
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.unfold.setToolTip("Show and correct which channel of the files shows which stain")
        self.stains = StainTable()
        self.platemap = QLineEdit()
        self.platemap.setPlaceholderText("Drop a CSV, TSV or Excel file here, or browse")
        self.platemap.setReadOnly(True)
        self.browse_platemap = QPushButton("Browse …")
        self.browse_platemap.setToolTip("Choose a plate map")
        form = stacked_form(self)
        form.addRow("Plate", side_by_side(self.path, self.browse, self.sample))
        form.addRow(self.summary)
        form.addRow("Stains", self.unfold)
        form.addRow(self.stains)
        form.addRow("Plate map", side_by_side(self.platemap, self.browse_platemap))

        self.unfold.toggled.connect(self._unfolded)
        self.stains.hide()
        self.stains.applied.connect(self._mapping_applied)
        self.path.returnPressed.connect(self._path_entered)
        self.browse.clicked.connect(self._choose_plate)
        self.sample.clicked.connect(self._open_sample)
        self.browse_platemap.clicked.connect(self._choose_platemap)
        listen(self, session.plate_changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Describe the plate that is open."""
        plate, platemap = self.session.plate, self.session.platemap
        self.unfold.setEnabled(plate is not None)
        self.browse_platemap.setEnabled(plate is not None)
        if plate is None:
            self.summary.setText("No plate is open.")
            self.unfold.setText("Open a plate first")
            self.platemap.clear()
            return
        self.path.setText(plate.address)
        size = f" · {plate.pixel_size:.3g} µm/px" if plate.pixel_size else " · pixel size not known"
        wells, sites = counted(len(plate.wells), "well"), counted(len(plate.sites), "site")
        text = f"{plate.layout} · {wells} · {sites}{size}"
        if plate.problems:
            text += f"\n{counted(len(plate.problems), 'problem')}, listed below"
        self.summary.setText(text)
        self.stains.set_plate(plate)
        mapping = plate.stains
        if mapping.complete:
            self.unfold.setText("All five found in the files")
        elif mapping.unmapped:
            self.unfold.setText("Assign a channel to each stain")
        else:
            self.unfold.setText("Missing: " + ", ".join(s.value for s in mapping.missing))
        self.unfold.setChecked(not mapping.complete)
        self._unfolded(self.unfold.isChecked())
        if platemap is None:
            self.platemap.clear()
        else:
            controls = sum(p.is_negative_control for p in platemap.wells.values())
            treated = counted(len(platemap.wells), "well")
            self.platemap.setText(f"{treated}, {counted(controls, 'negative control')}")

    def _unfolded(self, on: bool) -> None:
        self.unfold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.stains.setVisible(on)

    def _mapping_applied(self, mapping: dict[Any, str]) -> None:
        if self.session.plate is not None:
            self.session.request(OpenRequest(Path(self.session.plate.address), mapping))

    def _path_entered(self) -> None:
        if text := self.path.text().strip():
            self.session.request(OpenRequest(Path(text).expanduser()))

    def _open_sample(self) -> None:
        self.session.request(OpenSampleRequest())

    def _choose_plate(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a plate folder"):
            self.session.request(OpenRequest(Path(folder)))

    def _choose_platemap(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose a plate map", "", "Tables (*.csv *.tsv *.txt *.xlsx *.xls)"
        )
        if name:
            self.session.request(OpenRequest(Path(name)))
