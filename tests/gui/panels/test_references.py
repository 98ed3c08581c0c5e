"""Evidence and reference treatments in the window: made profiles, the real core, real events."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_cellclip import import_profiles
from napari_cellclip.explore import build_references, write_references
from napari_cellclip.explore.references import referenced_screen
from napari_cellclip.explore.references.evidence import ReferenceEvidence
from napari_cellclip.explore.references.probability.recognisable import Recognisable
from napari_cellclip.gui.explorer import Explorer
from napari_cellclip.gui.panels.hits.chips import CHIP
from napari_cellclip.gui.panels.hits.gallery import MARGIN, REFERENCE_ROLE, SIDE
from napari_cellclip.gui.panels.hits.hit_columns import KEYS
from napari_cellclip.gui.panels.hits.hits_model import REFERENCE, REFERENCE_TIP
from napari_cellclip.gui.panels.hits.hits_panel import HitsPanel
from napari_cellclip.gui.panels.query.evidence_button import EvidenceOptions
from napari_cellclip.gui.panels.thumbnails import Thumbnails
from napari_cellclip.gui.state.explanations import NO_DIRECTION
from napari_cellclip.gui.state.references import beside, nearest_references
from napari_cellclip.gui.state.requests import OpenRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.tasks import Task
from napari_cellclip.gui.state.wells import share_text
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.gui.work.files.exports import hit_list
from napari_cellclip.gui.work.files.python_script import python_script
from napari_cellclip.screen import Screen
from tests.gui.toy_screens import answer_for
from tests.profile_tables import made_table, write_annotations

pytestmark = [
    # umap warns of TensorFlow when it is first imported, here in a thread beside others: filters set by
    # catch_warnings belong to all threads, so that the one of umap_projection may be undone by another's.
    pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:umap"),
]
LEFT = Qt.MouseButton.LeftButton
PATIENCE = 60_000
TUBULIN = ["nocodazole", "colchicine", "vinorelbine"]


def made_screen(folder: Path, plate: str) -> Path:
    made_table(plate, controls=12, replicates=3).to_csv(folder / f"{plate}.csv", index=False)
    annotations = write_annotations(folder / f"{plate}.tsv")
    return import_profiles(folder / f"{plate}.csv", folder / f"screen-{plate}", annotations=annotations).path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("screens")
    return made_screen(folder, "P1"), made_screen(folder, "P2")


@pytest.fixture
def explorer(qtbot, folders, monkeypatch) -> Iterator[Explorer]:
    """The Explorer on a screen of profiles, its mechanisms tested."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    viewer = ViewerModel()
    explorer = Explorer(viewer)
    explorer.viewer = viewer  # sessions live as long as their viewer
    qtbot.addWidget(explorer)
    explorer.resize(1000, 900)
    explorer.show()
    qtbot.waitExposed(explorer)
    explorer.messages = []
    explorer.session.message.connect(lambda _task, text: explorer.messages.append(text))
    explorer.session.request(OpenRequest(folders[0]))
    qtbot.waitUntil(lambda: explorer.session.references.mechanisms is not None, timeout=PATIENCE)
    idle(qtbot, explorer.session)
    yield explorer
    idle(qtbot, explorer.session)  # no thread outlives its signals
    controller_of(viewer).close()


def idle(qtbot, session: Session) -> None:
    qtbot.waitUntil(lambda: all(session.work(task) is None for task in Task), timeout=PATIENCE)


def ask(qtbot, explorer: Explorer, text: str) -> None:
    explorer.query.line.clear()
    qtbot.keyClicks(explorer.query.line, text)
    before = explorer.session.answer
    qtbot.keyClick(explorer.query.line, Qt.Key.Key_Return)
    qtbot.waitUntil(
        lambda: explorer.session.answer is not before or bool(explorer.messages), timeout=PATIENCE
    )
    idle(qtbot, explorer.session)


def click_row(qtbot, table, row: int, at: int | None = None) -> None:
    rectangle = table.visualItemRect(table.item(row, 0))
    spot = rectangle.center() if at is None else QPoint(rectangle.left() + at, rectangle.center().y())
    qtbot.mouseClick(table.viewport(), LEFT, pos=spot)


def row_of(table, text: str) -> int:
    return next(row for row in range(table.rowCount()) if table.item(row, 0).text() == text)


def test_what_the_assay_can_see_comes_first_and_a_click_asks_for_it(explorer, qtbot) -> None:
    session, panel = explorer.session, explorer.references
    assert explorer.tabs.currentWidget() is panel
    assert panel.mechanisms.isVisible()
    assert "are recognisable" in panel.state.text()
    click_row(qtbot, panel.mechanisms, row_of(panel.mechanisms, "tubulin inhibitor"))
    assert panel.mechanisms.value() == "tubulin inhibitor"
    qtbot.waitUntil(lambda: session.answer is not None, timeout=PATIENCE)
    assert explorer.messages == []
    assert explorer.query.line.text() == "tubulin inhibitor"
    assert explorer.query.verdict.text() == session.answer.verdict
    assert session.answer.evidence == "look-alikes"
    assert "By look-alikes. The screen has no text tower" in explorer.query.reason.text()
    assert sorted(panel.members.names()) == sorted(TUBULIN)


def test_a_reference_ticked_off_stays_in_the_list_and_the_question_is_asked_without_it(
    explorer, qtbot
) -> None:
    session, panel = explorer.session, explorer.references
    ask(qtbot, explorer, "tubulin inhibitor")
    first = session.answer
    panel.views.setCurrentIndex(1)
    names = panel.members.names()
    click_row(qtbot, panel.members, row_of(panel.members, "colchicine"), at=9)
    assert panel.members.value() == ("colchicine",)
    qtbot.waitUntil(lambda: session.answer is not first, timeout=PATIENCE)
    idle(qtbot, session)
    assert set(session.answer.references.members["name"]) == set(TUBULIN) - {"colchicine"}
    assert panel.members.names() == names
    assert panel.value() == ("colchicine",)
    assert "(2)" in panel.views.tabText(1)
    assert "ticked_off=['colchicine']" in python_script(session)
    names: dict = {}
    exec(python_script(session), names)
    pd.testing.assert_frame_equal(names["answer"].treatments_table, session.answer.treatments_table)

    panel.members.valueChanged.disconnect()
    for name in TUBULIN:
        panel.members.item(row_of(panel.members, name), 0).setCheckState(Qt.CheckState.Unchecked)
    assert len(panel.value()) == 2, "the last one stays"


def test_another_question_begins_with_all_references(explorer, qtbot) -> None:
    session, panel = explorer.session, explorer.references
    ask(qtbot, explorer, "tubulin inhibitor")
    panel.members.setValue(["nocodazole"])
    panel.members.valueChanged.emit(("nocodazole",))
    idle(qtbot, session)
    assert session.questions.asked[-1].ticked_off == ("nocodazole",)
    ask(qtbot, explorer, "HDAC inhibitor")
    assert session.questions.asked[-1].ticked_off == ()
    assert panel.value() == ()


def test_evidence_is_chosen_in_a_menu_and_asks_again(explorer, qtbot) -> None:
    session, button = explorer.session, explorer.query.evidence
    ask(qtbot, explorer, "tubulin inhibitor")
    assert button.value() == EvidenceOptions()
    with qtbot.waitSignal(button.valueChanged):
        button.kinds["words"].trigger()
    qtbot.waitUntil(lambda: bool(explorer.messages), timeout=PATIENCE)
    idle(qtbot, session)
    assert "train a head first" in explorer.messages[-1]
    assert explorer.query.button.isEnabled()
    button.kinds["look-alikes"].trigger()
    idle(qtbot, session)
    button.structures.trigger()
    idle(qtbot, session)
    assert (session.questions.asked[-1].evidence, session.questions.asked[-1].structures) == (
        "look-alikes",
        False,
    )
    assert session.answer.references.structures is False
    assert "evidence='look-alikes', structures=False" in python_script(session)
    names: dict = {}
    exec(python_script(session), names)
    pd.testing.assert_frame_equal(names["answer"].treatments_table, session.answer.treatments_table)
    session.look(evidence="both")
    assert button.value().evidence == "both"
    assert "both" in button.text()


def test_hits_tell_likeness_probability_and_nearest_references(explorer, qtbot) -> None:
    session, hits = explorer.session, explorer.hits
    ask(qtbot, explorer, "tubulin inhibitor")
    table = session.answer.treatments_table
    first = hits.value().iloc[0]
    (tested,) = table.index[[first.name in wells.split("|") for wells in table.index]]
    assert first["nearest"] == table.at[tested, "nearest"] != ""
    assert first["looks_like"] == pytest.approx(table.at[tested, "looks_like"])
    for key in ("looks_like", "nearest"):
        assert not hits.table.isColumnHidden(KEYS.index(key))
    assert hits.table.isColumnHidden(KEYS.index("reference")), "profiles have no pictures"
    assert not hits.chips.has_pictures
    assert hit_list(session)["nearest"].astype(bool).any()
    session.show_answer(None)
    assert hits.table.isColumnHidden(KEYS.index("nearest"))
    assert "nearest" not in hit_list(session)


def test_a_reference_of_the_question_says_that_it_is_not_tested(full_session, qtbot) -> None:
    """Its q and score were blank, without a word, at the foot of the list."""
    screen = full_session.screen
    screen.wells.loc[["toy/C06"], "Metadata_treatment"] = "nocodazole"
    answer = answer_for(screen, {"toy/D04": 5.0}, match=True)
    blank = answer.scores.index == "toy/C06"
    scores = answer.scores.assign(**{name: answer.scores[name].mask(blank) for name in ("score", "q")})
    members = pd.DataFrame(
        {"name": ["nocodazole"], "mechanism": "m", "dose": 1.0, "why": "name", "source": "s"}
    )
    references = ReferenceEvidence(members, Recognisable(1, np.nan, np.nan, np.nan), (), 9, 5, 5, True)
    full_session.show_answer(
        dataclasses.replace(answer, scores=scores, references=references, evidence="look-alikes")
    )
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    row = next(i for i in range(panel.model.rowCount()) if "toy/C06" in panel.model.wells_at(i))
    for key in ("q", "score"):
        index = panel.model.index(row, KEYS.index(key))
        assert index.data() == REFERENCE, key
        assert index.data(Qt.ItemDataRole.ToolTipRole) == REFERENCE_TIP
    other = next(i for i in range(panel.model.rowCount()) if "toy/D04" in panel.model.wells_at(i))
    assert panel.model.index(other, KEYS.index("score")).data() == "5.00"


def test_references_are_diamonds_on_the_map(explorer, qtbot) -> None:
    ask(qtbot, explorer, "tubulin inhibitor")
    view = explorer.map.view
    treatments = explorer.session.screen.wells["Metadata_treatment"].reindex(view.ids)
    wanted = view.shown_at[treatments.isin(TUBULIN).to_numpy()]
    drawn = np.column_stack(view.marks.getData())
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(wanted, axis=0))
    assert {label.toPlainText() for label in view.names.labels} == set(TUBULIN)
    explorer.session.show_answer(None)
    assert len(view.marks.getData()[0]) == 0


def test_explanations_are_disabled_with_a_sentence(explorer, qtbot) -> None:
    ask(qtbot, explorer, "tubulin inhibitor")
    assert explorer.session.answer.direction is None
    for panel in (explorer.explain.contributions, explorer.explain.heat_map):
        assert not panel.button.isEnabled()
        assert panel.state.text() == NO_DIRECTION
    assert explorer.messages == []


def test_the_main_thread_compares_nothing(explorer, qtbot, monkeypatch, folders) -> None:
    threads: list[threading.Thread] = []
    made, found = referenced_screen.ReferencedScreen.__init__, referenced_screen.select

    def make(*arguments, **options):
        threads.append(threading.current_thread())
        made(*arguments, **options)

    def choose(*arguments, **options):
        threads.append(threading.current_thread())
        return found(*arguments, **options)

    monkeypatch.setattr(referenced_screen.ReferencedScreen, "__init__", make)
    monkeypatch.setattr(referenced_screen, "select", choose)
    explorer.session.request(OpenRequest(folders[1]))
    qtbot.waitUntil(lambda: explorer.session.screen.name == folders[1].name, timeout=PATIENCE)
    ask(qtbot, explorer, "tubulin inhibitor")
    explorer.query.evidence.structures.trigger()
    idle(qtbot, explorer.session)
    assert len(threads) >= 4
    assert threading.main_thread() not in threads


def test_references_of_another_screen_and_of_a_file(explorer, qtbot, folders, tmp_path, monkeypatch) -> None:
    session, panel = explorer.session, explorer.references
    ask(qtbot, explorer, "tubulin inhibitor")
    alone = session.answer
    panel.views.setCurrentIndex(2)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folders[1]))
    qtbot.mouseClick(panel.add_screen, LEFT)
    assert panel.add_screen.text() == "Reading …"
    assert not panel.add_screen.isEnabled()
    qtbot.waitUntil(lambda: session.references.added is not None, timeout=PATIENCE)
    idle(qtbot, session)
    assert panel.sources.item(1, 0).text() == folders[1].name
    assert session.answer is not alone
    assert folders[1].name in set(session.answer.references.members["source"])

    file = write_references(build_references([Screen.open(folders[1])]), tmp_path / "more")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    qtbot.mouseClick(panel.add_file, LEFT)
    qtbot.waitUntil(lambda: len(session.references.added.parts) == 2, timeout=PATIENCE)
    idle(qtbot, session)
    names: dict = {}
    exec(python_script(session), names)
    pd.testing.assert_frame_equal(names["answer"].treatments_table, session.answer.treatments_table)

    for _ in range(2):
        click_row(qtbot, panel.sources, 1)
        qtbot.mouseClick(panel.remove, LEFT)
        idle(qtbot, session)
    assert session.references.added is None
    pd.testing.assert_frame_equal(session.answer.treatments_table, alone.treatments_table)
    assert explorer.messages == []


def test_a_file_that_is_no_reference_file_is_one_sentence(explorer, qtbot, tmp_path, monkeypatch) -> None:
    panel = explorer.references
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no table PAR1")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "x.parquet"), ""))
    panel.views.setCurrentIndex(2)
    qtbot.mouseClick(panel.add_file, LEFT)
    qtbot.waitUntil(lambda: bool(explorer.messages), timeout=PATIENCE)
    idle(qtbot, explorer.session)
    (message,) = explorer.messages
    assert "is no reference file, or damaged" in message
    assert panel.add_file.isEnabled()


def test_testing_can_be_cancelled_and_begun_again(explorer, qtbot) -> None:
    session, panel = explorer.session, explorer.references
    qtbot.mouseClick(panel.test, LEFT)
    assert panel.test.text() == "Cancel"
    qtbot.mouseClick(panel.test, LEFT)
    assert session.work(Task.MECHANISMS) is None
    assert panel.test.text() == "Test mechanisms"
    session.references.mechanisms = None
    qtbot.mouseClick(panel.test, LEFT)
    qtbot.waitUntil(lambda: session.references.mechanisms is not None, timeout=PATIENCE)
    idle(qtbot, session)
    assert panel.mechanisms.rowCount() >= 2


def test_a_screen_without_labels_says_what_it_lacks(qtbot, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    made_table().to_csv(tmp_path / "P1.csv", index=False)
    folder = import_profiles(tmp_path / "P1.csv", tmp_path / "screen").path
    viewer = ViewerModel()
    explorer = Explorer(viewer)
    qtbot.addWidget(explorer)
    session, messages = controller_of(viewer).session, []
    session.message.connect(lambda _task, text: messages.append(text))
    session.request(OpenRequest(folder))
    qtbot.waitUntil(lambda: session.references.mechanisms is not None, timeout=PATIENCE)
    idle(qtbot, session)
    assert "no reference treatments" in explorer.references.state.text()
    assert messages == []
    controller_of(viewer).close()


def test_the_nearest_reference_is_shown_beside_the_hit(full_session, qtbot) -> None:
    screen = full_session.screen
    screen.wells.loc[["toy/C06", "toy/C05"], "Metadata_treatment"] = "nocodazole"
    answer = answer_for(screen, {"toy/D04": 5.0, "toy/C06": 4.0}, match=True)
    table = answer.treatments_table.assign(
        looks_like=2.0,
        built_like=np.nan,
        probability=np.where(answer.treatments_table.index == "toy/D04", 0.9, 0.1),
        precision=14 / 34,
        precision_low=0.264,
        precision_high=0.578,
        precision_n=34,
        nearest="nocodazole (0.91); elsewhere (0.80)",
        rivals="HDAC inhibitor: x (0.80)",
    )
    members = pd.DataFrame(
        {"name": ["nocodazole", "elsewhere"], "mechanism": "m", "dose": 1.0, "why": "name", "source": "s"}
    )
    references = ReferenceEvidence(members, Recognisable(2, 0.5, 0.1, 0.01), (), 9, 5, 5, True)
    full_session.show_answer(
        dataclasses.replace(answer, treatments_table=table, references=references, evidence="look-alikes")
    )
    panel = HitsPanel(full_session, Thumbnails(full_session))
    qtbot.addWidget(panel)
    assert panel.value().index[0] == "toy/D04", "the most probable first"
    assert panel.model.index(0, KEYS.index("probability")).data() == "41 % (26-58 %, n 34)"
    assert not panel.table.isColumnHidden(KEYS.index("reference"))
    assert panel.table.isColumnHidden(KEYS.index("built_like"))
    share = KEYS.index("probability")
    written = panel.table.fontMetrics().horizontalAdvance("41 % (26-58 %, n 34)")
    assert panel.table.columnWidth(share) > written + 8, "the number of pairs was cut off"
    assert panel.model.reference_of("toy/D04")[0] == "toy/C05"
    picture = panel.model._thumbnails.pixmap("toy/C05", CHIP)
    shade = picture.toImage().pixelColor(5, 5).red()
    assert abs(shade - int(screen.preview("toy/C05")[0, 0, 0])) < 8

    # the gallery draws it beside the well, and says how like it is, and of what mechanism
    qtbot.mouseClick(panel.buttons["gallery"], Qt.MouseButton.LeftButton)
    first = panel.pictures.index(panel.pictures.row_of["toy/D04"])
    row = full_session.wells.loc["toy/C05"]
    well, caption = first.data(REFERENCE_ROLE)
    assert well == "toy/C05"
    assert caption.splitlines()[0] == "≈ 0.91 · C05"
    assert caption.splitlines()[1].startswith(row["treatment"])
    panel.resize(500, 400)
    panel.show()
    qtbot.waitExposed(panel)
    thumbnails = panel.model._thumbnails
    for shown in ("toy/D04", "toy/C05"):
        qtbot.waitUntil(lambda s=shown: thumbnails.is_known(s, SIDE))
    box = panel.gallery.visualRect(first)
    drawn = panel.gallery.viewport().grab().toImage()
    middle = box.top() + MARGIN + SIDE // 2
    for shown, left in (("toy/D04", 0), ("toy/C05", SIDE + 2 * MARGIN)):
        shade = drawn.pixelColor(box.left() + MARGIN + left + SIDE // 2, middle).red()
        assert abs(shade - int(screen.preview(shown)[0, 0, 0])) < 9, "at one contrast, and not tinted"
    tooltip = panel.model.index(0, KEYS.index("nearest")).data(Qt.ItemDataRole.ToolTipRole)
    assert "41 % shared the mechanism" in tooltip
    assert "rival explanations: HDAC inhibitor: x (0.80)" in tooltip


def test_cells_are_read_and_written() -> None:
    assert nearest_references("a (b) (0.93); c; d (0.90)") == [("a (b)", 0.93), ("c; d", 0.9)]
    assert nearest_references("") == []
    assert share_text(14 / 34, 0.264, 0.578, 34) == "41 % (26-58 %, n 34)"
    assert share_text(np.nan, np.nan, np.nan, 0) == ""
    assert beside("A/B02", ["B/B03", "A/B02", "A/B04"]) == "A/B04"
    assert beside("A/B02", ["A/B02", "B/B03"]) == "B/B03"
    assert beside("A/B02", ["A/B02"]) is None
