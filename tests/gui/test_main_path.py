"""The main path in a real window, with real events, on the real core and the bundled model.

A small simulated plate is opened, encoded, queried, looked at, explained and exported as a user does it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.panels.hits.hit_columns import KEYS
from napari_cellclip.gui.panels.hits.hits_model import ID_ROLE
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.plates import Plate
from napari_cellclip.vocabulary import STAINS

LEFT = Qt.MouseButton.LeftButton
PATIENT = 120_000
"""Milliseconds that a step may take on a busy machine."""


@pytest.fixture(scope="module")
def sample(repository: Path) -> Path:
    return repository / "sample_data" / "simulated-24"


@pytest.fixture
def explorer(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    """The Explorer in a shown window; screens go to a cache folder of the test's own."""
    monkeypatch.setenv("NAPARI_CELLCLIP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    explorer = Explorer(viewer)
    viewer.window.add_dock_widget(explorer, name="Explorer")
    qtbot.waitExposed(explorer)
    explorer.viewer = viewer  # for the tests alone
    return explorer


@pytest.fixture
def fingerprint_threads(monkeypatch) -> list[threading.Thread]:
    """Threads in which the files of a plate were stat-ed."""
    threads: list[threading.Thread] = []
    original = Plate.fingerprint

    def fingerprint(self: Plate, *arguments) -> str:
        threads.append(threading.current_thread())
        return original(self, *arguments)

    monkeypatch.setattr(Plate, "fingerprint", fingerprint)
    return threads


def idle(qtbot, session: Session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=PATIENT)


def open_plate_by_hand(qtbot, explorer: Explorer, path: Path) -> None:
    explorer.tabs.setCurrentWidget(explorer.setup)
    line = explorer.setup.plate.path
    qtbot.mouseClick(line, LEFT)
    qtbot.keyClicks(line, str(path))
    qtbot.keyClick(line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: explorer.session.plate is not None, timeout=PATIENT)
    idle(qtbot, explorer.session)


@pytest.mark.slow
def test_open_encode_ask_select_explain_export(
    explorer, sample, qtbot, tmp_path, monkeypatch, fingerprint_threads
):
    session, viewer, messages = explorer.session, explorer.viewer, []
    session.message.connect(lambda task, text: messages.append((task, text)))

    # open: the plate and its plate map
    open_plate_by_hand(qtbot, explorer, sample)
    assert len(session.plate.wells) == len(session.platemap.wells) == 24
    assert session.plate.stains.complete
    assert explorer.header.badge.isVisible()
    assert session.shown is not None, "a field is shown at once"

    # encode with the bundled model
    steps = []
    session.work_changed.connect(lambda task, work: steps.append((task, work.done if work else None)))
    qtbot.mouseClick(explorer.setup.encode.encode_button, LEFT)
    qtbot.waitUntil(lambda: session.screen is not None or bool(messages), timeout=PATIENT)
    assert messages == []
    qtbot.waitUntil(lambda: set(session.maps.by_method) == {"pca", "umap"}, timeout=PATIENT)
    idle(qtbot, session)
    assert (Task.ENCODE, 24) in steps
    assert session.screen.path.is_relative_to(tmp_path / "cache")
    assert session.wells["encoded"].all()
    assert fingerprint_threads
    assert threading.main_thread() not in fingerprint_threads, "the window waits for no file"

    # ask
    qtbot.mouseClick(explorer.query.line, LEFT)
    qtbot.keyClicks(explorer.query.line, "tubulin polymerisation inhibitor")
    qtbot.keyClick(explorer.query.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.answer is not None or bool(messages), timeout=PATIENT)
    assert messages == []
    idle(qtbot, session)
    answer = session.answer
    assert explorer.query.verdict.text() == answer.verdict
    best = str(answer.scores["score"].idxmax())
    assert explorer.hits.value().index[0] == best

    # select on the plate, found again in the table; undo
    plate_view = explorer.plate.view
    qtbot.mouseClick(plate_view.viewport(), LEFT, pos=plate_view.position_of(best))
    assert session.selection.ids == {best}
    rows = explorer.hits.table.selectionModel().selectedRows()
    assert [row.data(ID_ROLE) for row in rows] == [best]
    session.edits.undo()
    assert not session.selection.ids
    qtbot.keyClick(plate_view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(session.selection) == 24
    qtbot.mouseClick(plate_view.viewport(), LEFT, pos=plate_view.position_of(best))

    # its images on the canvas are those of the files
    qtbot.mouseDClick(plate_view.viewport(), LEFT, pos=plate_view.position_of(best))
    idle(qtbot, session)
    site = session.plate.site(session.shown)
    for stain, pixels in zip(STAINS, site.read(STAINS), strict=True):
        np.testing.assert_array_equal(viewer.layers[stain.value].data, pixels)

    # explain: contributions add up to the score over an average control; heat map over its field
    explorer.tabs.setCurrentWidget(explorer.explain)
    qtbot.mouseClick(explorer.explain.contributions.button, LEFT)
    qtbot.waitUntil(lambda: session.explanations.contributions is not None, timeout=PATIENT)
    idle(qtbot, session)
    parts = session.explanations.contributions
    assert list(parts.cosine.index) == [best]
    total = float(parts.value[best] - parts.baseline[best])
    assert parts.cosine.loc[best].sum() == pytest.approx(total, abs=1e-5)
    qtbot.mouseClick(explorer.explain.heat_map.button, LEFT)
    qtbot.waitUntil(lambda: session.explanations.heat_map is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert session.explanations.heat_map.site == site.id
    assert viewer.layers["match"].metadata["cellclip"]["heat"] == site.id
    assert explorer.explain.heat_map.most.tiles

    # export: the hit list of the selection, the screen, the script
    def choose(name):
        path = tmp_path / name
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), ""))
        return path

    export_all, export_selected, *_ = explorer.footer.export_button.menu().actions()
    hits = choose("hits.csv")
    export_selected.trigger()
    qtbot.waitUntil(hits.exists, timeout=PATIENT)
    idle(qtbot, session)
    written = pd.read_csv(hits, index_col=0)
    assert list(written.index) == [best]
    assert written.loc[best, "score"] == pytest.approx(float(answer.scores.loc[best, "score"]), rel=1e-6)
    assert set(written["query"]) == {answer.query}
    screen = choose("screen.h5ad")
    export_all.trigger()
    idle(qtbot, session)
    assert anndata.read_h5ad(screen).n_obs == 24
    qtbot.mouseClick(explorer.footer.copy, LEFT)
    names: dict = {}
    exec(QApplication.clipboard().text(), names)
    pd.testing.assert_series_equal(names["answer"].scores["score"], answer.scores["score"])
    assert [text for task, text in messages if not text.startswith(("Written: ", "Copied: "))] == []


def test_open_cancel_resume_ask(explorer, sample, qtbot, fingerprint_threads):
    session, messages = explorer.session, []
    session.message.connect(lambda task, text: messages.append(text))
    open_plate_by_hand(qtbot, explorer, sample)
    box = explorer.setup.encode

    def cancel_early(task, work) -> None:
        if (
            task == Task.ENCODE
            and work is not None
            and work.stage == "fields"
            and 0 < work.done < 24
            and not messages
        ):
            qtbot.mouseClick(box.cancel_button, LEFT)

    session.work_changed.connect(cancel_early)
    qtbot.mouseClick(box.encode_button, LEFT)
    qtbot.waitUntil(lambda: bool(messages), timeout=PATIENT)
    assert "Resume goes on from there" in messages[-1]
    assert session.screen is None
    assert box.encode_button.text() == "Resume"
    done = int(messages[-1].split()[2])
    assert 0 < done < 24

    steps = []

    def note(task, work) -> None:
        if task == Task.ENCODE and work is not None and work.total:
            steps.append(work.done)

    session.work_changed.connect(note)
    qtbot.mouseClick(box.encode_button, LEFT)
    qtbot.waitUntil(lambda: session.screen is not None, timeout=PATIENT)
    idle(qtbot, session)
    assert session.wells["encoded"].all()
    assert min(steps) >= done, "what was encoded before is not encoded again"
    assert fingerprint_threads
    assert threading.main_thread() not in fingerprint_threads, "the window waits for no file"

    messages.clear()
    qtbot.keyClicks(explorer.query.line, "tubulin polymerisation inhibitor")
    qtbot.keyClick(explorer.query.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.answer is not None or bool(messages), timeout=PATIENT)
    idle(qtbot, session)
    assert messages == []
    assert explorer.query.verdict.text() == session.answer.verdict
    assert explorer.hits.value().index[0] == str(session.answer.scores["score"].idxmax())

    # the same question by likeness to the plate's own labelled treatments
    words = session.answer
    explorer.query.evidence.kinds["look-alikes"].trigger()
    qtbot.waitUntil(lambda: session.answer is not words or bool(messages), timeout=PATIENT)
    idle(qtbot, session)
    assert messages == []
    answer = session.answer
    assert (answer.evidence, answer.evidence_reason) == ("look-alikes", "Asked for.")
    assert set(explorer.references.members.names()) == set(answer.references.members["name"])
    hits = explorer.hits
    assert not hits.table.isColumnHidden(KEYS.index("reference"))
    row = next(
        row for row in range(hits.model.rowCount()) if hits.model.index(row, KEYS.index("nearest")).data()
    )
    assert hits.model.reference_of(hits.model.index(row, 0).data(ID_ROLE))[0] in session.wells.index
    explained = answer.direction is not None
    assert explorer.explain.contributions.button.isEnabled() == explained
    explorer.query.evidence.kinds["auto"].trigger()
    qtbot.waitUntil(lambda: session.answer is not answer or bool(messages), timeout=PATIENT)
    idle(qtbot, session)
    assert session.answer.evidence == "words"
    assert "trained on simulated cells" in explorer.query.reason.text()
