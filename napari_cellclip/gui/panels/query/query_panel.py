"""The top of the window: the query, its verdict, the prompts sent, and which wells are highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.query.highlight_box import FdrBox, HighlightBox
from napari_cellclip.gui.panels.query.prompt_editor import PromptEditor
from napari_cellclip.gui.panels.query.query_line import ExampleButton, QueryLine
from napari_cellclip.gui.state.requests import AskRequest, Request
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer


class QueryPanel(QWidget):
    """Ask, read the verdict, see and edit the prompts that were sent, choose which wells are highlighted.

    The value is the query as typed.

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
        self.button = QPushButton("Ask")
        self.button.setToolTip("Ask the encoded plate (Enter)")
        self.example = ExampleButton(session)
        self.sent = QToolButton()
        self.sent.setCheckable(True)
        self.sent.setArrowType(Qt.ArrowType.RightArrow)
        self.sent.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.sent.setToolTip("Show and edit the prompts that were sent to the model")
        self.fdr = FdrBox(session)
        self.verdict = QElidingLabel()
        self.verdict.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.verdict.setMinimumWidth(20 * self.fontMetrics().averageCharWidth())
        self.verdict.setStyleSheet("font-weight: bold;")
        self.highlight = HighlightBox(session)
        self.editor = PromptEditor()
        self.editor.hide()
        self.notes = QLabel()
        self.notes.setTextFormat(Qt.TextFormat.PlainText)
        self.notes.setWordWrap(True)
        self.notes.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._lay_out()

        self.line.returnPressed.connect(self.ask)
        self.line.textChanged.connect(self._text_changed)
        self.button.clicked.connect(self.ask)
        self.sent.toggled.connect(self._unfold)
        self.editor.submitted.connect(self.ask_with_prompts)
        listen(self, session.answer_changed, self._answer_changed)
        listen(self, session.requested, self._requested)
        listen(self, session.work_changed, self._work_changed)
        if session.history and session.answer is not None:
            self.setValue(session.history[-1])
        self._answer_changed()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        first, second, third = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.line, 1)
        first.addWidget(self.button)
        first.addWidget(self.example)
        second.addWidget(self.sent)
        second.addStretch(1)
        second.addWidget(self.fdr)
        third.addWidget(self.verdict, 1)
        third.addWidget(self.highlight)
        for row in (first, second, third):
            layout.addLayout(row)
        layout.addWidget(self.editor)
        layout.addWidget(self.notes)

    def value(self) -> AskRequest:
        """The query as typed."""
        return AskRequest(self.line.text(), **self.editor.options())

    def setValue(self, query: AskRequest) -> None:
        """Type a query without asking it."""
        self.line.setText(query.text)
        self.editor.set_options(query.combine, query.use_platemap)

    def ask(self) -> None:
        """Ask what is typed; the text of a query by example asks for the same examples again."""
        last = self.session.history[-1] if self.session.history else None
        if last is not None and last.like and last.text == self.line.text().strip():
            self.session.request(last)
        else:
            self.session.request(self.value())

    def ask_with_prompts(self) -> None:
        """Ask with the prompts as ticked and edited."""
        prompts = self.editor.value()
        if any(prompt.on for prompt in prompts):
            text = self.line.text() or prompts[0].text
            combine = self.editor.options()["combine"]
            self.session.request(AskRequest(text, prompts, combine=combine))

    def _text_changed(self) -> None:
        self.valueChanged.emit(self.value())

    def _requested(self, request: Request) -> None:
        if isinstance(request, AskRequest) and request.text.strip() != self.line.text().strip():
            self.setValue(request)

    def _unfold(self, unfolded: bool) -> None:
        self.sent.setArrowType(Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow)
        self.editor.setVisible(unfolded)

    def _answer_changed(self) -> None:
        answer = self.session.answer
        count = len(answer.prompts) if answer is not None else 0
        if answer is None:
            self.sent.setText("No query yet")
        elif count:
            self.sent.setText(f"{counted(count, 'prompt')} sent")
        else:
            self.sent.setText("By example, no prompt")
        self.sent.setEnabled(count > 0)
        self.editor.setValue(answer.sent if answer is not None else ())
        notes = list(answer.notes) if answer is not None else []
        self.verdict.setText(answer.verdict if answer is not None else "")
        self.verdict.setToolTip(evidence(answer))
        self.notes.setText(" ".join(notes))
        self.notes.setVisible(bool(notes))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task == Task.ASK:
            self.button.setEnabled(work is None)
            self.button.setText("Ask" if work is None else "Asking …")


def evidence(answer: Answer | None) -> str:
    """Verdict and what it rests on, a line for each figure."""
    if answer is None:
        return ""
    figures = [f"{name.replace('_', ' ')}: {value}" for name, value in answer.null.items() if value != ""]
    return "\n".join([answer.verdict, *figures])
