"""The top of the window: the query, its verdict, the prompts sent, and which wells are highlighted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.popup import Popup
from napari_cellclip.gui.panels.query.evidence_button import EvidenceButton, EvidenceOptions
from napari_cellclip.gui.panels.query.highlight_box import FdrBox, HighlightBox
from napari_cellclip.gui.panels.query.prompt_editor import PromptEditor
from napari_cellclip.gui.panels.query.query_line import ExampleButton, QueryLine
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.gui.state.references import gate_sentence
from napari_cellclip.gui.state.requests import AskRequest, Request
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import counted

if TYPE_CHECKING:
    from napari_cellclip.explore import Answer

BY_EXAMPLE = "example wells"
"""What an answer by example rests on."""


NOT_ASKED = "Not asked of this screen yet: press Ask."


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
        self.sent.setToolTip("Show and edit the prompts that were sent to the model")
        self.evidence = EvidenceButton(session)
        self.fdr = FdrBox(session)
        self.verdict = PlainElidingLabel()
        self.verdict.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.verdict.setMinimumWidth(20 * self.fontMetrics().averageCharWidth())
        self.verdict.setStyleSheet("font-weight: bold;")
        self.reason = PlainElidingLabel()
        self.reason.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reason.setMinimumWidth(20 * self.fontMetrics().averageCharWidth())
        self.info = QToolButton()
        self.info.setToolTip("Show what limits this answer")
        self.highlight = HighlightBox(session)
        self.editor = PromptEditor()
        self.editor_popup = Popup(self.editor, self)
        self.notes = PlainLabel()
        self.notes.setWordWrap(True)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notes_popup = Popup(self.notes, self)
        self._lay_out()
        self._opened = QTimer(self)  # a plate and its screen are opened one after the other
        self._opened.setSingleShot(True)
        self._opened.timeout.connect(self._drop_question_of_before)

        self.line.returnPressed.connect(self.ask)
        self.line.textChanged.connect(self._text_changed)
        self.button.clicked.connect(self.ask)
        self.sent.clicked.connect(self._open_editor)
        self.info.clicked.connect(self._open_notes)
        self.editor.submitted.connect(self.ask_with_prompts)
        listen(self, session.answer_changed, self._answer_changed)
        listen(self, session.screen_changed, self._screen_changed)
        listen(self, session.requested, self._requested)
        self.editor.table.valueChanged.connect(session.prompts.edit)
        listen(self, session.prompts.changed, self._show_prompts)
        if (last := session.questions.last) is not None and session.answer is not None:
            self.setValue(last)
        self._show_prompts()
        self._answer_changed()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        first, second, third, fourth = QHBoxLayout(), QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.line, 1)
        first.addWidget(self.button)
        first.addWidget(self.example)
        second.addWidget(self.verdict, 1)
        second.addWidget(self.info)
        third.addWidget(self.evidence)
        third.addWidget(self.reason, 1)
        fourth.addWidget(self.sent)
        fourth.addStretch(1)
        fourth.addWidget(self.fdr)
        fourth.addWidget(self.highlight)
        for row in (first, second, third, fourth):
            layout.addLayout(row)

    def value(self) -> AskRequest:
        """Return the query as typed."""
        return self.session.questions.of(self.line.text(), **self.editor.options())

    def setValue(self, query: AskRequest) -> None:
        """Type a query without asking it."""
        self.line.setText(query.text)
        self.editor.set_options(query.combine)
        self.evidence.setValue(EvidenceOptions(query.evidence, query.structures, query.use_platemap))

    def ask(self) -> None:
        """Ask what is typed; the text of a query by example asks for the same examples again."""
        last = self.session.questions.last
        if last is not None and last.like and last.text == self.line.text().strip():
            self.session.request(last)
        else:
            self.session.request(self.value())

    def ask_with_prompts(self) -> None:
        """Ask with the prompts as ticked and edited."""
        prompts = self.editor.value()
        self.editor_popup.hide()
        if any(prompt.on for prompt in prompts):
            text = self.line.text() or prompts[0].text
            combine = self.editor.options()["combine"]
            self.session.request(AskRequest(text, prompts, combine=combine))

    def _text_changed(self) -> None:
        self.valueChanged.emit(self.value())
        if self.session.answer is None:
            self._show_reason()

    def _screen_changed(self) -> None:
        self._opened.start()

    def _drop_question_of_before(self) -> None:
        """Clear a question of an earlier plate that cannot be asked of what is open now."""
        last, session = self.session.questions.last, self.session
        if self._is_left_over() and (session.screen is None or (last is not None and last.like)):
            self.line.clear()
        self._show_reason()

    def _is_left_over(self) -> bool:
        """Tell whether what is typed was asked, of something that is not open any more."""
        last, session = self.session.questions.last, self.session
        asked = last is not None and last.text == self.line.text().strip()
        return asked and session.answer is None and session.work(Task.ASK) is None

    def _requested(self, request: Request) -> None:
        if not isinstance(request, AskRequest) or request.text.strip() == self.line.text().strip():
            return
        asked = self.session.asked
        if asked is None or asked.text != request.text:  # one asked again leaves what is being typed
            self.setValue(request)

    def _open_editor(self) -> None:
        self.editor_popup.open_below(self.sent, self.width())

    def _open_notes(self) -> None:
        self.notes_popup.open_below(self.info, self.width())

    def _show_prompts(self) -> None:
        if self.editor.value() != (prompts := self.session.prompts.value):
            self.editor.setValue(prompts)

    def _answer_changed(self) -> None:
        answer = self.session.answer
        count = len(answer.prompts) if answer is not None else 0
        if answer is None:
            self.sent.setText("No query yet")
        else:
            self.sent.setText(f"{counted(count, 'prompt')} sent" if count else "No prompt")
        self.sent.setEnabled(count > 0)
        notes = list(answer.notes) if answer is not None else []
        self.verdict.setText(answer.verdict if answer is not None else "")
        self.verdict.setToolTip(plain(traced(answer)))
        self._show_reason()
        self.notes.setText("\n".join(notes))
        self.info.setText(counted(len(notes), "note") if notes else "No notes")
        self.info.setEnabled(bool(notes))

    def _show_reason(self) -> None:
        """Say what the answer rests on, or that what is typed has none here."""
        answer = self.session.answer
        reason = reason_sentence(answer)
        if self.session.screen is not None and self._is_left_over():
            reason = NOT_ASKED
        self.reason.setText(reason)
        self.reason.setToolTip(plain("\n".join([reason, *(answer.notes if answer is not None else ())])))


def reason_sentence(answer: Answer | None) -> str:
    """Explain what an answer rests on, and why; that references are not recognisable comes first."""
    if answer is None:
        return ""
    parts = [f"By {answer.evidence}.", answer.evidence_reason]
    if answer.evidence == BY_EXAMPLE:
        parts.append("They and their replicates are not tested.")
    if answer.references is not None and not answer.references.recognisable.open:
        parts.insert(0, gate_sentence(answer.references.recognisable))
    return " ".join(part for part in parts if part)


def traced(answer: Answer | None) -> str:
    """Verdict and what it rests on, a line for each figure."""
    return "\n".join([answer.verdict, *_figures(answer.null)]) if answer is not None else ""


def _figures(null: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in null.items():
        title = name.replace("_", " ")
        if isinstance(value, dict):  # of words and of look-alikes, where both take part
            lines += [f"{title}, {line}" for line in _figures(value)]
        elif value != "":
            lines.append(f"{title}: {value}")
    return lines
