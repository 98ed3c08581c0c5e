"""The Set-up tab: from a folder to an encoded screen in four steps, each checked."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.menu_button import literal
from napari_cellclip.gui.panels.setup.encode_box import EncodeBox
from napari_cellclip.gui.panels.setup.plate_step import PlateStep
from napari_cellclip.gui.panels.setup.platemap_step import PlateMapStep
from napari_cellclip.gui.panels.setup.stain_step import StainStep
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.session import Session

STEPS = {
    "Plate": "Choose the plate, and how its files are read",
    "Stains": "Choose which channel of the files shows which stain",
    "Plate map": "Choose the table of what was done to each well",
    "Encode": "Choose a model, and encode the plate",
}
DONE, OPEN = "✓", "○"


class StepButton(QPushButton):
    """Number and title of a step, whether it is done, and what it came to."""

    def __init__(self, number: int, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = f"{number} {title}"
        self._result = ""
        self.setCheckable(True)
        self.setToolTip(plain(STEPS[title]))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("text-align: left; padding: 3px;")
        self.show_result("")

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(20 * metrics.averageCharWidth(), 2 * metrics.lineSpacing() + 8)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def show_result(self, result: str) -> None:
        """Say what the step came to; nothing where it is not done."""
        self._result = result
        self.setText(self._whole())

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.setText(self._whole())

    def _whole(self) -> str:
        wide = max(0, self.width() - 12)
        result = self.fontMetrics().elidedText(self._result, Qt.TextElideMode.ElideMiddle, wide)
        return literal(f"{DONE if self._result else OPEN} {self._title}\n{result}")


class SetupPanel(QWidget):
    """Four steps at the left, the fields of the chosen one at the right.

    Parameters
    ----------
    session : Session
        Read and written.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.plate = PlateStep(session)
        self.stains = StainStep(session)
        self.platemap = PlateMapStep(session)
        self.encode = EncodeBox(session)
        self.steps = (self.plate, self.stains, self.platemap, self.encode)
        self.stack = QStackedWidget()
        self.buttons = QButtonGroup(self)
        left = QVBoxLayout()
        left.setSpacing(2)
        for place, (title, step) in enumerate(zip(STEPS, self.steps, strict=True)):
            button = StepButton(place + 1, title)
            self.buttons.addButton(button, place)
            left.addWidget(button)
            scroll = QScrollArea()
            scroll.setWidgetResizable(True)
            scroll.setFrameShape(QScrollArea.Shape.NoFrame)
            scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields have it
            scroll.setWidget(step)
            self.stack.addWidget(scroll)
        left.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addLayout(left)
        layout.addWidget(self.stack, 1)
        self.buttons.idClicked.connect(self.go_to)
        self.stains.table.applied.connect(self._stains_applied)
        listen(self, session.plate_changed, self._plate_changed)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.setup.model_chosen, self._model_chosen)
        listen(self, session.setup.unread_table, self._columns_asked)
        self._plate: object = None
        self.go_to(0)
        self._plate_changed()

    def value(self) -> int:
        """Return the step that is shown, from 0."""
        return self.stack.currentIndex()

    def go_to(self, step: int) -> None:
        """Show a step; the focus, where it is on the set-up, goes to the button of the step."""
        if self.isAncestorOf(self.window().focusWidget() or self):
            self.buttons.button(step).setFocus(Qt.FocusReason.OtherFocusReason)
        self.stack.setCurrentIndex(step)
        self.buttons.button(step).setChecked(True)

    def refresh(self) -> None:
        """Mark the steps that are done."""
        for place, step in enumerate(self.steps):
            self.buttons.button(place).show_result(step.done())

    def _plate_changed(self) -> None:
        self.refresh()
        plate = self.session.plate
        if plate is not None and plate is not self._plate:
            undone = [place for place, step in enumerate(self.steps) if not step.done()]
            self.go_to(undone[0] if undone else len(self.steps) - 1)
        self._plate = plate

    def _stains_applied(self, _stains: object) -> None:
        """Keep the focus on the set-up: what had it is disabled, and made anew when the plate is open."""
        self.buttons.button(self.steps.index(self.stains)).setFocus(Qt.FocusReason.OtherFocusReason)

    def _model_chosen(self, _model: str) -> None:
        self.go_to(self.steps.index(self.encode))

    def _columns_asked(self, _path: object, _why: str) -> None:
        self.go_to(self.steps.index(self.platemap))
