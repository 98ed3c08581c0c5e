"""How to encode a plate: model, licence, output folder; start, cancel, resume."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.setup.forms import Foldable, PathField, plain_form, side_by_side
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import CancelRequest, EncodeRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted

LICENCE_TIP = "Weights are fetched only when their licence is accepted"
ENCODER_TIP = "Local folder with the model's channel encoder (DINOv2), where the model does not have it"
FOLDER = "folder"
ILLUMINATIONS = {
    "Not corrected": "none",
    "Estimate from the plate": "estimate",
    "Functions that load_data.csv names": "load_data",
    "Functions in a folder": FOLDER,
}
DEVICES = {
    "As in the settings": "",
    "Fastest there is": "auto",
    "CUDA": "cuda",
    "MPS (Mac)": "mps",
    "CPU": "cpu",
}
PRECISIONS = {"Whichever is faster here": "auto", "32 bit": "float32", "16 bit (bfloat16)": "bfloat16"}
FUNCTIONS_TIP = "Folder of CellProfiler's illumination functions (.npy)"
NO_FUNCTIONS = "Choose the folder of illumination functions first (Options of the run)."
MORE_TIP = "Files of the model, failed images, illumination, precision"
TOKENIZER_TIP = "Local folder with the model's vocab.txt, where the model does not have it"


class EncodeBox(QWidget):
    """Choose model and output folder, encode, cancel, resume. The value is the request as chosen.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model = QComboBox()
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(8)
        self.model.setAccessibleName("Model")
        self.model.setToolTip("Model to encode with; its licence and limits are below")
        self.card = PlainLabel()
        self.card.setWordWrap(True)
        self.card.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.folder = QPushButton("Model folder …")
        self.folder.setToolTip("Choose a model folder: a card with weights, or weights as published")
        self.accept = QCheckBox("I accept this licence (downloads weights if needed)")
        self.accept.setToolTip(LICENCE_TIP)
        self.out_path = PathField(
            "Choose an output folder", "Folder that the screen is written to", empty="In the cache folder"
        )
        self.encoder = PathField("Choose a channel encoder", ENCODER_TIP, empty="With the model")
        self.tokenizer = PathField("Choose a tokenizer", TOKENIZER_TIP, empty="With the model")
        self.retry = QCheckBox("Try failed images again")
        self.retry.setToolTip("Try the images again that could not be used last time")
        self.illumination = QComboBox()
        for title, key in ILLUMINATIONS.items():
            self.illumination.addItem(title, key)
        self.illumination.setToolTip("Divide each stain by an illumination function before it is encoded")
        self.functions = PathField(
            "Choose a folder of illumination functions", FUNCTIONS_TIP, empty="Choose a folder"
        )
        self.device = QComboBox()
        for title, device in DEVICES.items():
            self.device.addItem(title, device)
        self.device.setToolTip("What the channel encoder runs on; the settings are in napari's preferences")
        self.precision = QComboBox()
        for title, precision in PRECISIONS.items():
            self.precision.addItem(title, precision)
        self.precision.setToolTip(
            "Number format in which the channel encoder computes; recorded in the screen"
        )
        self.encode_button = QPushButton("Encode")
        self.encode_button.setToolTip("Encode the plate, or go on where it was stopped")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop; what is done is kept")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.progress.setToolTip("How far the run is")
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        form = plain_form()
        form.addRow("Model", side_by_side(self.model, self.folder))
        form.addRow(self.card)
        form.addRow(self.accept)
        form.addRow("Screen folder", self.out_path)
        options = QWidget()
        further = plain_form(options)
        further.addRow("Encoder", self.encoder)
        further.addRow("Tokenizer", self.tokenizer)
        further.addRow(self.retry)
        further.addRow("Illumination", self.illumination)
        further.addRow("Folder", self.functions)
        further.addRow("Device", self.device)
        further.addRow("Precision", self.precision)
        self.more = Foldable("Options of the run", MORE_TIP, options)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(side_by_side(self.progress, self.encode_button, self.cancel_button))
        layout.addWidget(self.state)
        layout.addWidget(self.more)
        layout.addStretch(1)

        self._last: Work | None = None
        self._fill_models()
        self.folder.clicked.connect(self._choose_folder)
        self.encode_button.clicked.connect(self.encode)
        self.cancel_button.clicked.connect(self.cancel)
        self.model.currentIndexChanged.connect(self._model_chosen)
        for editor in (self.out_path, self.encoder, self.tokenizer):
            editor.valueChanged.connect(self._edited)
        self.functions.valueChanged.connect(self._edited)
        for combo in (self.illumination, self.device, self.precision):
            combo.currentIndexChanged.connect(self._edited)
        self.retry.toggled.connect(self._edited)
        self.accept.toggled.connect(self._edited)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.work_changed, self._work_changed)
        listen(self, session.message, self._show_message)
        listen(self, session.setup.changed, self._show_chosen)
        self._model_chosen()
        self._work_changed(Task.ENCODE, session.work(Task.ENCODE))
        self.refresh()

    def value(self) -> EncodeRequest:
        """Return the request as chosen; the batch size, and the device unless chosen, are settings."""
        settings = read_settings()
        return EncodeRequest(
            model=self.model.currentData() or "demo",
            out=self.out_path.value(),
            batch_size=settings.batch_size,
            device=self.device.currentData() or settings.device,
            accept_licence=self.accept.isChecked(),
            encoder=self.encoder.value(),
            tokenizer=self.tokenizer.value(),
            retry_failed=self.retry.isChecked(),
            illumination=self._illumination(),
            precision=self.precision.currentData(),
        )

    def setValue(self, request: EncodeRequest) -> None:
        """Choose model, folders and what to do with failed images."""
        self._choose_model(request.model)
        self.out_path.setValue(request.out)
        self.encoder.setValue(request.encoder)
        self.tokenizer.setValue(request.tokenizer)
        self.retry.setChecked(request.retry_failed)
        known = self.illumination.findData(request.illumination)
        self.illumination.setCurrentIndex(known if known >= 0 else self.illumination.findData(FOLDER))
        self.functions.setValue(Path(request.illumination) if known < 0 else None)
        self.precision.setCurrentIndex(max(0, self.precision.findData(request.precision)))
        self.device.setCurrentIndex(max(0, self.device.findData(request.device)))
        self.accept.setChecked(request.accept_licence)

    def _illumination(self) -> str:
        """Return what the illumination is corrected by; nothing while no folder is named."""
        chosen = str(self.illumination.currentData())
        return str(self.functions.value() or "none") if chosen == FOLDER else chosen

    def done(self) -> str:
        """Say what this step has come to; empty while it is open."""
        screen = self.session.screen
        return screen.name if screen is not None else ""

    def encode(self) -> None:
        """Start, or go on with, the run."""
        self.state.clear()
        if self.illumination.currentData() == FOLDER and self.functions.value() is None:
            self.state.setText(NO_FUNCTIONS)
            return
        self.session.request(self.value())

    def cancel(self) -> None:
        """Stop the run within one step; what is done is kept."""
        self.session.request(CancelRequest(Task.ENCODE))

    def refresh(self) -> None:
        """Start afresh with the plate that is open."""
        plate = self.session.plate
        self.encode_button.setEnabled(plate is not None and self.session.work(Task.ENCODE) is None)
        self.encode_button.setText("Encode")
        self.state.clear()

    def _fill_models(self) -> None:
        from napari_cellclip.model import image_cards

        self._cards = image_cards()
        for name, card in self._cards.items():
            self.model.addItem(name, name)
            self.model.setItemData(self.model.count() - 1, plain(card.title), Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(max(0, self.model.findData("demo")))

    def _model_chosen(self) -> None:
        from napari_cellclip.model.weights.hub_notes import is_accepted

        card = self._cards.get(self.model.currentData())
        self.accept.setChecked(False)
        self.accept.setVisible(card is not None and not is_accepted(card))
        if self.session.setup.model != self.model.currentData():
            self.session.setup.choose_model(self.model.currentData(), quiet=True)
        if card is None:
            self.card.setText(f"Model folder {self.model.currentData()}")
            self._edited()
            return
        self.accept.setToolTip(plain(card.licence_text or LICENCE_TIP))
        simulated = "It shows the program, not biology. " if card.simulated else ""
        title = f"{card.title}. " if card.title else ""
        self.card.setText(f"{title}{simulated}Licence: {card.licence}.")
        self.card.setToolTip(
            plain(f"{card.description}\nTrained on: {card.trained_on}\nLimits: {card.limits}")
        )
        self._edited()

    def _edited(self) -> None:
        self.functions.setEnabled(self.illumination.currentData() == FOLDER)
        self.valueChanged.emit(self.value())

    def _choose_folder(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose a model folder"):
            self._choose_model(folder)

    def _choose_model(self, model: str) -> None:
        """Choose a known model, or a folder, which then is on offer too."""
        if self.model.findData(model) < 0 and Path(model).is_dir():
            self.model.addItem(Path(model).name, model)
        self.model.setCurrentIndex(max(0, self.model.findData(model)))

    def _show_chosen(self) -> None:
        if self.model.currentData() != self.session.setup.model:
            self._choose_model(self.session.setup.model)

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task != Task.ENCODE:
            return
        running = work is not None
        self.encode_button.setEnabled(not running and self.session.plate is not None)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        if work is None:
            last, self._last = self._last, None
            stopped = last is not None and (not last.total or last.done < last.total)
            self.encode_button.setText("Resume" if stopped else "Encode")
            return
        self._last = work
        self.progress.setRange(0, work.total)
        self.progress.setValue(work.done)
        self.progress.setFormat(f"%v / %m · {work.message}" if work.total else work.message)
        if work.failures:
            self.state.setText(f"{counted(work.failures, 'site')} could not be used so far.")

    def _show_message(self, task: str, message: str) -> None:
        if task == Task.ENCODE:
            self.state.setText(message)
