"""What the window says where something is wrong: the file, why, what to do; no traceback, no error number."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from napari.components import ViewerModel

from napari_cellclip.gui.state.export_requests import ExportRequest
from napari_cellclip.gui.state.requests import (
    AddReferencesRequest,
    EncodeRequest,
    ExcludeRequest,
    OpenRequest,
    PlateMapRequest,
    Request,
    SaveSessionRequest,
)
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.screen import Screen, encode
from tests.tiny import load_tiny_model, write_tiny_plate

PATIENCE = 60_000
RAW = re.compile(r"Errno|Traceback|Error[:(]|Exception|footer|None")
"""What a biologist should not have to read."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny plate with its screen, and files that are none of what they are called."""
    out = tmp_path_factory.mktemp("wrong")
    plate = open_plate(write_tiny_plate(out / "P1", wells=12, sites=1, seed=1))
    platemap, model = PlateMap.read(out / "P1" / "platemap.csv"), load_tiny_model(out / "model")
    encode(plate, platemap, model, out / "s", workers=0)
    (out / "file").write_text("x", encoding="utf-8")
    (out / "far.csv").write_text("well,compound\nP24,x\n", encoding="utf-8")
    (out / "cut.cellclip").write_text('{"format": 1, "plate": ', encoding="utf-8")
    (out / "no.parquet").write_bytes(bytes(range(256)))
    (out / "card").mkdir()
    (out / "card" / "card.json").write_text("{", encoding="utf-8")
    return out


@pytest.fixture
def viewer(qapp: object) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(viewer: ViewerModel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(folder / "cache"))
    session = controller_of(viewer).session
    session.set_plate(open_plate(folder / "P1"), PlateMap.read(folder / "P1" / "platemap.csv"))
    return session


def idle(session: Session) -> bool:
    return all(session.work(task) is None for task in Task)


def told(session: Session, request: Request, qtbot) -> str:
    """Send a request and return what is said of it in the end."""
    said: list[str] = []
    session.message.connect(lambda _task, text: said.append(text))
    session.request(request)
    qtbot.waitUntil(lambda: idle(session), timeout=PATIENCE)
    return said[-1] if said else ""


CASES: dict[str, tuple[Callable[[Path], Request], str, str]] = {
    "no folder": (lambda f: OpenRequest(f / "gone"), "gone", "check the path"),
    "no plate map": (
        lambda f: PlateMapRequest(f / "gone.csv"),
        "gone.csv",
        "No such file or directory): check",
    ),
    "another plate's map": (
        lambda f: OpenRequest(f / "far.csv"),
        "far.csv: 1 well of",
        "the right plate map",
    ),
    "no session": (lambda f: OpenRequest(f / "gone.cellclip"), "gone.cellclip", "check the path"),
    "half a session": (lambda f: OpenRequest(f / "cut.cellclip"), "cut.cellclip", "save anew"),
    "session below a file": (lambda f: SaveSessionRequest(f / "file/a.cellclip"), "file", "another folder"),
    "no references": (lambda f: AddReferencesRequest(f / "no.parquet"), "no.parquet", "references build"),
    "no model folder": (lambda f: EncodeRequest(str(f / "gone"), f / "x"), "there is no folder", "known are"),
    "half a model card": (lambda f: EncodeRequest(str(f / "card"), f / "x"), "card.json", "the model folder"),
    "screen below a file": (lambda f: EncodeRequest("demo", f / "file/s"), "file/s", "check the path"),
    "licence not accepted": (lambda f: EncodeRequest("cellclip", f / "x"), "cellclip", "tick it, then press"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_with_its_file_and_the_way_out(case, session, folder, qtbot):
    request, where, way_out = CASES[case]
    text = told(session, request(folder), qtbot)
    assert where in text
    assert way_out in text
    assert RAW.search(text) is None, text
    assert len(text) < 400, "read in one look"


def test_a_screen_that_was_moved_while_it_is_open_says_so(session, folder, qtbot):
    shutil.copytree(folder / "s", folder / "here")
    session.set_screen(Screen.open(folder / "here"))
    qtbot.waitUntil(lambda: idle(session), timeout=PATIENCE)
    (folder / "here").rename(folder / "there")
    text = told(session, ExportRequest(folder / "wells.h5ad"), qtbot)
    assert str(folder / "here") in text
    assert text.endswith("is not there any more: open the screen where it is now")


def test_a_plate_without_a_site_left_is_not_said_to_be_not_encoded(session, folder, qtbot):
    shutil.copytree(folder / "s", folder / "excluded")
    session.set_screen(Screen.open(folder / "excluded"))
    qtbot.waitUntil(lambda: idle(session), timeout=PATIENCE)
    text = told(session, ExcludeRequest(dict.fromkeys((s.id for s in session.plate.sites), "by hand")), qtbot)
    assert text.endswith("has a site left: take back sites under QC")
