"""What is open, and by which model: the top line of the Explorer, and its messages."""

from __future__ import annotations

from html import escape
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.plain_text import PlainElidingLabel, PlainLabel, plain
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task, Work
from napari_cellclip.gui.state.wells import counted

BADGE = "border-radius: 3px; padding: 1px 5px; background: #b25e00; color: white;"
FIRST_STEP = "Drop a plate folder here, or press Open sample."


class Header(QWidget):
    """Plate name, wells, sites; model with licence; a badge where plate or model are simulations.

    Parameters
    ----------
    session : Session
        Read only.
    first_step : str
        What to do while no plate is open.
    """

    def __init__(self, session: Session, first_step: str = FIRST_STEP, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._first_step = first_step
        self._shows_progress = False
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.session = session
        self.title = PlainElidingLabel()
        self.title.setStyleSheet("font-weight: bold;")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.model = PlainLabel()
        self.badge = PlainLabel("simulated")
        self.badge.setStyleSheet(BADGE)
        self.message = PlainLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.dismiss = QToolButton()
        self.dismiss.setText("×")
        self.dismiss.setToolTip("Close this message")
        self.dismiss.setAutoRaise(True)
        first = QHBoxLayout()
        first.addWidget(self.title, 1)
        first.addWidget(self.model)
        first.addWidget(self.badge)
        self.bar = QWidget()
        second = QHBoxLayout(self.bar)
        second.setContentsMargins(0, 0, 0, 0)
        second.addWidget(self.message, 1)
        second.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(first)
        layout.addWidget(self.bar)
        self.bar.hide()
        self.dismiss.clicked.connect(self.bar.hide)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.work_changed, self._work_changed)
        listen(self, session.message, self.show_message)
        self.refresh()

    def refresh(self) -> None:
        """Describe plate and model."""
        session, table = self.session, self.session.wells
        name = session.view.plate or (str(table["plate"].iat[0]) if len(table) else None)
        if name is None:
            title = f"No plate is open. {self._first_step}"
        else:
            here = table[table["plate"] == name]
            parts = [name, counted(len(here), "well")]
            if session.plate is not None and session.plate.name == name:
                parts.append(counted(len(session.plate.sites), "site"))
            elif session.screen is not None:
                parts.append("pixels not open")
            title = " · ".join(parts)
        self.title.setText(title)
        self.title.setToolTip(plain(title))
        card = session.screen.card if session.screen is not None else None
        self.model.setText(
            " · ".join(escape(t) for t in (card.name, card.licence) if t) if card is not None else ""
        )
        if card is not None:
            self.model.setToolTip(
                plain(
                    f"{card.title}\n{card.description}\nTrained on: {card.trained_on}\nLimits: {card.limits}"
                )
            )
        plate_simulated = session.plate is not None and is_simulated(session.plate.path)
        model_simulated = card is not None and card.simulated
        what = [w for w, is_so in (("plate", plate_simulated), ("model", model_simulated)) if is_so]
        self.badge.setText("simulated " + " + ".join(what))
        self.badge.setToolTip(
            plain(
                "This shows the program, not biology: the "
                + " and the ".join(what)
                + (" are simulations. " if len(what) > 1 else " is a simulation. ")
                + "To use your own plates, drop their folder here and choose another model on the Run tab."
            )
        )
        self.badge.setVisible(bool(what))

    def show_message(self, _task: str, message: str) -> None:
        """Show one sentence until it is closed or other work starts."""
        self._shows_progress = False
        self.message.setText(message)
        self.bar.setVisible(bool(message))

    def _view_changed(self, _view: object) -> None:
        self.refresh()

    def _work_changed(self, task: str, work: Work | None) -> None:
        if task in (Task.OPEN, Task.SAMPLE):
            count = f" {work.done} of {work.total}" if work is not None and work.total else ""
            if work is not None:
                self.show_message(task, f"{work.message} …{count}")
                self._shows_progress = True
            elif self._shows_progress:  # and never a message that came meanwhile
                self.show_message(task, "")
        elif work is not None and task in (Task.ASK, Task.ENCODE, Task.FIELD):
            self.bar.hide()


def is_simulated(path: Path) -> bool:
    """Whether a plate folder is marked as simulated."""
    return any((folder / "simulated.json").is_file() for folder in (path, path.parent))
