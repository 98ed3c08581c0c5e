"""Fixtures of the gui's tests; what they are made of is in ``toy_screens.py``."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from napari_cellclip.gui.state.session import Session
from napari_cellclip.plates import Plate, PlateMap, open_plate
from tests.gui.toy_screens import FakeScreen, answer_for, projection_for, write_plate


class PatientBot(QtBot):
    """Waits up to a minute for what comes at once on an idle machine; the parent gives up after five seconds."""

    def waitUntil(self, callback, *, timeout=60_000):
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal, *, timeout=60_000, **options):
        return super().waitSignal(signal, timeout=timeout, **options)

    def waitExposed(self, widget, *, timeout=60_000):
        """Wait until a widget that was shown is on the display; the parent's only waits in a `with`."""
        with super().waitExposed(widget, timeout=timeout):
            pass


@pytest.fixture
def qtbot(qapp, request: pytest.FixtureRequest) -> PatientBot:
    return PatientBot(request)


@pytest.fixture(scope="session")
def plate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plate(tmp_path_factory.mktemp("plates") / "toy")


@pytest.fixture(autouse=True)
def no_recent_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program remembers goes to a folder of the test's own."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setattr("napari_cellclip.gui.recent.state_folder", lambda: folder)


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


@pytest.fixture(autouse=True)
def no_widget_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a GUI test leaves a top-level widget of ours behind, shown or not."""
    if not {"qtbot", "qapp", "make_napari_viewer", "make_napari_viewer_proxy"} & set(request.fixturenames):
        yield
        return
    request.getfixturevalue("qapp")
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    before = set(QApplication.topLevelWidgets())
    yield

    def left() -> list[object]:
        # What Qt was told to delete goes with its event.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        return [w for w in QApplication.topLevelWidgets() if w not in before and is_ours(w)]

    if left():
        gc.collect()  # reference cycles of a test that is over; half a second, so only where it may help
    assert not left(), f"widgets left behind: {[(type(w).__name__, w.isVisible()) for w in left()]}"


def is_ours(widget: object) -> bool:
    """Whether a widget is of this package, or shown: napari and Qt keep hidden ones of their own."""
    return type(widget).__module__.startswith("napari_cellclip") or widget.isVisible()  # type: ignore[attr-defined]
