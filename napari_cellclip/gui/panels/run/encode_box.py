"""How to encode a plate: model, licence, output folder; start, cancel, resume."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.run.plate_source import side_by_side, stacked_form
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.settings import read_settings
from napari_cellclip.gui.state.requests import CancelRequest, EncodeRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted


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
        self.card = PlainLabel()
        self.card.setWordWrap(True)
        self.card.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.accept = QCheckBox("I accept this licence (downloads weights if needed)")
        self.out_path = QLineEdit()
        self.out_path.setPlaceholderText("In the cache folder")
        self.browse = QPushButton("Browse …")
        self.browse.setToolTip("Choose an output folder")
        self.encode_button = QPushButton("Encode")
        self.cancel_button = QPushButton("Cancel")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.state = PlainLabel()
        self.state.setWordWrap(True)
        form = stacked_form(self)
        form.addRow("Model", self.model)
        form.addRow(self.card)
        form.addRow(self.accept)
        form.addRow("Output folder", side_by_side(self.out_path, self.browse))
        form.addRow(side_by_side(self.encode_button, self.cancel_button))
        form.addRow(self.progress)
        form.addRow(self.state)

        self._fill_models()
        self.browse.clicked.connect(self._choose_out)
        self.encode_button.clicked.connect(self.encode)
        self.cancel_button.clicked.connect(self.cancel)
        self.model.currentIndexChanged.connect(self._model_chosen)
        self.out_path.textChanged.connect(self._edited)
        self.accept.toggled.connect(self._edited)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.work_changed, self._work_changed)
        listen(self, session.message, self._show_message)
        self._model_chosen()
        self._work_changed(Task.ENCODE, session.work(Task.ENCODE))
        self.refresh()

    def value(self) -> EncodeRequest:
        """The request as chosen; device and batch size are the plugin's settings."""
        out, settings = self.out_path.text().strip(), read_settings()
        return EncodeRequest(
            model=self.model.currentData() or "demo",
            out=Path(out).expanduser() if out else None,
            batch_size=settings.batch_size,
            device=settings.device,
            accept_licence=self.accept.isChecked(),
        )

    def setValue(self, request: EncodeRequest) -> None:
        """Choose model and output folder."""
        self.model.setCurrentIndex(max(0, self.model.findData(request.model)))
        self.out_path.setText(str(request.out) if request.out is not None else "")
        self.accept.setChecked(request.accept_licence)

    def encode(self) -> None:
        """Start, or go on with, the run."""
        self.state.clear()
        self.session.request(self.value())

    def cancel(self) -> None:
        """Stop the run within one step; what is done is kept."""
        self.session.request(CancelRequest(Task.ENCODE))
        self.encode_button.setText("Resume")

    def refresh(self) -> None:
        """Start afresh with the plate that is open."""
        plate = self.session.plate
        self.encode_button.setEnabled(plate is not None and self.session.work(Task.ENCODE) is None)
        self.encode_button.setText("Encode")
        self.state.clear()

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
        self.accept.setToolTip(plain(card.licence_text))
        simulated = "Trained on simulations: it shows the program, not biology. " if card.simulated else ""
        self.card.setText(f"{simulated}Licence: {card.licence}.")
        self.card.setToolTip(
            plain(f"{card.description}\nTrained on: {card.trained_on}\nLimits: {card.limits}")
        )
        self._edited()

    def _edited(self) -> None:
        self.valueChanged.emit(self.value())

    def _choose_out(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Choose an output folder"):
            self.out_path.setText(folder)

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task != Task.ENCODE:
            return
        running = work is not None
        self.encode_button.setEnabled(not running and self.session.plate is not None)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        if work is None:
            self.encode_button.setText("Encode")  # cancel() writes Resume after this
            return
        self.progress.setRange(0, work.total)
        self.progress.setValue(work.done)
        self.progress.setFormat(f"%v / %m · {work.message}" if work.total else work.message)
        if work.failures:
            self.state.setText(f"{counted(work.failures, 'site')} could not be used so far.")

    def _show_message(self, task: str, message: str) -> None:
        if task == Task.ENCODE:
            self.state.setText(message)
