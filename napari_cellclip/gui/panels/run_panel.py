"""The Run tab: from a folder to an encoded screen, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.stain_table import StainTable
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import RunPlan, Task, Work
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted

LISTED = 200


def _row(*widgets: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    for place, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if place == 0 else 0)
    return layout


class RunPanel(QWidget):
    """Choose plate, stains, plate map, model and output; encode, cancel, resume.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.plate_path = QLineEdit()
        self.plate_path.setPlaceholderText("drop a plate folder here, or browse")
        self.browse_plate = QPushButton("Browse …")
        self.sample = QPushButton("Sample")
        self.sample.setToolTip("Open the simulated 96-well plate")
        self.summary = QLabel("No plate is open.")
        self.summary.setWordWrap(True)
        self.unfold = QToolButton()
        self.unfold.setCheckable(True)
        self.unfold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.stains = StainTable()
        self.map_path = QLineEdit()
        self.map_path.setPlaceholderText("CSV, TSV or Excel; drop it here")
        self.map_path.setReadOnly(True)
        self.browse_map = QPushButton("Browse …")
        self.model = QComboBox()
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(8)
        self.card = QLabel()
        self.card.setWordWrap(True)
        self.card.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.accept = QCheckBox("I accept this licence; fetch the weights if they are not here")
        self.out_path = QLineEdit()
        self.out_path.setPlaceholderText("in the cache folder")
        self.browse_out = QPushButton("Browse …")
        self.encode_button = QPushButton("Encode")
        self.cancel_button = QPushButton("Cancel")
        self.open_button = QPushButton("Open screen …")
        self.open_button.setToolTip("Open a screen folder that was encoded before")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.failures = QTreeWidget()
        self.failures.setHeaderLabels(["Where", "What went wrong"])
        self.failures.setRootIsDecorated(False)
        self.failures.setMinimumHeight(self.fontMetrics().lineSpacing() * 5)

        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.setVerticalSpacing(3)
        form.addRow("Plate", _row(self.plate_path, self.browse_plate, self.sample))
        form.addRow(self.summary)
        form.addRow("Stains", self.unfold)
        form.addRow(self.stains)
        form.addRow("Plate map", _row(self.map_path, self.browse_map))
        form.addRow("Model", self.model)
        form.addRow(self.card)
        form.addRow(self.accept)
        form.addRow("Output", _row(self.out_path, self.browse_out))
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(form)
        layout.addLayout(_row(self.encode_button, self.cancel_button))
        layout.addWidget(self.progress)
        layout.addWidget(self.state)
        layout.addWidget(self.failures, 1)
        layout.addWidget(self.open_button)
        layout.addStretch(0)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

        self._fill_models()
        self.unfold.toggled.connect(self._unfolded)
        self.unfold.setChecked(False)
        self.stains.hide()
        self.stains.applied.connect(self._mapping_applied)
        self.plate_path.returnPressed.connect(self._path_entered)
        self.browse_plate.clicked.connect(self._choose_plate)
        self.browse_map.clicked.connect(self._choose_map)
        self.browse_out.clicked.connect(self._choose_out)
        self.open_button.clicked.connect(self._choose_screen)
        self.sample.clicked.connect(self._open_sample)
        self.encode_button.clicked.connect(self.encode)
        self.cancel_button.clicked.connect(self.cancel)
        self.model.currentIndexChanged.connect(self._model_chosen)
        self.out_path.textChanged.connect(self._edited)
        self.accept.toggled.connect(self._edited)
        session.plate_changed.connect(self.refresh)
        session.screen_changed.connect(self.refresh_failures)
        session.work_changed.connect(self._work_changed)
        session.said.connect(self._said)
        self._model_chosen()
        self._work_changed(Task.ENCODE, session.work(Task.ENCODE))
        self.refresh()
        self.refresh_failures()

    def value(self) -> RunPlan:
        """The run as chosen; device and batch size are the plugin's settings."""
        out, settings = self.out_path.text().strip(), read_settings()
        return RunPlan(
            model=self.model.currentData() or "demo",
            out=Path(out).expanduser() if out else None,
            batch_size=settings.batch_size,
            device=settings.device,
            accept_licence=self.accept.isChecked(),
        )

    def setValue(self, plan: RunPlan) -> None:
        """Choose model and output folder."""
        self.model.setCurrentIndex(max(0, self.model.findData(plan.model)))
        self.out_path.setText(str(plan.out) if plan.out is not None else "")
        self.accept.setChecked(plan.accept_licence)

    def encode(self) -> None:
        """Start, or go on with, the run."""
        self.state.clear()
        self.session.encode(self.value())

    def cancel(self) -> None:
        """Stop the run within one batch; what is done is kept."""
        self.session.stop(Task.ENCODE)
        self.encode_button.setText("Resume")

    def refresh(self) -> None:
        """Describe the plate that is open."""
        plate, platemap = self.session.plate, self.session.platemap
        self.encode_button.setEnabled(plate is not None and self.session.work(Task.ENCODE) is None)
        self.encode_button.setText("Encode")
        self.state.clear()
        self.unfold.setEnabled(plate is not None)
        self.browse_map.setEnabled(plate is not None)
        if plate is None:
            self.summary.setText("No plate is open.")
            self.unfold.setText("shown when a plate is open")
            self.map_path.clear()
            return
        self.plate_path.setText(str(plate.path))
        size = f" · {plate.pixel_size:.3g} µm/px" if plate.pixel_size else " · pixel size not known"
        wells, sites = counted(len(plate.wells), "well"), counted(len(plate.sites), "site")
        text = f"{plate.layout} · {wells} · {sites}{size}"
        if plate.problems:
            text += f"\n{counted(len(plate.problems), 'problem')}, listed below"
        self.summary.setText(text)
        self.stains.set_plate(plate)
        mapping = plate.stains
        if mapping.complete:
            self.unfold.setText("all five found in the files")
        elif mapping.unmapped:
            self.unfold.setText("please say which channel is which")
        else:
            self.unfold.setText("missing: " + ", ".join(s.value for s in mapping.missing))
        self.unfold.setChecked(not mapping.complete)
        self._unfolded(self.unfold.isChecked())
        if platemap is None:
            self.map_path.clear()
        else:
            treated = len(platemap.wells)
            controls = sum(p.is_negative_control for p in platemap.wells.values())
            self.map_path.setText(f"{treated} wells, {controls} negative controls")
        self.refresh_failures()

    def refresh_failures(self) -> None:
        """List what could not be read or encoded, each with its reason."""
        rows: list[tuple[str, str]] = []
        if self.session.plate is not None:
            rows += [(p.subject, p.what) for p in self.session.plate.problems]
        if self.session.screen is not None:
            failed = self.session.screen.failures
            rows += list(zip(failed["Metadata_Site_id"], failed["Metadata_Failure"], strict=True))
        self.failures.clear()
        for where, what in rows[:LISTED]:
            item = QTreeWidgetItem([where, what])
            item.setToolTip(1, what)
            self.failures.addTopLevelItem(item)
        if len(rows) > LISTED:
            self.failures.addTopLevelItem(QTreeWidgetItem(["…", f"and {len(rows) - LISTED} more"]))
        self.failures.setVisible(bool(rows))

    # ------------------------------------------------------------------ reactions

    def _fill_models(self) -> None:
        from napari_cellclip.model import known_cards

        self._cards = known_cards()
        for name, card in self._cards.items():
            self.model.addItem(card.title or name, name)
        self.model.setCurrentIndex(max(0, self.model.findData("demo")))

    def _model_chosen(self) -> None:
        from napari_cellclip.model.weights.hub_notes import is_accepted

        card = self._cards.get(self.model.currentData())
        self.accept.setChecked(False)
        self.accept.setVisible(card is not None and not is_accepted(card))
        if card is None:
            self.card.clear()
            return
        self.accept.setToolTip(card.licence_text)
        simulated = "Trained on simulations: it shows the program, not biology. " if card.simulated else ""
        self.card.setText(f"{simulated}Licence: {card.licence}.")
        self.card.setToolTip(f"{card.description}\nTrained on: {card.trained_on}\nLimits: {card.limits}")
        self._edited()

    def _edited(self) -> None:
        self.valueChanged.emit(self.value())

    def _unfolded(self, on: bool) -> None:
        self.unfold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.stains.setVisible(on)

    def _mapping_applied(self, mapping: dict[Any, str]) -> None:
        if self.session.plate is not None:
            self.session.open(self.session.plate.path, mapping)

    def _path_entered(self) -> None:
        if text := self.plate_path.text().strip():
            self.session.open(Path(text).expanduser())

    def _open_sample(self) -> None:
        self.session.open_sample()

    def _choose_plate(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a plate folder"):
            self.session.open(folder)

    def _choose_screen(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a screen folder"):
            self.session.open(folder)

    def _choose_out(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose an output folder"):
            self.out_path.setText(folder)

    def _choose_map(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Choose a plate map", "", "Tables (*.csv *.tsv *.txt *.xlsx *.xls)"
        )
        if name:
            self.session.open(name)

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task != Task.ENCODE:
            return
        running = work is not None
        self.encode_button.setEnabled(not running and self.session.plate is not None)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        if work is None:
            self.encode_button.setText("Encode")  # cancel() says Resume after this
            return
        self.progress.setRange(0, work.total)
        self.progress.setValue(work.done)
        self.progress.setFormat(f"%v / %m · {work.message}" if work.total else work.message)
        if work.failures:
            self.state.setText(f"{work.failures} site(s) could not be used so far.")

    def _said(self, task: str, message: str) -> None:
        if task == Task.ENCODE:
            self.state.setText(message)
