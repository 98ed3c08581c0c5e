"""The QC tab with real events: flagged sites, exclusion, correction; and colours of what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_cellclip.gui.panels.quality.quality_panel import QualityPanel
from napari_cellclip.gui.panels.setup.problem_list import ProblemList
from napari_cellclip.gui.state.colouring import colourings
from napari_cellclip.gui.state.requests import CorrectRequest, ExcludeRequest
from napari_cellclip.gui.state.session import Session
from napari_cellclip.gui.state.site_values import describe_sites, site_columns
from napari_cellclip.gui.work.controller import controller_of
from napari_cellclip.plates import PlateMap, open_plate
from napari_cellclip.plates.acquisition import Problem
from napari_cellclip.screen import Screen, encode
from tests.tiny import load_tiny_model, write_tiny_plate

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 120_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny plates in one screen."""
    out = tmp_path_factory.mktemp("quality")
    model = load_tiny_model(out / "model")
    for seed in (5, 6):
        plate = write_tiny_plate(out / f"P{seed}", wells=12, sites=2, seed=seed)
        encode(open_plate(plate), PlateMap.read(plate / "platemap.csv"), model, out / "s", workers=0)
    return out / "s"


@pytest.fixture
def live(folder: Path) -> Iterator[Session]:
    viewer = ViewerModel()
    controller = controller_of(viewer)
    session = controller_of(viewer).session
    session.look(map_method="pca")  # umap is not what is tested here
    session.set_screen(Screen.open(folder))
    yield session
    controller.close()


def test_flagged_sites_are_listed_and_open(full_session: Session, qtbot) -> None:
    panel = QualityPanel(full_session)
    qtbot.addWidget(panel)
    panel.show()
    table = panel.sites
    assert [table.item(row, 0).text() for row in range(table.rowCount())] == ["C06 · site 1"]
    assert table.item(0, 1).text() == "out of focus (DNA)"
    assert "1 stand out, 0 excluded" in panel.state.text()
    place = table.visualItemRect(table.item(0, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=place)
    qtbot.mouseDClick(table.viewport(), LEFT, pos=place)
    assert full_session.shown == "toy/C06/1"
    assert panel.value() == ("toy/C06/1",)


def test_buttons_ask_for_what_is_selected(full_session: Session, qtbot) -> None:
    panel = QualityPanel(full_session)
    qtbot.addWidget(panel)
    panel.show()
    requests: list[object] = []
    full_session.requested.connect(requests.append)
    assert not panel.exclude.isEnabled()
    table = panel.sites
    qtbot.mouseClick(table.viewport(), LEFT, pos=table.visualItemRect(table.item(0, 0)).center())
    assert panel.exclude.isEnabled()
    assert not panel.take_back.isEnabled()
    qtbot.mouseClick(panel.exclude, LEFT)
    assert requests == [ExcludeRequest({"toy/C06/1": "out of focus (DNA)"})]
    panel.correction.setFocus()
    qtbot.keyClick(panel.correction, Qt.Key.Key_Down)
    assert requests[-1] == CorrectRequest("center")


def test_nothing_open_says_what_to_do(session: Session, qtbot) -> None:
    panel = QualityPanel(session)
    qtbot.addWidget(panel)
    assert "while a plate is encoded" in panel.state.text()
    assert not panel.exclude.isEnabled()
    assert not panel.correction.isEnabled()


def test_sites_are_excluded_and_taken_back(live: Session, qtbot) -> None:
    site = f"{live.screen.well_ids[0]}/1"
    before = live.screen.embeddings
    with qtbot.waitSignal(live.screen_changed, timeout=PATIENCE):
        live.request(ExcludeRequest({site: "a bubble"}))
    assert not np.array_equal(live.screen.embeddings, before)
    panel = QualityPanel(live)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: panel.correction.isEnabled(), timeout=PATIENCE)
    panel.sites.setValue([site])
    assert panel.value() == (site,)
    assert panel.take_back.isEnabled()
    with qtbot.waitSignal(live.screen_changed, timeout=PATIENCE):
        qtbot.mouseClick(panel.take_back, LEFT)
    # Embedded again, beside fewer other wells: equal but for rounding.
    np.testing.assert_allclose(live.screen.embeddings, before, rtol=1e-5, atol=1e-6)
    assert live.screen.excluded == {}


def test_a_correction_is_chosen_shown_and_taken_off(live: Session, qtbot) -> None:
    panel = QualityPanel(live)
    qtbot.addWidget(panel)
    plain = live.screen.embeddings
    live.request(CorrectRequest("harmony"))
    qtbot.waitUntil(lambda: "Corrected: harmony" in panel.state.text(), timeout=PATIENCE)
    assert "Plate mixing" in panel.state.text()
    assert live.screen.correction.method == "harmony"
    assert panel.correction.currentData() == "harmony"
    live.request(CorrectRequest("none"))
    qtbot.waitUntil(lambda: live.screen.correction is None, timeout=PATIENCE)
    np.testing.assert_array_equal(live.screen.embeddings, plain)
    assert panel.correction.currentData() == "none"


def test_what_was_measured_colours_wells(live: Session) -> None:
    columns = site_columns(live.screen)
    assert columns["Quality_cells"].startswith("Cells")
    assert "site:Quality_focus_DNA" in {one.key for one in colourings(live)}
    quality = live.screen.quality
    well = live.screen.well_ids[3]
    sites = quality.loc[quality["Metadata_Well_id"] == well, "Quality_high_ER"]
    for statistic, expected in (("mean", sites.mean()), ("sd", sites.std()), ("max", sites.max())):
        assert describe_sites(live.screen, "Quality_high_ER", statistic)[well] == pytest.approx(expected)
    assert site_columns(None) == {}


def test_problems_are_not_scrolled_sideways(session, plate, qtbot, monkeypatch):
    """An empty list had a bar below it, and long reasons are whole in their tooltip."""
    problems = ProblemList(session)
    qtbot.addWidget(problems)
    problems.resize(190, 150)
    problems.show()
    qtbot.waitExposed(problems)
    assert problems.isHeaderHidden(), "there is none"
    assert not problems.horizontalScrollBar().isVisible()
    problem = Problem("C04 site 1", "the TIFF of ER ends in the middle of a strip")
    monkeypatch.setattr(type(plate), "problems", (problem,))
    session.set_plate(plate)
    assert not problems.isHeaderHidden()
    assert not problems.horizontalScrollBar().isVisible()
    assert problems.topLevelItem(0).toolTip(1) == problem.what
