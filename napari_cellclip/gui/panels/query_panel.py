"""The query line, with the prompts really sent."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.session import Session
from napari_cellclip.gui.wishes import Question, Task, Work

PLACEHOLDER = "Ask in words: tubulin inhibitor, BRD4 knockout, nocodazole …"


class QueryLine(QLineEdit):
    """A line edit that remembers: arrow up and down walk through earlier questions."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._place = 0
        self.setPlaceholderText(PLACEHOLDER)
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Query")

    def keyPressEvent(self, event: Any) -> None:
        history = [q.text for q in self._session.questions]
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and history:
            step = 1 if event.key() == Qt.Key.Key_Up else -1
            self._place = min(max(self._place + step, 0), len(history))
            self.setText(history[-self._place] if self._place else "")
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._place = 0
        super().keyPressEvent(event)


class QueryPanel(QWidget):
    """Ask, see the prompts that were sent, edit them, set from which score wells are in colour.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    valueChanged = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.session = session
        self.line = QueryLine(session)
        self.line.setToolTip("Enter asks; arrow up brings back earlier questions")
        self.button = QPushButton("Ask")
        self.button.setToolTip("Ask the encoded plate (Enter)")
        self.sent = QToolButton()
        self.sent.setCheckable(True)
        self.sent.setArrowType(Qt.ArrowType.RightArrow)
        self.sent.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.sent.setToolTip("Show and edit the prompts that the model really got")
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(-50, 500)
        self.threshold.setSingleStep(0.5)
        self.threshold.setDecimals(1)
        self.threshold.setValue(session.view.threshold)
        self.threshold.setToolTip(
            "Wells with at least this score are in colour, the others grey;\n"
            "at first, half of the best score.\n"
            "The score is a robust z against the plate's negative controls. It is not calibrated: no verdict."
        )
        self.prompts = QTextEdit()
        self.prompts.setAcceptRichText(False)
        self.prompts.setToolTip("One prompt per line; their embeddings are averaged")
        self.prompts.setLineWrapMode(QTextEdit.LineWrapMode.NoWrap)
        self.prompts.setFixedHeight(self.fontMetrics().lineSpacing() * 6)
        self.again = QPushButton("Ask with these prompts")
        self.notes = QLabel()
        self.notes.setWordWrap(True)
        self.notes.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

        first = QHBoxLayout()
        first.addWidget(self.line, 1)
        first.addWidget(self.button)
        second = QHBoxLayout()
        second.addWidget(self.sent)
        second.addStretch(1)
        second.addWidget(QLabel("in colour: score ≥"))
        second.addWidget(self.threshold)
        self.editor = QWidget()
        inner = QVBoxLayout(self.editor)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.prompts)
        inner.addWidget(self.again, 0, Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.editor)
        layout.addWidget(self.notes)
        self.editor.hide()

        self.line.returnPressed.connect(self.ask)
        self.line.textChanged.connect(self._text_changed)
        self.button.clicked.connect(self.ask)
        self.sent.toggled.connect(self._unfold)
        self.again.clicked.connect(self.ask_with_prompts)
        self.threshold.valueChanged.connect(self._threshold_chosen)
        session.answer_changed.connect(self._answer_changed)
        session.asked.connect(self._asked)
        session.work_changed.connect(self._work_changed)
        session.view_changed.connect(self._view_changed)
        if session.questions and session.answer is not None:
            self.setValue(session.questions[-1])
        self._answer_changed()

    def value(self) -> Question:
        """The question as typed."""
        return Question(self.line.text())

    def setValue(self, question: Question) -> None:
        """Type a question without asking it."""
        self.line.setText(question.text)

    def ask(self) -> None:
        """Ask what is typed."""
        self.session.ask(self.line.text())

    def ask_with_prompts(self) -> None:
        """Ask with the prompts as edited."""
        lines = tuple(t.strip() for t in self.prompts.toPlainText().splitlines() if t.strip())
        if lines:
            self.session.ask(self.line.text() or lines[0], lines)

    def _text_changed(self) -> None:
        self.valueChanged.emit(self.value())

    def _asked(self, question: Question) -> None:
        if question.text != self.line.text().strip():
            self.setValue(question)

    def _unfold(self, unfolded: bool) -> None:
        self.sent.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.editor.setVisible(unfolded)

    def _threshold_chosen(self, value: float) -> None:
        self.session.look(threshold=value)

    def _view_changed(self, _view: object) -> None:
        if self.threshold.value() != self.session.view.threshold:
            self.threshold.setValue(self.session.view.threshold)

    def _answer_changed(self) -> None:
        answer = self.session.answer
        count = len(answer.prompts) if answer is not None else 0
        self.sent.setText(
            f"sent: {count} prompt{'' if count == 1 else 's'}" if count else "no question asked yet"
        )
        self.sent.setEnabled(count > 0)
        self.prompts.setPlainText("\n".join(answer.prompts) if answer is not None else "")
        notes = list(answer.notes) if answer is not None else []
        if answer is not None and answer.match is False:
            notes.insert(0, "No confident match.")
        self.notes.setText(" ".join(notes))
        self.notes.setVisible(bool(notes))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.ASK:
            self.button.setEnabled(work is None)
            self.button.setText("Ask" if work is None else "Asking …")
