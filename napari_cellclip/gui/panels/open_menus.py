"""The menus of the top line: plates, screens and models to open or to choose."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMenu, QWidget

from napari_cellclip.gui.panels.menu_button import literal
from napari_cellclip.gui.panels.setup.gallery_dialog import GalleryDialog
from napari_cellclip.gui.plain_text import plain
from napari_cellclip.gui.recent import read_recent
from napari_cellclip.gui.state.requests import OpenRequest, OpenSampleRequest, Request
from napari_cellclip.gui.state.session import Session

ADDRESS = "Where the screen lies, such as s3://bucket/screen, gs://… or az://…"
TABLES = "Image tables (*load_data*.csv *load_data*.csv.gz *.csv *.gz Index*.xml)"


def fill_plates(menu: QMenu, session: Session, parent: QWidget) -> None:
    """Offer to open a plate by folder or file, the sample, and the plates opened last."""

    def folder() -> None:
        if path := QFileDialog.getExistingDirectory(parent, "Open a plate folder"):
            session.request(OpenRequest(Path(path)))

    def file() -> None:
        path, _ = QFileDialog.getOpenFileName(parent, "Open the file that lists a plate's images", "", TABLES)
        if path:
            session.request(OpenRequest(Path(path)))

    menu.addAction("Open plate folder …", folder)
    menu.addAction("Open load_data.csv or Index.xml …", file)
    menu.addAction("Find in the Cell Painting Gallery …", lambda: GalleryDialog(session, parent).show())
    menu.addAction("Open sample plate (simulated)", lambda: session.request(OpenSampleRequest()))
    _recent(menu, session, [p.path for p in read_recent().plates], "No recent plates")


def fill_screens(menu: QMenu, session: Session, parent: QWidget) -> None:
    """Offer the screens found of the open plate, then to open another, and those opened last."""

    def folder() -> None:
        if path := QFileDialog.getExistingDirectory(parent, "Open a screen folder"):
            session.request(OpenRequest(Path(path)))

    def address() -> None:
        text, given = QInputDialog.getText(parent, "Open a screen in an object store", ADDRESS)
        if given and text.strip():
            session.request(OpenRequest(Path(text.strip())))

    found = session.setup.screens
    if found:
        menu.addSection("Of this plate")
        for screen in found:
            action = menu.addAction(literal(f"{screen.path.name} · {screen.model}"))
            action.setToolTip(plain(str(screen.path)))
            action.setCheckable(True)
            action.setChecked(session.screen is not None and session.screen.path == screen.path)
            _request_on(action, session, OpenRequest(screen.path))
        menu.addSeparator()
    menu.addAction("Open screen folder …", folder)
    menu.addAction("Open screen at an address …", address)
    paths = {screen.path for screen in found}
    _recent(
        menu, session, [p.path for p in read_recent().screens if p.path not in paths], "No recent screens"
    )


def fill_models(menu: QMenu, session: Session, parent: QWidget) -> None:
    """Offer the models known here and model folders; one with a screen of this plate opens that screen."""
    from napari_cellclip.model import image_cards

    def folder() -> None:
        if path := QFileDialog.getExistingDirectory(parent, "Choose a model folder"):
            session.setup.choose_model(path)

    screens = {screen.model: screen for screen in reversed(session.setup.screens)}
    now = session.screen.card.name if session.screen is not None else session.setup.model
    for name, card in image_cards().items():
        encoded = screens.get(card.name)
        action = menu.addAction(literal(f"{card.title or name}{' · encoded' if encoded else ''}"))
        action.setToolTip(plain(f"{card.description}\nLicence: {card.licence}"))
        action.setCheckable(True)
        action.setChecked(now in (name, card.name))
        if encoded is not None:
            _request_on(action, session, OpenRequest(encoded.path))
        else:
            action.triggered.connect(lambda _checked=False, name=name: session.setup.choose_model(name))
    menu.addSeparator()
    menu.addAction("Model folder …", folder)


def _recent(menu: QMenu, session: Session, paths: list[Path], none: str) -> None:
    menu.addSection("Recent")
    if not paths:
        menu.addAction(none).setEnabled(False)
    for path in paths:
        action = menu.addAction(literal(path.name))
        action.setToolTip(plain(str(path)))
        _request_on(action, session, OpenRequest(path))


def _request_on(action: object, session: Session, request: Request) -> None:
    action.triggered.connect(lambda _checked=False: session.request(request))  # type: ignore[attr-defined]
