"""The bar beside the canvas: one stain alone, the composite, contrast, mosaic, wells beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import Qt
from qtpy.QtGui import QActionGroup, QColor, QIcon, QPixmap
from qtpy.QtWidgets import QApplication, QFrame, QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.theme import Dressed
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.state.requests import MapPictureRequest
from napari_cellclip.vocabulary import STAINS, Stain, split_id

if TYPE_CHECKING:
    from psygnal import SignalInstance

    from napari_cellclip.gui.canvas.field_layers import FieldLayers
    from napari_cellclip.gui.state.canvas_view import CanvasState, CanvasView
    from napari_cellclip.gui.state.session import Session

MOST_BESIDE = 3
"""Wells that fit beside the one that is shown."""


class StainButton(QToolButton):
    """Draws its stain alone; with Shift, adds it to the composite or takes it out."""

    def __init__(self, stain: Stain, number: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stain = stain
        self.setText(f"{stain.value} {number}")
        self.setCheckable(True)
        square = QPixmap(10, 10)
        square.fill(QColor(stain.colour))
        self.setIcon(QIcon(square))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        tip = (
            f"Draw {stain.value} alone, in grey: {stain.target} (key {number}); again for the composite.\n"
            "Shift-click adds the stain to the composite or takes it out."
        )
        self.setToolTip(plain(tip))


class CanvasBar(Dressed):
    """Buttons for what the canvas draws; its state is that of the canvas, both ways.

    Parameters
    ----------
    session : Session
        Says which well is shown and which are selected.
    view : CanvasView
        State of the canvas, read and changed.
    fields : FieldLayers
        Says which stains there are; held weakly, as the canvas owns it.
    drawn : psygnal.SignalInstance
        Emitted when other fields are on the canvas.
    """

    def __init__(
        self,
        session: Session,
        view: CanvasView,
        fields: FieldLayers,
        drawn: SignalInstance,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Canvas")
        self._fields = ref(fields)
        self._view, self.session = view, session
        self.stains = {stain: StainButton(stain, n) for n, stain in enumerate(STAINS, 1)}
        self.composite = self._button("Composite", "Draw the chosen stains together, in colour (key 0)")
        self.contrast = self._button(
            "Contrast: plate",
            "One contrast for the whole plate and source, so that wells can be compared;\n"
            "press for the contrast of each well alone",
        )
        self.mosaic = self._button("Mosaic", "Draw all sites of the well where the stage was")
        self.plate = QToolButton()
        self.plate.setText("Plate")
        self.plate.setToolTip("Draw the whole plate: the thumbnail of each encoded well at its place")
        self.versus = self._button(
            "Versus",
            "Draw the well beside the nearest negative control of its plate, at equal contrast,\n"
            "with linked cameras; the arrow offers four wells, or those selected",
        )
        menu = QMenu(self.versus)
        self.group = QActionGroup(menu)
        self.choices = {}
        for key, text, tip in (
            ("control", "Nearest negative control", "Two wells: this one and its matched control"),
            ("four", "Replicate and two controls", "Four wells: this one, a replicate and two controls"),
            ("selected", "Selected wells", "This well and up to three of those selected on its plate"),
        ):
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setToolTip(plain(tip))
            action.setData(key)
            self.group.addAction(action)
            self.choices[key] = action
        self.choices["control"].setChecked(True)
        menu.setToolTipsVisible(True)
        self.versus.setMenu(menu)
        self.versus.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(3)
        for widget in (*self.stains.values(), self.composite, None, self.contrast, None):
            layout.addWidget(widget if widget is not None else self._line())
        layout.addWidget(self.mosaic)
        layout.addWidget(self.versus)
        layout.addWidget(self.plate)
        layout.addStretch(1)

        for button in self.stains.values():
            button.clicked.connect(self._stain_clicked)
        self.composite.clicked.connect(self._composite_clicked)
        self.contrast.clicked.connect(self._contrast_clicked)
        self.mosaic.clicked.connect(self._mosaic_clicked)
        self.versus.clicked.connect(self._versus_clicked)
        self.plate.clicked.connect(self._plate_clicked)
        self.group.triggered.connect(self._beside_chosen)
        listen(self, self._view.changed, self._changed)
        listen(self, drawn, self.refresh)
        listen(self, session.screen_changed, self.refresh)
        self.refresh()

    def value(self) -> CanvasState:
        """Return what the canvas shows."""
        return self._view.state

    def refresh(self) -> None:
        """Show the state of the canvas."""
        state, fields = self._view.state, self._fields()
        there = fields.stains if fields is not None else ()
        drawn = self._view.drawn(there)
        for stain, button in self.stains.items():
            button.setEnabled(stain in there)
            button.setChecked(stain in drawn)
        self.composite.setChecked(state.solo is None and bool(there))
        self.contrast.setText(f"Contrast: {state.contrast}")
        self.contrast.setChecked(state.contrast == "well")
        self.mosaic.setChecked(state.arranged == "mosaic")
        self.versus.setChecked(state.arranged == "versus")
        for button in (self.composite, self.contrast, self.mosaic, self.versus):
            button.setEnabled(bool(there))
        self.plate.setEnabled(self.session.screen is not None)

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(plain(tip))
        button.setCheckable(True)
        return button

    def _line(self) -> QFrame:
        line = QFrame()
        line.setFrameShape(QFrame.Shape.VLine)
        return line

    def _changed(self, _before: Any, _now: Any) -> None:
        self.refresh()

    def _stain_clicked(self) -> None:
        button: Any = self.sender()
        if QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._view.toggle(button.stain)
        else:
            self._view.solo(button.stain)
        self.refresh()

    def _composite_clicked(self) -> None:
        self._view.solo(None)
        self.refresh()

    def _contrast_clicked(self) -> None:
        self._view.look(contrast="plate" if self._view.state.contrast == "well" else "well")

    def _mosaic_clicked(self) -> None:
        self._view.look(arranged="field" if self._view.state.arranged == "mosaic" else "mosaic")

    def _plate_clicked(self) -> None:
        self.session.request(MapPictureRequest("plate"))

    def _versus_clicked(self) -> None:
        if self._view.state.arranged == "versus":
            self._view.look(arranged="field", beside=(), count=2)
        else:
            self._beside_chosen()

    def _beside_chosen(self, _action: object = None) -> None:
        chosen, shown = self.group.checkedAction().data(), self.session.shown_well
        beside: tuple[str, ...] = ()
        if chosen == "selected" and shown is not None:
            plate = split_id(shown)[0]
            others = [i for i in sorted(self.session.selection.ids) if split_id(i)[0] == plate and i != shown]
            beside = tuple(others[:MOST_BESIDE])
        count = 4 if chosen == "four" or len(beside) > 1 else 2
        self._view.look(arranged="versus", beside=beside, count=count)
        self.refresh()
