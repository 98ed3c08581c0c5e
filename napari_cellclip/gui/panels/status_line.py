"""The second line of the window: the newest message, or what to do next, and the work that is running."""

from __future__ import annotations

from time import monotonic

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QToolButton, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.next_step import next_step
from napari_cellclip.gui.panels.popup import Popup
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.gui.state.requests import CancelRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work

ORDER = (Task.ENCODE, Task.SAMPLE, Task.OPEN, Task.EXPORT, *Task)
"""Which work is named first where several kinds are running."""

BESIDE_WORK = 0.45
"""Share of the line that a message has while work is running."""

STARTED_BY_HAND = (Task.OPEN, Task.SAMPLE, Task.ENCODE, Task.ASK, Task.FIELD)
"""Work whose start closes the message of what was done before."""


AT_ONCE = (Task.ASK, Task.FIELD)
"""Work that is mostly over at once: it is named only if it is not, or the line would flicker."""

SOON = 70
"""Milliseconds after which such work is named; feedback shall take 100 at most."""


class StatusLine(QWidget):
    """One line of fixed height: a message at the left, running work at the right. Nothing moves it.

    While there is neither, it says what can be done next.

    Parameters
    ----------
    session : Session
        Read, and sent requests to cancel.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.dismiss = QToolButton()
        self.dismiss.setText("×")
        self.dismiss.setAutoRaise(True)
        self.dismiss.setAccessibleName("Close this message")
        self.dismiss.setToolTip("Close this message")
        self.message = PlainElidingLabel()
        self.message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.message.setAccessibleName("Message")
        self.more = QToolButton()
        self.more.setText("…")
        self.more.setAccessibleName("Whole message")
        self.more.setAutoRaise(True)
        self.more.setToolTip("Read the whole message")
        self.job = PlainElidingLabel()
        self.job.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.job.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(10 * self.fontMetrics().averageCharWidth())
        self.progress.setFixedHeight(self.fontMetrics().height() // 2)
        self.progress.setToolTip("How far the running work is")
        self.cancel = QToolButton()
        self.cancel.setText("■")
        self.cancel.setAccessibleName("Cancel")
        self.cancel.setToolTip("Cancel the running work")
        whole = PlainLabel()
        whole.setWordWrap(True)
        whole.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.whole, self.popup = whole, Popup(whole, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.message, 3)
        layout.addWidget(self.job, 2)
        layout.addWidget(self.progress)
        layout.addWidget(self.cancel)
        layout.addWidget(self.more)
        layout.addWidget(self.dismiss)
        for widget in (self.dismiss, self.more, self.progress, self.cancel):
            policy = widget.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            widget.setSizePolicy(policy)
        self.setFixedHeight(self.cancel.sizeHint().height())
        self._task: Task | None = None
        self._begun: tuple[float, int] = (0.0, 0)
        self._messenger = ""
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._show_work)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON)
        self._soon.timeout.connect(self._show_work)
        self.dismiss.clicked.connect(self.clear)
        self.more.clicked.connect(self._read_whole)
        self.cancel.clicked.connect(self._cancel)
        listen(self, session.message, self.show_message)
        listen(self, session.work_changed, self._work_changed)
        for signal in (session.plate_changed, session.screen_changed, session.answer_changed):
            listen(self, signal, self._show_next_step)
        self.clear()
        self._show_work()

    def show_message(self, task: str, message: str) -> None:
        """Show one sentence until it is closed or other work is started."""
        self._messenger = task
        self.whole.setText(message)
        self.message.setEnabled(bool(message))  # quiet where it is only what can be done next
        self.message.setText(message or next_step(self.session))
        self.message.setToolTip(plain(self.message.text()))
        self.dismiss.setVisible(bool(message))
        self._share_line()
        wide = self.message.fontMetrics().horizontalAdvance(message) > BESIDE_WORK * self.width()
        self.more.setVisible(bool(message) and wide)

    def _share_line(self) -> None:
        """Leave the line to running work where there is no message: what comes next can wait."""
        self.message.setVisible(bool(self.whole.text()) or self.job.isHidden())

    def clear(self) -> None:
        """Show no message."""
        self.show_message("", "")

    def _show_next_step(self) -> None:
        if not self.whole.text():
            self.clear()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self.show_message(self._messenger, self.whole.text())

    def _read_whole(self) -> None:
        self.popup.open_below(self.message, self.width())

    def _cancel(self) -> None:
        if self._task is not None:
            self.session.request(CancelRequest(self._task))

    def _work_changed(self, task: str, work: Work | None) -> None:
        if work is not None and not work.done and task in STARTED_BY_HAND and task != self._task:
            self.clear()
        if task in AT_ONCE and work is not None and self._task is None:
            self._soon.start()
        else:
            self._show_work()

    def _show_work(self) -> None:
        self._soon.stop()
        running = [(task, work) for task in dict.fromkeys(ORDER) if (work := self.session.work(task))]
        for widget in (self.job, self.progress, self.cancel):
            widget.setVisible(bool(running))
        self._share_line()
        if not running:
            self._task = None
            self._clock.stop()
            self.job.setText("")
            self.job.setToolTip("")
            return
        task, work = running[0]
        if task != self._task or work.done < self._begun[1]:
            self._task, self._begun = task, (monotonic(), work.done)
            self._clock.start()
        text = " · ".join([work_text(work, self._left(work)), *(["and more"] if running[1:] else [])])
        self.job.setText(text)
        self.job.setToolTip(plain("\n".join(work_text(w) for _, w in running)))
        self.progress.setRange(0, work.total)
        self.progress.setValue(work.done)
        self.cancel.setToolTip(plain(f"Cancel: {work.message}"))

    def _left(self, work: Work) -> float | None:
        """Seconds to go at the speed so far; not known before two seconds have passed."""
        since, first = self._begun
        passed, done = monotonic() - since, work.done - first
        return passed / done * (work.total - work.done) if work.total and done > 0 and passed > 2 else None


def work_text(work: Work, left: float | None = None) -> str:
    """Say how far work is: ``Encoding P1 · 144 of 384 · 3 min left``."""
    parts = [work.message if work.total else f"{work.message} …"]
    if work.total:
        parts.append(f"{work.done} of {work.total}")
    if left is not None:
        parts.append(f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left")
    return " · ".join(parts)
