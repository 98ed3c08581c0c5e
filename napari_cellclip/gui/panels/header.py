"""The top of the window: which plate, which screen, which model, and the work that is running."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from napari_cellclip.gui.panels.listen import listen
from napari_cellclip.gui.panels.menu_button import MenuButton
from napari_cellclip.gui.panels.open_menus import fill_models, fill_plates, fill_screens
from napari_cellclip.gui.panels.status_line import StatusLine
from napari_cellclip.gui.plain_text import PlainLabel, plain
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.wells import counted

BADGE = "border-radius: 3px; padding: 1px 5px; background: #b25e00; color: white;"
NO_PLATE = "Open a plate"
NO_SCREEN = "No screen"
LEAST_SHARE = 110
"""Least share of the line that a button has, beside the widths in pixels that the others ask for."""
SCREEN_SHARE = 160
"""Most of the line that a screen asks for: its name is long where the program chose it."""
PLATE_TIP = "Open a plate: a folder, a recent one, or the sample"
SCREEN_TIP = "Open a screen: one of this plate, a recent one, or a folder"
MODEL_TIP = "Choose the model to encode with"


class Header(QWidget):
    """Two lines of fixed height: plate, screen and model with their menus, then messages and running work.

    Parameters
    ----------
    session : Session
        Read, and sent requests.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.session = session
        self.plate = MenuButton("Plate", self._fill_plates)
        self.screen_button = MenuButton("Screen", self._fill_screens)
        self.model = MenuButton("Model", self._fill_models)
        self.badge = PlainLabel("simulated")
        self.badge.setStyleSheet(BADGE)
        policy = self.badge.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.badge.setSizePolicy(policy)
        self.status = StatusLine(session)
        self._line = QHBoxLayout()
        self._line.setSpacing(4)
        for button in (self.plate, self.screen_button, self.model):
            self._line.addWidget(button)
        self._line.addWidget(self.badge)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._line)
        layout.addWidget(self.status)
        listen(self, session.plate_changed, self.refresh)
        listen(self, session.screen_changed, self.refresh)
        listen(self, session.view_changed, self._view_changed)
        listen(self, session.setup.changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Name plate, screen and model."""
        self._name_plate()
        screen = self.session.screen
        if screen is None:
            found = len(self.session.setup.screens)
            self.screen_button.set_name(f"{counted(found, 'screen')} found" if found else NO_SCREEN)
            self.screen_button.setToolTip(SCREEN_TIP)
        else:
            self.screen_button.set_name(screen.name)
            self.screen_button.setToolTip(plain(f"{screen.path}\n{SCREEN_TIP}"))
        card = screen.card if screen is not None else None
        if card is None:
            self.model.set_name(self.session.setup.model or "Model")
            self.model.setToolTip(MODEL_TIP)
        else:
            self.model.set_name(" · ".join(t for t in (card.name, card.licence) if t))
            described = f"{card.title}\n{card.description}\nTrained on: {card.trained_on}"
            self.model.setToolTip(plain(f"{described}\nLimits: {card.limits}\n{MODEL_TIP}"))
        for button in (self.plate, self.screen_button, self.model):  # each as wide as its name asks for
            most = SCREEN_SHARE if button is self.screen_button else button.needed()
            self._line.setStretchFactor(button, max(min(button.needed(), most), LEAST_SHARE))
        what = simulated(self.session)
        sentence = simulation_sentence(self.session)
        own = "To use your own plates, drop their folder here and choose another model under Set-up."
        self.badge.setToolTip(plain(f"{sentence} {own}"))
        self.badge.setText("simulated" if len(what) > 1 else f"simulated {' '.join(what)}".strip())
        self.badge.setVisible(bool(what))

    def _name_plate(self) -> None:
        session, table = self.session, self.session.wells
        name = session.view.plate or (str(table["plate"].iat[0]) if len(table) else None)
        if name is None:
            self.plate.set_name(NO_PLATE)
            self.plate.setToolTip(PLATE_TIP)
            return
        parts = ["", counted(int((table["plate"] == name).sum()), "well")]
        if session.plate is not None and session.plate.name == name:
            parts.append(counted(len(session.plate.sites), "site"))
        elif session.screen is not None:
            parts.append("no images")
        self.plate.set_name(name, " · ".join(parts))
        self.plate.setToolTip(plain(f"{self.plate.name()}\n{PLATE_TIP}"))

    def _fill_plates(self, menu: QMenu) -> None:
        fill_plates(menu, self.session, self)

    def _fill_screens(self, menu: QMenu) -> None:
        fill_screens(menu, self.session, self)

    def _fill_models(self, menu: QMenu) -> None:
        fill_models(menu, self.session, self)

    def _view_changed(self, _view: object) -> None:
        self._name_plate()


def is_simulated(path: Path) -> bool:
    """Tell whether a plate folder is marked as simulated."""
    return any((folder / "simulated.json").is_file() for folder in (path, path.parent))


def simulated(session: Session) -> tuple[str, ...]:
    """Name which of plate and model are simulations."""
    plate, screen = session.plate, session.screen
    found = {
        "plate": plate is not None and is_simulated(plate.path),
        "model": screen is not None and screen.card.simulated,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def simulation_sentence(session: Session) -> str:
    """Say which of plate and model are simulations; empty where neither is."""
    what = simulated(session)
    if not what:
        return ""
    these = " and the ".join(what) + (" are simulations." if len(what) > 1 else " is a simulation.")
    return f"This shows the program, not biology: the {these}"
