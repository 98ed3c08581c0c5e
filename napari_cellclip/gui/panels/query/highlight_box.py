"""What counts as a hit: the accepted FDR, and which wells are highlighted."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import PlainLabel
from napari_cellclip.gui.state.session import Session

FDR_TIP = (
    "Accepted false discovery rate: the share of the treatments called significant that may be wrong.\n"
    "Lower is stricter. The q-value of each treatment is in the Hits table."
)
SCORE_TIP = (
    "Wells with at least this score are highlighted; at first, half of the best score.\n"
    "The score is a robust z-score against the negative controls of the plate; it has no error rate."
)


class FdrBox(QWidget):
    """Label and number in per cent, linked to the session; another value asks the last query again.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.spin = QDoubleSpinBox()
        self.spin.setRange(0.1, 50)
        self.spin.setDecimals(1)
        self.spin.setSuffix(" %")
        self.spin.setKeyboardTracking(False)
        self.spin.setAccessibleName("False discovery rate")
        self.spin.setToolTip(FDR_TIP)
        self.setToolTip(FDR_TIP)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(PlainLabel("FDR ≤"))
        layout.addWidget(self.spin)
        self._show()
        self.spin.valueChanged.connect(self._chosen)
        listen(self, session.view_changed, self._show)

    def _show(self, _view: object = None) -> None:
        put(self.spin, 100 * self._session.view.fdr)

    def _chosen(self, percent: float) -> None:
        session = self._session
        session.look(fdr=percent / 100)
        if session.answer is not None:
            session.questions.ask_again()


class HighlightBox(QWidget):
    """Choice of the highlighted wells, and the score where that decides.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.mode = QComboBox()
        for title, key in (
            ("Show significant", "significant"),
            ("Show score ≥", "score"),
            ("Show all", "all"),
        ):
            self.mode.addItem(title, key)
        self.mode.setToolTip("Which wells are highlighted in colour; the others are grey")
        self.mode.setAccessibleName("Highlight")
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(-50, 500)
        self.threshold.setSingleStep(0.5)
        self.threshold.setDecimals(1)
        self.threshold.setToolTip(SCORE_TIP)
        self.threshold.setAccessibleName("Score from which wells are highlighted")
        policy = self.threshold.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # so that nothing moves when it comes and goes
        self.threshold.setSizePolicy(policy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.mode)
        layout.addWidget(self.threshold)
        self._show()
        self.mode.activated.connect(self._mode_chosen)
        self.threshold.valueChanged.connect(self._threshold_chosen)
        listen(self, session.view_changed, self._show)
        listen(self, session.answer_changed, self._show)

    def _show(self, _view: object = None) -> None:
        session = self._session
        put(self.threshold, session.view.threshold)
        self.mode.setEnabled(session.answer is not None)
        model: Any = self.mode.model()
        with_verdict = session.answer is not None and session.answer.match is not None
        model.item(0).setEnabled(with_verdict or session.answer is None)
        # Show what decides: without a verdict that is the score, whatever was chosen.
        mode = session.highlight if session.answer is not None else session.view.highlight
        self.mode.setCurrentIndex(self.mode.findData(mode))
        self.threshold.setVisible(mode == "score")

    def _mode_chosen(self) -> None:
        self._session.look(highlight=self.mode.currentData())

    def _threshold_chosen(self, value: float) -> None:
        self._session.look(threshold=value)


def put(spin: QDoubleSpinBox, value: float) -> None:
    """Show a value that did not come from the user."""
    if spin.value() != value:
        spin.blockSignals(True)
        spin.setValue(value)
        spin.blockSignals(False)
