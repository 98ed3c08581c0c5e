"""The query line, with the prompts really sent."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.prompt_table import PromptTable
from napari_cellclip.gui.state.requests import Question, Task, Work
from napari_cellclip.gui.state.session import Session

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer

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
        history = [q.text for q in self._session.questions if not q.like]
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and history:
            step = 1 if event.key() == Qt.Key.Key_Up else -1
            self._place = min(max(self._place + step, 0), len(history))
            self.setText(history[-self._place] if self._place else "")
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._place = 0
        super().keyPressEvent(event)


class QueryPanel(QWidget):
    """Ask, read the verdict, see the prompts that were sent, edit them, choose which wells are in colour.

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
        self._make_line()
        self._make_verdict()
        self._make_editor()
        self.notes = QLabel()
        self.notes.setTextFormat(Qt.TextFormat.PlainText)
        self.notes.setWordWrap(True)
        self.notes.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widgets in (
            (self.line, self.button, self.example),
            (self.sent, None, self.rate_label, self.rate),
            (self.verdict, self.lit_by, self.threshold),
        ):
            row = QHBoxLayout()
            for widget in widgets:
                if widget is None:
                    row.addStretch(1)
                else:
                    row.addWidget(widget, 1 if widget in (self.line, self.verdict) else 0)
            layout.addLayout(row)
        layout.addWidget(self.editor)
        layout.addWidget(self.notes)

        self.line.returnPressed.connect(self.ask)
        self.line.textChanged.connect(self._text_changed)
        self.button.clicked.connect(self.ask)
        self.sent.toggled.connect(self._unfold)
        self.again.clicked.connect(self.ask_with_prompts)
        self.threshold.valueChanged.connect(self._threshold_chosen)
        self.rate.valueChanged.connect(self._rate_chosen)
        self.lit_by.currentIndexChanged.connect(self._lit_by_chosen)
        session.answer_changed.connect(self._answer_changed)
        session.asked.connect(self._asked)
        session.work_changed.connect(self._work_changed)
        session.view_changed.connect(self._view_changed)
        session.selection.changed.connect(self._selected)
        if session.questions and session.answer is not None:
            self.setValue(session.questions[-1])
        self._answer_changed()
        self._selected(session.selection.ids)

    def _make_line(self) -> None:
        self.line = QueryLine(self.session)
        self.line.setToolTip(
            "Enter asks; arrow up brings back earlier questions.\n"
            "A AND NOT B · A AND B · 2*A - 0.5*B · nocodazole at 3 uM in U2OS"
        )
        self.button = QPushButton("Ask")
        self.button.setToolTip("Ask the encoded plate (Enter)")
        self.example = QToolButton()
        self.example.setText("By example   ")  # room for the arrow
        self.example.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.example.setToolTip("Ask for wells that look like the selected ones")
        menu = QMenu(self.example)
        self.like = menu.addAction("Like the selected wells", self._ask_like)
        self.unlike = menu.addAction("… but not like the selected wells", self._ask_unlike)
        self.example.setMenu(menu)

    def _make_verdict(self) -> None:
        self.sent = QToolButton()
        self.sent.setCheckable(True)
        self.sent.setArrowType(Qt.ArrowType.RightArrow)
        self.sent.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.sent.setToolTip("Show and edit the prompts that the model really got")
        self.rate_label = QLabel("false discoveries ≤")
        self.rate = QDoubleSpinBox()
        self.rate.setRange(0.1, 50)
        self.rate.setDecimals(1)
        self.rate.setSuffix(" %")
        self.rate.setKeyboardTracking(False)
        self.rate.setValue(100 * self.session.view.fdr)
        self.rate.setAccessibleName("Accepted share of false discoveries")
        tip = (
            "Share of the treatments said to match that may be wrong (false-discovery rate).\n"
            "Lower is stricter; q of each treatment stands in the table of hits."
        )
        self.rate.setToolTip(tip)
        self.rate_label.setToolTip(tip)
        self.verdict = QLabel()
        self.verdict.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.verdict.setMinimumWidth(20 * self.fontMetrics().averageCharWidth())
        self.lit_by = QComboBox()
        for title, key in (("colour matches", "verdict"), ("colour score ≥", "score")):
            self.lit_by.addItem(title, key)
        self.lit_by.setToolTip("Which wells are in colour; the others are grey")
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(-50, 500)
        self.threshold.setSingleStep(0.5)
        self.threshold.setDecimals(1)
        self.threshold.setValue(self.session.view.threshold)
        self.threshold.setToolTip(
            "Wells with at least this score are in colour; at first, half of the best score.\n"
            "The score is a robust z against the plate's negative controls, and no verdict."
        )

    def _make_editor(self) -> None:
        self.prompts = PromptTable()
        self.prompts.setFixedHeight(self.fontMetrics().lineSpacing() * 9)
        self.use_platemap = QCheckBox("use the plate map")
        self.use_platemap.setChecked(True)
        self.use_platemap.setToolTip(
            "Word mechanisms with compounds that the plate map lists under them.\n"
            "Answers then rest on its labels, and say so."
        )
        self.combine = QComboBox()
        self.combine.addItem("mean of prompts", "mean")
        self.combine.addItem("best prompt", "max")
        self.combine.setToolTip("How several prompts become one score")
        self.again = QPushButton("Ask with these prompts")
        self.editor = QWidget()
        inner = QVBoxLayout(self.editor)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.prompts)
        row = QHBoxLayout()
        row.addWidget(self.use_platemap, 1)
        row.addWidget(self.combine)
        row.addWidget(self.again)
        inner.addLayout(row)
        self.editor.hide()

    def value(self) -> Question:
        """The question as typed."""
        return Question(
            self.line.text(),
            combine=self.combine.currentData(),
            use_platemap=self.use_platemap.isChecked(),
        )

    def setValue(self, question: Question) -> None:
        """Type a question without asking it."""
        self.line.setText(question.text)
        self.combine.setCurrentIndex(self.combine.findData(question.combine))
        self.use_platemap.setChecked(question.use_platemap)

    def ask(self) -> None:
        """Ask what is typed."""
        last = self.session.questions[-1] if self.session.questions else None
        if last is not None and last.like and last.text == self.line.text().strip():
            self.session.ask_like(last.like, last.but_not)
            return
        question = self.value()
        self.session.ask(question.text, combine=question.combine, use_platemap=question.use_platemap)

    def ask_with_prompts(self) -> None:
        """Ask with the prompts as ticked and edited."""
        prompts = self.prompts.value()
        if any(prompt.on for prompt in prompts):
            text = self.line.text() or prompts[0].text
            self.session.ask(text, prompts, combine=self.combine.currentData())

    def _ask_like(self) -> None:
        self.session.ask_like(sorted(self.session.selection.ids))

    def _ask_unlike(self) -> None:
        last = self.session.questions[-1]
        self.session.ask_like(last.like, sorted(self.session.selection.ids - set(last.like)))

    def _selected(self, ids: frozenset[str]) -> None:
        last = self.session.questions[-1] if self.session.questions else None
        self.like.setEnabled(bool(ids))
        self.unlike.setEnabled(last is not None and bool(last.like) and bool(ids - set(last.like)))

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

    def _rate_chosen(self, percent: float) -> None:
        self.session.look(fdr=percent / 100)
        self.session.ask_again()

    def _lit_by_chosen(self) -> None:
        self.session.look(lit_by=self.lit_by.currentData())

    def _view_changed(self, _view: object) -> None:
        view = self.session.view
        for editor, value in ((self.threshold, view.threshold), (self.rate, 100 * view.fdr)):
            if editor.value() != value:
                editor.blockSignals(True)
                editor.setValue(value)
                editor.blockSignals(False)
        self.lit_by.setCurrentIndex(self.lit_by.findData(view.lit_by))
        self.threshold.setVisible(not self.session.judged)

    def _answer_changed(self) -> None:
        answer = self.session.answer
        count = len(answer.prompts) if answer is not None else 0
        if answer is None:
            self.sent.setText("no question asked yet")
        elif count:
            self.sent.setText(f"sent: {count} prompt{'' if count == 1 else 's'}")
        else:
            self.sent.setText("no prompt: by example")
        self.sent.setEnabled(count > 0)
        self.prompts.setValue(answer.sent if answer is not None else ())
        notes = list(answer.notes) if answer is not None else []
        self.verdict.setText(f"<b>{escape(answer.verdict)}</b>" if answer is not None else "")
        self.verdict.setToolTip(traced(answer))
        self.lit_by.setEnabled(answer is not None and answer.match is not None)
        self.threshold.setVisible(not self.session.judged)
        self.notes.setText(" ".join(notes))
        self.notes.setVisible(bool(notes))
        self._selected(self.session.selection.ids)

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.ASK:
            self.button.setEnabled(work is None)
            self.button.setText("Ask" if work is None else "Asking …")


def traced(answer: Answer | None) -> str:
    """What a verdict rests on, a line for each figure."""
    if answer is None or not answer.null:
        return ""
    return "\n".join(
        f"{name.replace('_', ' ')}: {value}" for name, value in answer.null.items() if value != ""
    )
