"""Fixtures of the gui's tests; what they are made of is in ``toy_screens.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_cellclip.gui.state.session import Session
from napari_cellclip.plates import Plate, PlateMap, open_plate
from tests.gui.toy_screens import FakeScreen, answer_for, projection_for, write_plate


@pytest.fixture(scope="session")
def plate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plate(tmp_path_factory.mktemp("plates") / "toy")


@pytest.fixture
def plate(plate_folder: Path) -> Plate:
    return open_plate(plate_folder)


@pytest.fixture
def platemap(plate_folder: Path) -> PlateMap:
    return PlateMap.read(plate_folder / "platemap.csv")


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def full_session(session: Session, plate: Plate, platemap: PlateMap) -> Session:
    """Plate, screen, map and an answer in which C06 and D04 match."""
    session.set_plate(plate, platemap)
    screen = FakeScreen.of(plate)
    session.set_screen(screen)
    session.add_map(projection_for(screen))
    session.answer = answer_for(screen, {"toy/C06": 9.0, "toy/D04": 5.0, "toy/E07": 1.0})
    return session


@pytest.fixture
def no_widget_left(qapp) -> Iterator[None]:
    """Fail where a test leaves top-level widgets behind."""
    from qtpy.QtWidgets import QApplication

    before = set(QApplication.topLevelWidgets())
    yield
    QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    QApplication.processEvents()
    left = [w for w in QApplication.topLevelWidgets() if w not in before and w.isVisible()]
    assert not left, f"widgets left behind: {left}"
